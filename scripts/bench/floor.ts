import { setTimeout as sleep } from "node:timers/promises";
import { acceptRows } from "./accept.ts";
import { floorRows, lowRates, type Ledger, type Pace, type Spent } from "./floor-rows.ts";
import {
  bodiesOf,
  openBare,
  openProduct,
  openSink,
  post,
  subscribe,
  withEnds,
  type Bodies,
  type Sink,
  type Subject,
} from "./floor-subjects.ts";
import { acceptTimes, headOf } from "./messages.ts";
import type { Row } from "./row.ts";

const rounds = 2;
const warmUpMs = 6_000;
/** Until as many messages end as begin, and backends tell of their commits once a second. */
const settleMs = 1_500;
const windowMs = 4_000;
/** Few messages come of a low rate. */
const slowWindowMs = 5_000;
const longestDrainMs = 30_000;

/**
 * A message's whole life with two webhooks against a bare prototype of it: as fast as 64 connections post, at half of that and at low rates; and the accept alone. Both run all the time, each
 * with a PostgreSQL of its own, and take turns in short slices.
 */
export async function benchFloor(): Promise<Row[]> {
  const { bodies, product, bare } = await life();
  return [...floorRows(product, bare), ...(await acceptRows(bodies))];
}

async function life(): Promise<{ bodies: Bodies; product: Ledger; bare: Ledger }> {
  return withEnds(async (ends) => {
    const sink = await openSink(ends);
    const product = await openProduct(ends, {});
    await subscribe(product, `${sink.url}/hook`);
    const bodies = await bodiesOf(product, sink);
    const bare = await openBare(ends, { ...bodies, hook: `${sink.url}/hook` });
    const subjects = [product, bare];
    for (const subject of subjects) await slice(subject, sink, undefined, warmUpMs);
    for (let round = 0; round < rounds; round++)
      for (const pace of ["saturated", ...lowRates, "half"] as const)
        for (const subject of subjects) await measure(subject, sink, pace);
    return { bodies, product: product.ledger, bare: bare.ledger };
  });
}

async function measure(subject: Subject, sink: Sink, pace: Pace): Promise<void> {
  const { ledger } = subject;
  const saturated = ledger.get("saturated");
  const rate =
    pace === "saturated"
      ? undefined
      : pace === "half"
        ? saturated!.messages / saturated!.seconds / 2
        : pace;
  const window = pace === "saturated" || pace === "half" ? windowMs : slowWindowMs;
  const told = await slice(subject, sink, rate, window);
  const known = ledger.get(pace);
  if (known === undefined) return void ledger.set(pace, told);
  for (const figure of [
    "messages",
    "seconds",
    "cpuMs",
    "transactions",
    "commits",
    "fsyncs",
  ] as const)
    known[figure] += told[figure];
  known.toSent.push(...told.toSent);
  known.toWebhook.push(...told.toWebhook);
}

/** Posts at a rate; what a window in the middle of it cost, when as many messages end as begin. Waits until everything has arrived. */
async function slice(
  subject: Subject,
  sink: Sink,
  rate: number | undefined,
  window: number,
): Promise<Spent> {
  await sink.reset();
  const answered = new Map<string, number>();
  const posting = post(subject, {
    durationMs: settleMs + window,
    rate,
    answered(answer) {
      const id = /msg_\w+/.exec(answer)?.[0];
      if (id !== undefined) answered.set(id, Date.now());
    },
  });
  await sleep(settleMs);
  const [from, before] = [await headOf(subject.database), await counts(subject, sink)];
  await sleep(window - 100);
  const after = await counts(subject, sink);
  const { answers } = await posting;
  const start = performance.now();
  while ((await sink.received()) < answers * 2) {
    if (performance.now() - start > longestDrainMs)
      throw new Error(`${await sink.received()} of ${answers * 2} webhooks arrived`);
    await sleep(20);
  }
  const toWebhook = (await sink.reset()).map(([id, at]) => at - (answered.get(id) ?? at));
  return {
    messages: (after.webhooks - before.webhooks) / 2,
    seconds: (after.at - before.at) / 1_000,
    cpuMs: after.cpuMs - before.cpuMs,
    transactions: after.transactions - before.transactions,
    commits: after.commits - before.commits,
    fsyncs: after.fsyncs - before.fsyncs,
    toSent: await acceptTimes(subject.database, from),
    toWebhook,
  };
}

/** A transaction that writes takes a number of the whole server, seen at once; the other counters come a second late, in a steady state by the same at both ends. */
async function counts({ cpu, database }: Subject, sink: Sink) {
  const { rows } = await database.query(
    `select (select sum(xact_commit) from pg_stat_database)::float8 as transactions, pg_snapshot_xmax(pg_current_snapshot())::text::float8 as commits,
       (select sum(fsyncs) from pg_stat_io where object = 'wal')::float8 as fsyncs`,
  );
  const { transactions, commits, fsyncs } = rows[0] as Record<string, number>;
  const webhooks = await sink.received();
  return {
    transactions: transactions!,
    commits: commits!,
    fsyncs: fsyncs!,
    webhooks,
    cpuMs: cpu(),
    at: performance.now(),
  };
}
