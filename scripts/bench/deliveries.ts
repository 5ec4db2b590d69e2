import { fork } from "node:child_process";
import { createHmac } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { lifecycleBody, toLifecycle } from "@heliograph/domain";
import { Pool } from "undici";
import { cpuMs, postmasterOf } from "./cpu.ts";
import { stopChild } from "./instance.ts";
import { limitRow, ratioRow, type Row } from "./row.ts";
import {
  appendAll,
  eventOf,
  openWebhookWorld,
  secret,
  type WebhookWorld,
} from "./webhook-world.ts";

const endpoints = 20;
const perRound = 20_000;
/** The first lets the compiler see the code, on both sides. */
const rounds = 4;
/** Of the bare loop: more connections brought it nothing. */
const bareConnections = 64;
const pacedSeconds = 10;
const roundMs = 10;

type Delivered = { readonly body: string; readonly id: string };
type Measured = { readonly rate: number; readonly cpu: number; readonly postgres: number };

/**
 * What the consumer of webhooks delivers in a second, each delivery on record when it is counted, and what one costs; against a loop of undici over kept connections that signs and posts
 * the very same bodies to the same receiver and records nothing. They take turns in one process. Then how long an event takes to arrive, at 100 a second and at half of what was reached.
 */
export async function benchDeliveries(databaseUrl: string): Promise<Row[]> {
  const sink = fork(new URL("sink.ts", import.meta.url));
  const port = await new Promise<number>((resolve) =>
    sink.once("message", (message) => resolve((message as { port: number }).port)),
  );
  const origin = `http://127.0.0.1:${port}`;
  const urls = Array.from({ length: endpoints }, (_, index) => `${origin}/hook/${index}`);
  const world = await openWebhookWorld(databaseUrl, "bench_deliveries", urls);
  const pool = new Pool(origin, { connections: bareConnections, pipelining: 1 });
  try {
    const postmaster = await postmasterOf(databaseUrl);
    const product: Measured[] = [];
    const bare: Measured[] = [];
    for (let round = 0; round < rounds; round++) {
      const after = await world.context.log.head();
      await fill(world);
      const delivered = await deliverAll(world, postmaster);
      const sent = await postAll(pool, await deliveredAfter(world, after));
      if (round > 0) {
        product.push(delivered);
        bare.push(sent);
      }
    }
    await requireRecords(world, rounds * perRound);
    const rate = middle(product.map((each) => each.rate));
    const rows = [
      ratioRow(
        "webhooks delivered",
        "1/s",
        rate,
        { value: middle(bare.map((each) => each.rate)), of: "a bare loop of undici" },
        0.5,
      ),
      cpuRow(product, bare),
    ];
    for (const perSecond of [100, Math.round(rate / 2)])
      rows.push(...(await paced(world, origin, perSecond)));
    return rows;
  } finally {
    await pool.close();
    await world.close();
    await stopChild(sink);
  }
}

function cpuRow(product: readonly Measured[], bare: readonly Measured[]): Row {
  const [node, postgres, loop] = [
    middle(product.map((each) => each.cpu)),
    middle(product.map((each) => each.postgres)),
    middle(bare.map((each) => each.cpu)),
  ];
  return limitRow(
    "CPU of a delivery",
    "ms",
    round3(node + postgres),
    undefined,
    `Node ${round3(node)} + PostgreSQL ${round3(postgres)}; the bare loop ${round3(loop)}`,
  );
}

const round3 = (value: number): number => Math.round(value * 1000) / 1000;
const middle = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)]!;

async function fill({ context, partners }: WebhookWorld): Promise<void> {
  for (let done = 0; done < perRound; done += 1_000)
    await appendAll(
      context.log,
      Array.from({ length: 1_000 }, (_, index) => eventOf(partners[index % endpoints]!)),
    );
}

