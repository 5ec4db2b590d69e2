import { readFileSync, readdirSync } from "node:fs";

/** A process named so that a later process with the same number is not mistaken for it. */
export type ProcessId = { readonly pid: number; readonly startTicks: string };

/**
 * When the process started, in clock ticks since boot (field 22 of /proc/<pid>/stat, proc(5)); undefined when it is
 * gone. A zombie counts as gone: it holds neither files nor locks, only its parent has not looked yet.
 */
export function startTicksOf(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  // The command name may hold spaces and brackets, so fields are counted from the last closing bracket (field 2).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, startTicks] = [fields[0], fields[19]];
  return state === "Z" || state === "X" ? undefined : startTicks;
}

/** Whether exactly this process, not a successor with its number, still runs. */
export function isAlive(process: ProcessId): boolean {
  return startTicksOf(process.pid) === process.startTicks;
}

/** The process's arguments, empty when it is gone. Readable for every user, unlike /proc/<pid>/cwd or exe. */
export function argumentsOf(pid: number): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

/** Processes that were started with exactly this argument. */
export function pidsWithArgument(argument: string): readonly number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => argumentsOf(pid).includes(argument));
}

/** Polls until the condition holds; false when the deadline passes first. */
export async function waitUntil(
  condition: () => boolean | Promise<boolean>,
  { timeoutMs, everyMs = 20 }: { timeoutMs: number; everyMs?: number },
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  return true;
}
