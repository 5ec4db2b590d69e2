import { type ChildProcess, spawn } from "node:child_process";
import { constants } from "node:os";

export type Finished = {
  readonly code: number;
  readonly output: string;
  /** Why it could not be done here. */
  readonly skipped?: string;
};

const children = new Set<ChildProcess>();
let ending: NodeJS.Signals | undefined;

/**
 * Passes SIGINT and SIGTERM on to every command started by `run` and ends, once they have, with 128 + the signal's number.
 * The launcher signals only this process, so without it an interrupted test run would leave its workers behind.
 */
export function forwardSignals(): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      ending = signal;
      for (const child of children) child.kill(signal);
      endWhenIdle();
    });
}

function endWhenIdle(): void {
  if (ending && children.size === 0) process.exit(128 + constants.signals[ending]);
}

/**
 * Runs one command to its end with standard output and standard error merged.
 *
 * @param onOutput receives the text as it comes; without it the text is only collected.
 * @returns the exit code (128 + number when a signal ended it, 127 when it could not start) and everything it printed.
 */
export function run(
  command: string,
  args: readonly string[],
  onOutput?: (text: string) => void,
): Promise<Finished> {
  return new Promise((resolve) => {
    const env = process.stdout.isTTY ? { FORCE_COLOR: "1", ...process.env } : process.env;
    const child = spawn(command, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    children.add(child);
    let output = "";
    const take = (text: string): void => {
      output += text;
      onOutput?.(text);
    };
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    let failure: Error | undefined;
    child.once("error", (error) => {
      failure = error;
    });
    child.once("close", (code, signal) => {
      children.delete(child);
      endWhenIdle();
      if (failure) resolve({ code: 127, output: `${output}${failure.message}\n` });
      else resolve({ code: code ?? 128 + (signal ? constants.signals[signal] : 0), output });
    });
  });
}
