export type Instruction = { readonly name: string; readonly text: string };

/** The instructions of the Dockerfile reference that our images may use. */
const known =
  /^(ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|RUN|SHELL|STOPSIGNAL|USER|VOLUME|WORKDIR)$/;

/**
 * Reads a Dockerfile into its instructions, continuation lines joined and comments left out.
 *
 * @throws Error naming the line when it does not begin with a known instruction.
 */
export function parseDockerfile(source: string): readonly Instruction[] {
  const instructions: Instruction[] = [];
  let pending = "";
  for (const [index, line] of source.split("\n").entries()) {
    if (/^\s*#/.test(line) || (pending === "" && line.trim() === "")) continue;
    pending += line;
    if (pending.endsWith("\\")) {
      pending = pending.slice(0, -1);
      continue;
    }
    const [, name, text] = /^(\S+)\s+(.*)$/.exec(pending.trim()) ?? [];
    if (name === undefined || !known.test(name))
      throw new Error(`line ${index + 1} is no instruction: ${pending.trim()}`);
    instructions.push({ name, text: text! });
    pending = "";
  }
  if (pending !== "") throw new Error("the last instruction is not finished");
  return instructions;
}

export type Copy = { readonly from: string | undefined; readonly sources: readonly string[] };

/** What a COPY instruction takes: the sources, and the stage they come from or undefined for the build context. */
export function readCopy({ text }: Instruction): Copy {
  const words = text.split(/\s+/);
  const from = words.find((word) => word.startsWith("--from="))?.slice("--from=".length);
  return { from, sources: words.filter((word) => !word.startsWith("--")).slice(0, -1) };
}
