import { spawn } from "node:child_process";
import { madeProgram } from "./made-program.ts";
import { until } from "./until.ts";

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type SpawnedService = {
  readonly pid: number;
  /** Standard output and error in the order they came, the last megabyte. */
  output(): string;
  /** Waits for text in the output; throws with the output when it ends or the deadline (default 30 s) passes first. */
  outputMatching(pattern: RegExp, timeoutMs?: number): Promise<RegExpMatchArray>;
  kill(signal?: NodeJS.Signals): void;
  /** SIGTERM, after the deadline (default 10 s) SIGKILL; resolves when the process has ended. */
  stop(timeoutMs?: number): Promise<Exit>;
  readonly exited: Promise<Exit>;
};

const maxOutputChars = 1024 * 1024;
/** What killed test processes must not leave behind. */
const running = new Set<SpawnedService>();
process.once("exit", () => {
  for (const service of running) service.kill("SIGKILL");
});

/** Starts a TypeScript entry with this very Node, out of the run's file of all programs where it is there; otherwise as `spawnProgram`. */
export const spawnService = (
  entry: string,
  env: NodeJS.ProcessEnv = {},
  args: readonly string[] = [],
): SpawnedService => spawnProgram(process.execPath, [madeProgram(entry), ...args], env);

/**
 * Starts a program. The child inherits the environment without vitest's variables, which
 * would make it believe that it is a test worker.
 */
export function spawnProgram(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): SpawnedService {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(VITEST|NODE_OPTIONS|NODE_ENV|TEST$|DEV$)/.test(name),
  );
  const child = spawn(program, args, {
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const name = [program, ...args].join(" ");
  let output = "";
  const collect = (text: string) => void (output = (output + text).slice(-maxOutputChars));
  child.stdout.setEncoding("utf8").on("data", collect);
  child.stderr.setEncoding("utf8").on("data", collect);
  let exit: Exit | undefined;
  const exited = new Promise<Exit>((resolve) => {
    child.once("error", (error) => collect(`${error.message}\n`));
    // "close" comes after the last output, "exit" may come before it.
    child.once("close", (code, signal) => {
      exit = { code, signal };
      running.delete(service);
      resolve(exit);
    });
  });
  const service: SpawnedService = {
    pid: child.pid ?? -1,
    output: () => output,
    async outputMatching(pattern, timeoutMs = 30_000) {
      const found = await until(() => output.match(pattern) ?? (exit && "ended"), {
        timeoutMs,
        what: `${name} prints ${pattern}`,
      }).catch((error: Error) =>
        Promise.reject(new Error(`${error.message}; it printed:\n${output}`)),
      );
      if (found === "ended") throw new Error(`${name} ended (${JSON.stringify(exit)}):\n${output}`);
      return found;
    },
    kill: (signal = "SIGTERM") => void child.kill(signal),
    async stop(timeoutMs = 10_000) {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
      return exited.finally(() => clearTimeout(timer));
    },
    exited,
  };
  running.add(service);
  return service;
}
