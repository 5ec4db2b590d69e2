import { setTimeout as pause } from "node:timers/promises";
import type { Fault } from "./faults.ts";
import { checkInvariants } from "./invariants.ts";
import { startLoad } from "./load.ts";
import { quiesce } from "./quiesce.ts";
import type { Random } from "./random.ts";
import type { World } from "./world.ts";

export type Round = {
  readonly fault: string;
  readonly accepted: number;
  readonly seconds: number;
  readonly restSeconds: number;
  /** What faults told of what they measured. */
  readonly notes: readonly string[];
  readonly violations: readonly string[];
};

const beforeMs = 700;
const afterMs = 700;

/** Load, the faults in turn, rest, and what does not hold then. */
export async function runRound(
  world: World,
  faults: readonly Fault[],
  random: Random,
  ratePerSecond: number,
): Promise<Round> {
  const startedAt = performance.now();
  const seconds = (): number => Math.round((performance.now() - startedAt) / 100) / 10;
  const violations: string[] = [];
  const notes: string[] = [];
  const load = startLoad(world.tenants, world.journal, {
    random: random.fork(`load ${world.journal.sends.length}`),
    callers: 12,
    ratePerSecond,
    baseUrl: () => world.instance.baseUrl,
  });
  for (const fault of faults) {
    await pause(beforeMs);
    await fault.run(world, random).then(
      (note) => note !== undefined && notes.push(note),
      (error: Error) => violations.push(`${fault.name}: ${error.message}`),
    );
    await pause(afterMs);
  }
  let restSeconds = 0;
  try {
    await withDeadline(
      load.finish(),
      60_000,
      "the load does not end: some sends never get an answer",
    );
    const finishedAt = performance.now();
    await quiesce(world);
    restSeconds = Math.round((performance.now() - finishedAt) / 100) / 10;
    violations.push(...(await checkInvariants(world)));
  } catch (error) {
    violations.push(error instanceof Error ? error.message : String(error));
  }
  return {
    fault: faults.map(({ name }) => name).join(", then "),
    accepted: load.accepted,
    seconds: seconds(),
    restSeconds,
    notes,
    violations,
  };
}

async function withDeadline(work: Promise<void>, timeoutMs: number, what: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>(
    (_, reject) => (timer = setTimeout(() => reject(new Error(what)), timeoutMs)),
  );
  await Promise.race([work, late]).finally(() => clearTimeout(timer));
}
