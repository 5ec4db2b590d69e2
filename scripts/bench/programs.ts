import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const startMs = 60_000;

/** What is to be done at the end, the last first. */
export type Ends = (() => Promise<unknown>)[];

/** A program that runs until the end. */
export function run(
  ends: Ends,
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): ChildProcess {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"], env });
  const exited = once(child, "exit");
  ends.push(async () => {
    child.kill("SIGTERM");
    await exited;
  });
  return child;
}

/** Waits until a program that was started is there, a minute at most. */
export async function untilUp(
  called: string,
  child: ChildProcess,
  isThere: () => Promise<boolean>,
): Promise<void> {
  for (const start = performance.now(); !(await isThere()); await sleep(200))
    if (child.exitCode !== null || performance.now() - start > startMs)
      throw new Error(`${called} does not answer, and came to ${child.exitCode}`);
}

/** Whether somebody takes connections at a port of this machine. */
export const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
