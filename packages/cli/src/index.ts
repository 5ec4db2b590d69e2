import { ConnectionError, heliograph, ProblemError } from "@heliograph/client";
import { helpOf, parseFor, refuseKeys, UsageError, type Command } from "./command.ts";
import { configure } from "./commands/configure.ts";
import { listen } from "./commands/listen.ts";
import { send } from "./commands/send.ts";
import { tail } from "./commands/tail.ts";
import { trigger } from "./commands/trigger.ts";
import { openConfig } from "./config.ts";

const commands: Readonly<Record<string, Command>> = { listen, send, tail, trigger, configure };

/** What the program ends with. */
const exitCodes = { done: 0, refused: 1, usage: 2, unreachable: 3 } as const;

const help = `Heliograph at the command line.

heliograph <command> [options]

${Object.entries(commands)
  .map(([name, { summary }]) => `  ${name.padEnd(12)}${summary}`)
  .join("\n")}

\`heliograph <command> --help\` says more. The key is HELIOGRAPH_KEY, or what \`configure\` keeps; the
platform is at HELIOGRAPH_URL. Ends with 0, with 1 when the platform refused, 2 when it was called
wrongly, and 3 when nobody answered.
`;

export type Surroundings = {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  print(line: string): void;
  say(line: string): void;
  readInput(): Promise<string>;
};

/** Runs the program and gives its exit code. */
export async function main(surroundings: Surroundings): Promise<number> {
  const { args, signal, say } = surroundings;
  try {
    await runCommand(surroundings);
    return exitCodes.done;
  } catch (error) {
    if (signal.aborted) return exitCodes.done;
    const message = error instanceof Error ? error.message : String(error);
    say(message);
    if (error instanceof UsageError) {
      const [name = ""] = args;
      if (name in commands) say(`heliograph ${name} --help says more.`);
      return exitCodes.usage;
    }
    if (error instanceof ProblemError) {
      for (const { path, message: why } of error.errors) say(`  ${path}: ${why}`);
      if (error.requestId)
        say(`  request ${error.requestId}${error.docUrl ? `, ${error.docUrl}` : ""}`);
    }
    // Whether it was sent nobody knows; with the same key it is sent once.
    if (error instanceof ConnectionError && args[0] === "send" && error.idempotencyKey)
      say(`Repeat it with --idempotency-key ${error.idempotencyKey}, and it is sent once.`);
    return error instanceof ConnectionError ? exitCodes.unreachable : exitCodes.refused;
  }
}

async function runCommand({ args, env, ...surroundings }: Surroundings): Promise<void> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "help") return surroundings.print(help);
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) throw new UsageError(`There is no command ${JSON.stringify(name)}.\n\n${help}`);
  refuseKeys(args);
  if (rest.includes("--help")) return surroundings.print(helpOf(name, command));
  const given = parseFor(command, rest);
  const config = openConfig(env);
  await command.run({
    ...given,
    ...surroundings,
    client: () => heliograph({ key: config.key(), baseUrl: config.url }),
    environment: config.environment,
    webhookSecret: config.webhookSecret,
    configure: (kept) => {
      config.save(kept);
      return config.path;
    },
  });
}
