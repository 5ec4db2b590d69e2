import { parseArgs } from "node:util";
import type { Heliograph } from "@heliograph/client";

/** What is wrong with how the program was called, or with what it was given to work with. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

type Option = {
  readonly about: string;
  /** How its value is called in the help; without one it is a switch. */
  readonly value?: string;
  readonly multiple?: true;
};

export type Values = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** What a command works with. */
export type Context = {
  readonly values: Values;
  readonly positionals: readonly string[];
  /** Throws a `UsageError` when there is no key. */
  client(): Heliograph;
  /** Of the key. */
  environment(): "sandbox" | "live" | "unknown";
  /** The secret that `listen` signs with: made once, then kept. */
  webhookSecret(): string;
  readonly signal: AbortSignal;
  print(line: string): void;
  /** Beside what the program is asked for: the state of connections. */
  say(line: string): void;
  readInput(): Promise<string>;
  configure(given: { readonly key: string; readonly url: string }): string;
};

export type Command = {
  readonly summary: string;
  /** Behind its name. */
  readonly usage: string;
  readonly options: Readonly<Record<string, Option>>;
  /** Lines below the options. */
  readonly notes?: readonly string[];
  run(context: Context): Promise<void>;
};

const looksLikeKey = /\ba[ks]_(test|live|admin)_\w/;

/** A key in the arguments stands in the list of processes, and in the shell's history. */
export function refuseKeys(args: readonly string[]): void {
  if (args.some((arg) => looksLikeKey.test(arg) || /^--?(api-?)?key\b/.test(arg)))
    throw new UsageError(
      "A key does not belong on the command line, where other users of this machine can read it.\nRun `heliograph configure`, or set HELIOGRAPH_KEY.",
    );
}

export function parseFor(
  { options }: Command,
  args: readonly string[],
): { readonly values: Values; readonly positionals: readonly string[] } {
  const config = Object.fromEntries(
    Object.entries(options).map(([name, { value, multiple }]) => [
      name,
      {
        type: value === undefined ? ("boolean" as const) : ("string" as const),
        ...(multiple && { multiple }),
      },
    ]),
  );
  try {
    const found = parseArgs({ args: [...args], options: config, allowPositionals: true });
    // Only what has a value may stand several times.
    return found as { values: Values; positionals: string[] };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

export function helpOf(name: string, { summary, usage, options, notes = [] }: Command): string {
  const rows = Object.entries(options).map(
    ([option, { about, value }]) =>
      `  ${`--${option}${value === undefined ? "" : ` <${value}>`}`.padEnd(28)}${about}`,
  );
  const tail = notes.length > 0 ? `\n\n${notes.join("\n")}` : "";
  return `${summary}\n\nheliograph ${name} ${usage}\n\n${rows.join("\n")}${tail}\n`;
}

export const text = (values: Values, name: string): string | undefined => {
  const value = values[name];
  return typeof value === "string" ? value : undefined;
};

export function number(values: Values, name: string, most: number): number | undefined {
  const given = text(values, name);
  if (given === undefined) return undefined;
  if (!/^\d{1,15}$/.test(given) || Number(given) > most)
    throw new UsageError(`--${name} must be a whole number from 0 to ${most}.`);
  return Number(given);
}

/** Where reading the feed begins, and of which types; the same options for all who read it. */
export const feedOptions = {
  types: { value: "type,type", about: "only these types of events" },
  filters: { value: "json", about: "only what passes these filters of an endpoint" },
  after: { value: "sequence", about: "begin behind this event; 0 is the beginning" },
  consumer: {
    value: "name",
    about: "keep under this name where it is, and go on there the next time",
  },
} as const;
