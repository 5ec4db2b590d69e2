import { spawn, type ChildProcess } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** A broker's Java, whose number is not the child's when a shell holds it. */
export type Running = {
  pid(): number;
  signal(name: NodeJS.Signals): void;
  output(): string;
  readonly exited: Promise<void>;
};

/** A shell that waits for the end of its input holds the broker: when the process that has the other end dies, however it dies, the broker ends too. */
const guarded =
  'java "$@" </dev/null & child=$!; echo "pid $child"; (cat >/dev/null; kill -9 $child 2>/dev/null) <&3 & wait $child';

export function spawnBroker(
  javaArguments: readonly string[],
  config: string,
  options: { readonly env?: Readonly<Record<string, string>>; readonly detached?: boolean },
): Running {
  const args = ["-Xmx512m", ...javaArguments, "kafka.Kafka", config];
  const env = { ...process.env, ...options.env };
  const file = join(dirname(config), "broker.log");
  const child: ChildProcess = options.detached
    ? spawnDetached(file, args, env)
    : spawn("sh", ["-c", guarded, "sh", ...args], {
        env,
        stdio: ["ignore", "pipe", "pipe", "pipe"],
      });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream
      ?.setEncoding("utf8")
      .on("data", (text: string) => (output = (output + text).slice(-8_000)));
  let ended = false;
  const exited = new Promise<void>((resolve) =>
    child.once("exit", () => {
      ended = true;
      // The watcher in the shell waits for this end of its pipe.
      (child.stdio[3] as { destroy?(): void } | null | undefined)?.destroy?.();
      resolve();
    }),
  );
  if (options.detached) child.unref();
  let pid: number | undefined;
  const find = (): number => {
    pid ??= options.detached ? child.pid! : Number(/^pid (\d+)$/m.exec(output)?.[1] ?? Number.NaN);
    return pid;
  };
  child.stdout?.once("data", find);
  return {
    pid: find,
    signal(name) {
      if (ended || !Number.isInteger(find())) return;
      try {
        process.kill(find(), name);
      } catch {
        // It ended by itself.
      }
    },
    output: () => (options.detached ? readFileSync(file, "utf8").slice(-8_000) : output),
    exited,
  };
}

function spawnDetached(file: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  const log = openSync(file, "w");
  try {
    return spawn("java", args, { env, detached: true, stdio: ["ignore", log, log] });
  } finally {
    closeSync(log);
  }
}
