import { readFileSync } from "node:fs";

/** A process named so that a later process with the same number is not mistaken for it. */
export type ProcessId = { readonly pid: number; readonly startTicks: string };

/**
 * When the process started, in clock ticks since boot (field 22 of /proc/<pid>/stat, proc(5)); undefined when it is
 * gone. A zombie counts as gone: it holds neither files nor locks, only its parent has not looked yet.
 *
 * @throws when it cannot be seen, for want of descriptors (EMFILE) say: that is no answer.
 */
export function startTicksOf(pid: number): string | undefined {
  const stat = readOfProcess(pid, "stat");
  if (stat === undefined) return undefined;
  // The command name may hold spaces and brackets, so fields are counted from the last closing bracket (field 2).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, startTicks] = [fields[0], fields[19]];
  return state === "Z" || state === "X" ? undefined : startTicks;
}

/** Whether exactly this process, not a successor with its number, still runs; one that cannot be seen does. */
export function isAlive({ pid, startTicks }: ProcessId): boolean {
  try {
    return startTicksOf(pid) === startTicks;
  } catch {
    // Signal 0 needs no descriptor. It cannot tell a successor, so this may only last as long as the want does.
    return exists(pid);
  }
}

/** The process's arguments, empty when it is gone. Readable for every user, unlike /proc/<pid>/cwd or exe. */
export function argumentsOf(pid: number): readonly string[] {
  return readOfProcess(pid, "cmdline")?.split("\0") ?? [];
}

function readOfProcess(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // ESRCH: it ended between the opening and the reading.
    if (code === "ENOENT" || code === "ESRCH") return undefined;
    throw error;
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
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
