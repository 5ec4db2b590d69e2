import { fork, type ChildProcess } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { stopChild } from "./instance.ts";
import type { Row } from "./row.ts";
import { appendAll, eventOf, openWebhookWorld } from "./webhook-world.ts";

/** An even number, half of them in either order. */
const pairs = 4;
/** Of the twenty, the last five turn bad. */
const bystanders = 15;
/** Of each endpoint; 500 of all of them. */
const eventsPerSecond = 25;
const roundMs = 10;
/** Until connections are open and code is compiled. */
const warmUpMs = 5_000;
const measuredMs = 20_000;
const mostRatio = 1.2;

/**
 * What five endpoints that are gone, mute, dripping or slow do to fifteen others: the time from the append to the arrival there, while the five have no events, so that none of their work is in the
 * base, and while they have theirs, from the moment on at which they turn bad. Four pairs, by turns one or the other first, each half in a world of its own; of the two in the middle the worse one counts.
 */
export async function benchIsolation(databaseUrl: string): Promise<Row[]> {
  const all: Pair[] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const half = (isBad: boolean) =>
      measure(databaseUrl, `bench_isolation_${pair}_${isBad}`, isBad);
    const isBadFirst = pair % 2 === 1;
    const [first, second] = [await half(isBadFirst), await half(!isBadFirst)];
    all.push(isBadFirst ? { well: second, bad: first } : { well: first, bad: second });
  }
  const sorted = all.toSorted((left, right) => left.bad / left.well - right.bad / right.well);
  const { well, bad } = sorted[pairs / 2]!;
  const ratio = bad / well;
  return [
    {
      figure: "p95 of 15 endpoints beside 5 that are gone, mute, dripping or slow",
      value: Number(bad.toFixed(1)),
      unit: "ms",
      baseline: Number(well.toFixed(1)),
      ratio: Number(ratio.toFixed(2)),
      goal: `≤ ${mostRatio} × the 15 alone`,
      met: ratio <= mostRatio,
      note: `pairs: ${sorted.map((each) => `${each.well.toFixed(1)} → ${each.bad.toFixed(1)}`).join(", ")} ms`,
    },
  ];
}

type Pair = { readonly well: number; readonly bad: number };

const heard = <T>(child: ChildProcess): Promise<T> =>
  new Promise((resolve) => child.once("message", (message) => resolve(message as T)));

/** The 95th percentile of the fifteen, ms. */
async function measure(databaseUrl: string, name: string, isBad: boolean): Promise<number> {
  const receivers = fork(new URL("isolation-receivers.ts", import.meta.url));
  const { ports } = await heard<{ ports: number[] }>(receivers);
  const urls = ports.map((port) => `http://127.0.0.1:${port}/`);
  const world = await openWebhookWorld(databaseUrl, name, urls);
  const told = isBad ? world.partners : world.partners.slice(0, bystanders);
  const { log } = world.context;
  const consumer = await world.start();
  const take = async (): Promise<number[]> => {
    receivers.send("take");
    return (await heard<{ delays: number[] }>(receivers)).delays;
  };
  const load = async (forMs: number): Promise<void> => {
    const start = performance.now();
    const appends: Promise<unknown>[] = [];
    for (let sent = 0; performance.now() - start < forMs; await pause(roundMs)) {
      const perSecond = eventsPerSecond * told.length;
      const due = Math.floor(((performance.now() - start) * perSecond) / 1_000);
      const at = performance.timeOrigin + performance.now();
      const events = Array.from({ length: due - sent }, (_, index) =>
        eventOf(told[(sent + index) % told.length]!, at),
      );
      sent = due;
      if (events.length > 0) appends.push(appendAll(log, events));
    }
    await Promise.all(appends);
    await consumer.reached(await log.head());
  };
  try {
    await load(warmUpMs);
    await take();
    if (isBad) receivers.send("bad");
    await load(measuredMs);
    return p95(await take());
  } finally {
    await consumer.stop();
    await world.close();
    await stopChild(receivers);
  }
}

const p95 = (delays: readonly number[]): number =>
  delays.toSorted((left, right) => left - right)[Math.floor(delays.length * 0.95)]!;
