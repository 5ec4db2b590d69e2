import { tmpdir } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import { shortEventStoreFaults } from "../faults/eventstore-faults.ts";
import { killFaults, type Fault } from "../faults/faults.ts";
import { checkInvariants } from "../faults/invariants.ts";
import { killBroker } from "../faults/kafka-faults.ts";
import { startLoad } from "../faults/load.ts";
import { quiesce } from "../faults/quiesce.ts";
import type { Random } from "../faults/random.ts";
import { openWorld, type World } from "../faults/world.ts";
import { openBulk, type Bulk } from "./bulk.ts";
import { growth, livesOf, sample, type Sample } from "./samples.ts";

type Options = {
  readonly minutes: number;
  /** Of what the machine can do, which is measured first where no `rate` is given. */
  readonly load: number;
  /** Messages a second. */
  readonly rate: number | undefined;
  readonly log: "postgres" | "eventstoredb";
  readonly feed: "log" | "kafka";
  readonly random: Random;
};
type Print = (line: string) => void;

const calibrationMs = 20_000;
const callers = 48;
const sampleMs = 2_000;
const reportMs = 30_000;
/** Of the partners whose every message is compared, in both environments: enough to meet each fault, few enough to be kept. */
const watchedPerSecond = 4;
/** After a fault it is well again when the consumers are no further behind than this at the rate that comes in. */
const wellSeconds = 3;
const restMs = 600_000;
/** A start on a machine on which much else goes on. One that is given up would leave a run of an hour without the product. */
const startMs = 300_000;

/** Gives a sentence for everything that grew or does not agree. */
export async function soak(options: Options, print: Print): Promise<readonly string[]> {
  const { log, feed, random } = options;
  // On a disk: what a machine's memory holds would be counted as its own.
  const world = await openWorld(random, { log, feed, folder: tmpdir(), readyTimeoutMs: startMs });
  try {
    const bulk = await openBulk(world);
    try {
      return await run(world, bulk, options, print);
    } finally {
      await bulk.close();
    }
  } finally {
    await world.close();
  }
}

async function run(
  world: World,
  bulk: Bulk,
  options: Options,
  print: Print,
): Promise<readonly string[]> {
  const { minutes, random } = options;
  const rate = options.rate ?? (await shareOfCapacity(world, bulk, options.load, print));
  const watched = startLoad(world.tenants, world.journal, {
    random: random.fork("watched"),
    callers: 4,
    ratePerSecond: watchedPerSecond,
    baseUrl: () => world.instance.baseUrl,
  });
  const bulkLoad = bulk.run(callers, rate);
  const samples: Sample[] = [];
  const wrong: string[] = [];
  const startedAt = performance.now();
  const seconds = (): number => (performance.now() - startedAt) / 1000;
  const end = minutes * 60;
  const faults = faultsOf(options);
  const sampling = sampleUntil(() => seconds() >= end, world, bulk, { samples, seconds, print });
  // Lives must be long enough to tell growth, and the last is not cut short.
  const nextFault = (): number => seconds() + end * (0.08 + 0.12 * random.next());
  for (let at = nextFault(); at < end * 0.85; at = nextFault()) {
    await pause((at - seconds()) * 1000);
    const felt = await provoke(world, random.pick(faults), rate, random);
    print(`${Math.round(seconds())} s  ${felt.text}`);
    wrong.push(...felt.wrong);
  }
  await sampling;
  await Promise.all([bulkLoad.stop(), watched.finish()]);
  await quiesce(world, restMs);
  print(
    `${bulk.accepted + watched.accepted} accepted, at rest after ${Math.round(seconds() - end)} s`,
  );
  const lives = livesOf(samples);
  for (const { fromSeconds, seconds: long, figures } of lives)
    print(
      `life from ${Math.round(fromSeconds)} s, ${Math.round(long)} s: ${Object.entries(figures)
        .map(([name, { first, middle, last }]) => `${name} ${first}, ${middle}, ${last}`)
        .join(", ")}`,
    );
  if (lives.length === 0) wrong.push("no process lived for long enough to tell growth");
  wrong.push(...growth(lives, rate * 10 * wellSeconds));
  wrong.push(...(await bulk.check()));
  wrong.push(...(await checkInvariants(world, { but: bulk.partner })));
  return wrong;
}

const faultsOf = ({ log, feed }: Options): readonly Fault[] => [
  ...killFaults,
  ...(feed === "kafka" ? [killBroker] : []),
  ...(log === "eventstoredb" ? shortEventStoreFaults : []),
];

async function shareOfCapacity(
  world: World,
  bulk: Bulk,
  load: number,
  print: Print,
): Promise<number> {
  const capacity = await measureCapacity(world, bulk);
  const rate = Math.max(5, Math.round(capacity * load));
  print(`this machine carries ${Math.round(capacity)} messages/s; load ${rate}/s`);
  return rate;
}

/** Messages a second from the first call to the last delivery, accepted as fast as can be: what comes in faster only waits. */
async function measureCapacity(world: World, bulk: Bulk): Promise<number> {
  const warm = bulk.run(callers);
  await pause(calibrationMs / 4);
  await warm.stop();
  await quiesce(world, restMs);
  const [before, startedAt] = [bulk.accepted, performance.now()];
  const load = bulk.run(callers);
  await pause(calibrationMs);
  await load.stop();
  await quiesce(world, restMs);
  bulk.takeTimes();
  // Rest is noticed later than it begins, which makes the figure a little too low.
  return ((bulk.accepted - before) * 1000) / (performance.now() - startedAt);
}

async function sampleUntil(
  ended: () => boolean,
  world: World,
  bulk: Bulk,
  {
    samples,
    seconds,
    print,
  }: { readonly samples: Sample[]; readonly seconds: () => number; readonly print: Print },
): Promise<void> {
  let reportedAt = performance.now();
  while (!ended()) {
    await pause(sampleMs);
    const taken = await sample(world, seconds());
    if (taken !== undefined) samples.push(taken);
    if (performance.now() - reportedAt < reportMs) continue;
    reportedAt = performance.now();
    const times = bulk.takeTimes().toSorted((left, right) => left - right);
    const at = (share: number) => Math.round(times[Math.floor(times.length * share)] ?? 0);
    print(
      `${Math.round(seconds())} s  ${bulk.accepted} accepted; answers p50 ${at(0.5)} ms, p99 ${at(0.99)} ms; ${
        taken === undefined
          ? "not ready"
          : `${taken.rssMb} MB, ${taken.descriptors} descriptors, ${taken.sessions} processes of PostgreSQL, ${taken.lagEvents} events behind`
      }`,
    );
  }
}

/** The fault, and for how long it was felt: until the consumers have caught up. */
async function provoke(
  world: World,
  fault: Fault,
  rate: number,
  random: Random,
): Promise<{ readonly text: string; readonly wrong: readonly string[] }> {
  const startedAt = performance.now();
  const since = (): string => ((performance.now() - startedAt) / 1000).toFixed(1);
  const wrong: string[] = [];
  await fault
    .run(world, random)
    .catch((error: Error) => wrong.push(`${fault.name}: ${error.message}`));
  const up = since();
  for (;;) {
    const now = await sample(world, 0);
    // A message makes about ten events.
    if (now !== undefined && now.lagEvents <= rate * 10 * wellSeconds) break;
    if (performance.now() - startedAt > restMs) {
      wrong.push(`${fault.name}: the consumers did not catch up within ${restMs / 1000} s`);
      break;
    }
    await pause(250);
  }
  return { text: `${fault.name}: up again after ${up} s, caught up after ${since()} s`, wrong };
}