/** The checkpoint passes an event once its delivery is on record. */
async function deliverAll(world: WebhookWorld, postmaster: number): Promise<Measured> {
  const head = await world.context.log.head();
  const before = { cpu: process.cpuUsage(), postgres: cpuMs(postmaster), at: performance.now() };
  const consumer = await world.start();
  await consumer.reached(head);
  const ms = performance.now() - before.at;
  const { user, system } = process.cpuUsage(before.cpu);
  const postgres = cpuMs(postmaster) - before.postgres;
  await consumer.stop();
  return {
    rate: (perRound * 1_000) / ms,
    cpu: (user + system) / 1_000 / perRound,
    postgres: postgres / perRound,
  };
}

async function requireRecords({ context }: WebhookWorld, count: number): Promise<void> {
  const { rows } = await context.pool.query<{ count: number }>(
    "select count(*)::int as count from webhooks.deliveries where status = 'delivered'",
  );
  if (rows[0]!.count !== count) throw new Error(`${rows[0]!.count} of ${count} are on record`);
}

async function deliveredAfter({ context }: WebhookWorld, after: bigint): Promise<Delivered[]> {
  const all: Delivered[] = [];
  for (let from = after; ;) {
    const page = await context.log.readAll({ after: from, limit: 2_000 });
    if (page.events.length === 0) return all;
    for (const event of page.events) {
      const lifecycle = toLifecycle(event, "sandbox");
      if (lifecycle !== undefined)
        all.push({ id: lifecycle.id, body: lifecycleBody(lifecycle, all.length + 1) });
    }
    from = page.position;
  }
}

async function postAll(pool: Pool, all: readonly Delivered[]): Promise<Measured> {
  const key = Buffer.from(secret.slice(6), "base64");
  const [cpu, at] = [process.cpuUsage(), performance.now()];
  let next = 0;
  const post = async (): Promise<void> => {
    for (let item = all[next++]; item !== undefined; item = all[next++]) {
      const seconds = Math.floor(Date.now() / 1000);
      const signature = createHmac("sha256", key)
        .update(`${item.id}.${seconds}.${item.body}`)
        .digest("base64");
      const answer = await pool.request({
        method: "POST",
        path: "/hook",
        headers: {
          "content-type": "application/json",
          "user-agent": "bare",
          "webhook-id": item.id,
          "webhook-timestamp": String(seconds),
          "webhook-signature": `v1,${signature}`,
        },
        body: item.body,
      });
      await answer.body.dump();
    }
  };
  await Promise.all(Array.from({ length: bareConnections }, post));
  const { user, system } = process.cpuUsage(cpu);
  return {
    rate: (all.length * 1_000) / (performance.now() - at),
    cpu: (user + system) / 1_000 / all.length,
    postgres: 0,
  };
}

async function paced(world: WebhookWorld, origin: string, perSecond: number): Promise<Row[]> {
  const { context, partners } = world;
  const { log } = context;
  const consumer = await world.start();
  // It stands: what it takes to begin is no delay of a delivery.
  await appendAll(log, [eventOf(partners[0]!)]);
  await consumer.reached(await log.head());
  await fetch(`${origin}/reset`);
  const start = performance.now();
  const appends: Promise<unknown>[] = [];
  for (let sent = 0; performance.now() - start < pacedSeconds * 1_000; await pause(roundMs)) {
    const due = Math.floor(((performance.now() - start) * perSecond) / 1_000);
    const events = Array.from({ length: due - sent }, (_, index) =>
      eventOf(partners[(sent + index) % endpoints]!),
    );
    sent = due;
    if (events.length > 0) appends.push(appendAll(log, events));
  }
  await Promise.all(appends);
  await consumer.reached(await log.head());
  await consumer.stop();
  const seen = (await (await fetch(origin)).json()) as { p50Ms: number; p99Ms: number };
  const at = `event → arrival at ${perSecond}/s`;
  return [
    limitRow(`${at}, p50`, "ms", seen.p50Ms, 5, "event timestamp to arrival"),
    limitRow(`${at}, p99`, "ms", seen.p99Ms, 50, ""),
  ];
}
