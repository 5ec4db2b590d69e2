import { setTimeout as sleep } from "node:timers/promises";
import { cpuMs } from "./cpu.ts";
import { subjects, type SubjectName } from "./compare-subjects.ts";

const callers = 64;
const warmUpMs = 3_000;
const windowMs = 8_000;
const settleMs = 2_000;
/** What was accepted and is never handled would be waited for in vain. */
const longestDrainMs = 120_000;

/** What one subject did in its turn. */
export type Turn = {
  readonly perSecond: number;
  readonly cpuMsEach: number;
  readonly serverCpuMsEach: number;
  /** p50 and p99 in ms. */
  readonly acceptMs: readonly [number, number];
  /** From the call until it was handled; of jobs. */
  readonly throughMs?: readonly [number, number];
  readonly rebuiltPerSecond?: number;
};

const [name, url, serverPid, jobs] = process.argv.slice(2) as [SubjectName, string, string, string];
const quantiles = (times: readonly number[]): readonly [number, number] => {
  const sorted = times.toSorted((left, right) => left - right);
  const at = (share: number) => Math.round(sorted[Math.floor(sorted.length * share)]! * 10) / 10;
  return [at(0.5), at(0.99)];
};

let handled = 0;
let through: number[] = [];
const subject = await subjects[name](url, (began) => {
  handled++;
  through.push(performance.now() - began);
});

let accepts = 0;
async function load(ms: number): Promise<readonly number[]> {
  const times: number[] = [];
  const start = performance.now();
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() - start < ms) {
        const began = performance.now();
        await subject.accept(began);
        accepts++;
        times.push(performance.now() - began);
      }
    }),
  );
  const deadline = performance.now() + longestDrainMs;
  while (jobs === "jobs" && handled < accepts) {
    if (performance.now() > deadline) throw new Error(`${accepts - handled} are not handled`);
    await sleep(5);
  }
  return times;
}

await load(warmUpMs);
through = [];
const before = { own: process.cpuUsage(), server: cpuMs(Number(serverPid)), at: performance.now() };
const times = await load(windowMs);
const seconds = (performance.now() - before.at) / 1_000;
const own = process.cpuUsage(before.own);
const server = cpuMs(Number(serverPid)) - before.server;
if (jobs === "jobs" && handled !== accepts) throw new Error(`${handled} handled of ${accepts}`);
let rebuiltPerSecond: number | undefined;
if (subject.rebuild !== undefined) {
  // Some read behind the oldest transaction that is under way.
  await sleep(settleMs);
  const start = performance.now();
  const events = await subject.rebuild();
  if (events < accepts) console.log(`${name}: rebuilt from ${events} of ${accepts} events`);
  rebuiltPerSecond = (events * 1_000) / (performance.now() - start);
}
const turn: Turn = {
  perSecond: times.length / seconds,
  cpuMsEach: (own.user + own.system) / 1_000 / times.length,
  serverCpuMsEach: server / times.length,
  acceptMs: quantiles(times),
  ...(through.length > 0 && { throughMs: quantiles(through) }),
  ...(rebuiltPerSecond !== undefined && { rebuiltPerSecond }),
};
process.send!(turn, () => void subject.close().finally(() => process.exit(0)));
