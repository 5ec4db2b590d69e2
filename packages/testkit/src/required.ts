import { spawnSync } from "node:child_process";

/** Programs of others that a test may need, and what each answers with success. */
const programs = {
  promtool: ["promtool", "--version"],
  haproxy: ["haproxy", "-v"],
  nginx: ["nginx", "-v"],
  kannel: ["bearerbox", "--version"],
  helm: ["helm", "version"],
} as const;
type Program = keyof typeof programs;
const known = ["kafka", "browser", ...(Object.keys(programs) as Program[])] as const;

/** Whether this run must not skip what needs this. A name that means nothing is refused: misspelt, the rule would be off without a word. */
export function required(what: (typeof known)[number]): boolean {
  const names = (process.env["HELIOGRAPH_TEST_REQUIRE"] ?? "").split(",").filter(Boolean);
  const unknown = names.filter((name) => !(known as readonly string[]).includes(name));
  if (unknown.length > 0)
    throw new Error(`HELIOGRAPH_TEST_REQUIRE: "${unknown.join()}" is not ${known.join(" or ")}`);
  return names.includes(what);
}

/**
 * Why the program cannot be run here, once more in print; undefined where it can.
 *
 * @throws Error when it cannot and the run requires it.
 */
export function programMissing(what: Program): string | undefined {
  const must = required(what);
  const [command, ...args] = programs[what];
  const { error } = spawnSync(command, args);
  if (error === undefined) return undefined;
  const skip = `${command} is not there, and what needs it is not tried: ${error.message}`;
  if (must) throw new Error(`this run requires ${what} (HELIOGRAPH_TEST_REQUIRE): ${skip}`);
  process.stderr.write(`${skip}\n`);
  return skip;
}
