import { fork } from "node:child_process";
import { setTimeout as pause } from "node:timers/promises";
import { newId } from "@heliograph/contracts";
import { lifecycleBody, toLifecycle } from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import { prepareConsumer } from "@heliograph/runtime";
import { webhooksReactor } from "../../services/webhooks/src/index.ts";
import pg from "pg";
import { stopChild } from "./instance.ts";
import { limitRow, type Row } from "./row.ts";
import { appendAll, eventOf, openWebhookWorld, type WebhookWorld } from "./webhook-world.ts";

const endpoints = 100;
const rowsAtOnce = 50_000;
const measuredMs = 20_000;
const megabyte = 1_048_576;
/** What a process may grow by beside them: queues of every endpoint, code that was compiled. A million rows of 600 bytes would be 600 MB. */
const mostGrowthMb = 150;

/**
 * A process that takes over HELIOGRAPH_BENCH_WAITING deliveries (default 1,000,000), written to the table by SQL: first all of them due hours later, then all of them due now. How long it takes
 * until the first is sent, how many follow in a second, what that does to an event of another endpoint, and how much memory it takes.
 */
export async function benchWaiting(databaseUrl: string): Promise<Row[]> {
  const count = Number(process.env["HELIOGRAPH_BENCH_WAITING"] ?? 1_000_000);
  const sink = fork(new URL("sink.ts", import.meta.url));
  const port = await new Promise<number>((resolve) =>
    sink.once("message", (message) => resolve((message as { port: number }).port)),
  );
  const origin = `http://127.0.0.1:${port}`;
  const urls = Array.from({ length: endpoints + 1 }, () => `${origin}/`);
  const world = await openWebhookWorld(databaseUrl, "bench_waiting", urls);
  const { pool } = world.context;
  try {
    await prepareConsumer(pool, webhooksReactor());
    await fillTable(world, count);
    const later = await resting(world, origin);
    await makeDue(world);
    const due = await draining(world, origin);
    const of = `${count} deliveries`;
    return [
      limitRow(
        `start with ${of} due later, until another's is sent`,
        "ms",
        later.firstMs,
        2_000,
        "",
      ),
      limitRow(
        `memory grown in 20 s with ${of} due later`,
        "MB",
        later.grownMb,
        mostGrowthMb,
        later.note,
      ),
      limitRow(`start with ${of} due now, until the first is sent`, "ms", due.firstMs, 2_000, ""),
      limitRow("of those sent", "1/s", due.perSecond, undefined, ""),
      limitRow(`memory grown in 20 s of sending them`, "MB", due.grownMb, mostGrowthMb, due.note),
    ];
  } finally {
    await world.close();
    await stopChild(sink);
  }
}

async function fillTable(
  { context, partners, endpoints: ids }: WebhookWorld,
  count: number,
): Promise<void> {
  const { log, pool } = context;
  await appendAll(log, [eventOf(partners[0]!)]);
  const event = (await log.readAt(await log.head())) as RecordedEvent;
  const body = lifecycleBody(toLifecycle(event, "sandbox")!, 1);
  const hour = 3_600_000;
  const attempt = { at: new Date().toISOString(), status_code: 503, duration_ms: 12 };
  for (let done = 0; done < count; done += rowsAtOnce) {
    const size = Math.min(rowsAtOnce, count - done);
    const numbers = Array.from({ length: size }, (_, index) => done + index);
    await pool.query(
      `insert into webhooks.deliveries (id, endpoint_id, partner, event_id, type, position, sequence, status, attempts, next_attempt_at, body, created_at, tries)
       select i, e, p, v, 'message.canceled', 1, n, 'pending', $6, $7 + n, $8, $9, 1
       from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[]) as u(i, e, p, v, n)`,
      [
        numbers.map(() => newId("whd")),
        numbers.map((number) => ids[1 + (number % endpoints)]),
        numbers.map((number) => partners[1 + (number % endpoints)]),
        numbers.map(() => newId("evt")),
        numbers,
        JSON.stringify([attempt]),
        Date.now() + 5 * hour,
        body,
        Date.now(),
      ],
    );
  }
  await pool.query("vacuum analyze webhooks.deliveries");
}

/** On a connection of its own, whose statements may take minutes. */
async function makeDue({ context }: WebhookWorld): Promise<void> {
  const client = new pg.Client(context.connection);
  await client.connect();
  await client.query(`update webhooks.deliveries set next_attempt_at = ${Date.now()}`);
  await client.query("vacuum analyze webhooks.deliveries");
  await client.end();
}

type Seen = { readonly received: number; readonly firstAt: number };
const seenBy = async (origin: string): Promise<Seen> =>
  (await (await fetch(origin)).json()) as Seen;

const rss = (): number => {
  globalThis.gc?.();
  return process.memoryUsage().rss;
};

/** Memory every half a second: the most of it counts. */
async function mostRss(forMs: number): Promise<number> {
  let most = 0;
  for (const end = performance.now() + forMs; performance.now() < end; await pause(500))
    most = Math.max(most, process.memoryUsage().rss);
  return most;
}

const memoryOf = (before: number, most: number) => ({
  grownMb: Math.max(0, Math.round((most - before) / megabyte)),
  note: `${Math.round(before / megabyte)} → at most ${Math.round(most / megabyte)} MB`,
});

/** All wait: the process takes up an event of the endpoint that has none of them. */
async function resting(world: WebhookWorld, origin: string) {
  const { log } = world.context;
  await fetch(`${origin}/reset`);
  const before = rss();
  const startedAt = Date.now();
  const consumer = await world.start();
  await appendAll(log, [eventOf(world.partners[0]!)]);
  await consumer.reached(await log.head());
  const { firstAt } = await seenBy(origin);
  const most = await mostRss(measuredMs);
  await consumer.stop();
  return { firstMs: firstAt - startedAt, ...memoryOf(before, most) };
}

async function draining(world: WebhookWorld, origin: string) {
  await fetch(`${origin}/reset`);
  const before = rss();
  const startedAt = Date.now();
  const consumer = await world.start();
  const most = await mostRss(measuredMs);
  const { received, firstAt } = await seenBy(origin);
  await consumer.stop();
  return {
    firstMs: firstAt - startedAt,
    perSecond: Math.round(received / (measuredMs / 1_000)),
    ...memoryOf(before, most),
  };
}
