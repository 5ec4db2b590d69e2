import { readFileSync } from "node:fs";

declare module "vitest" {
  interface TaskMeta {
    /** What a test file took of the processors, with the processes that it started; without the servers that all files share. */
    processorMs?: number;
  }
}

/** The kernel tells it in hundredths of a second, whatever it counts in itself. */
const tickMs = 10;

/** Where the times of a process stand in its line, counted from its state: its own in user mode and in the kernel, then those of its children that it has waited for, and of theirs. */
const [first, last] = [11, 14];

/** What this process and its children that have ended have taken of the processors so far. */
export function processorMs(): number {
  const stat = readFileSync("/proc/self/stat", "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = fields.slice(first, last + 1).map(Number);
  return ticks.reduce((sum, each) => sum + each, 0) * tickMs;
}

let told = 0;

/** What was taken since this was last asked, or since the process started. */
export function processorMsSinceLast(): number {
  const before = told;
  told = processorMs();
  return told - before;
}
