import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { randomUUID } from "node:crypto";
import { EventStoreDBClient, START, jsonEvent, streamNameFilter } from "@eventstore/db-client";
import { openEventStoreLog, type EventLog } from "@heliograph/log";
import { eventStoreDouble } from "@heliograph/testkit/eventstore";
import { printRows, ratioRow, type Row } from "./row.ts";

/** Driver and bare client take turns in slices this long, so that a busy moment of the machine hits both alike. */
const sliceMs = 400;
const rounds = 4;
const eventsToRead = 10_000;
const readRounds = 3;

// 330 bytes of payload and 150 of metadata: an ordinary message.
const data = {
  to: "+41791234567",
  from: "Heliograph",
  channel: "sms",
  text: "Your parcel arrives today between 14:00 and 16:00. Track it: https://example.com/t/8f3k2 ".padEnd(
    220,
    ".",
  ),
  price: { currency: "EUR", micros: 79_000 },
};
const metadata = {
  partner: "ptn_0123456789ABCDEFGHJKMNPQRS",
  actor: "key_live_2",
  request_id: randomUUID(),
  traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01`,
};

/**
 * The EventStoreDB driver against the bare client, on the same double, which runs in a process of its own: what validation, idempotent outcomes with
 * times and the feed add to an append, and what the ring adds to a subscription that starts at the beginning of 10,000 events.
 */
export async function benchEventStore(): Promise<Row[]> {
  const double = fork(fileURLToPath(import.meta.url), ["double"], { stdio: "inherit" });
  const [connectionString] = (await once(double, "message")) as [string];
  const client = EventStoreDBClient.connectionString(connectionString);
  const open = (namespace: string) => openEventStoreLog({ connectionString, namespace });
  const log = await open("bench");
  try {
    const appendOne = () => append(log, "message");
    const bareOne = () =>
      client.appendToStream(
        `bare.message-${randomUUID()}`,
        jsonEvent({ id: randomUUID(), type: "MessageRequested", data, metadata }),
        { expectedRevision: "no_stream" },
      );
    const rows = [];
    for (const callers of [64, 1024]) rows.push(await compareAppends(callers, appendOne, bareOne));
    rows.push(await compareReads(client, open));
    return rows;
  } finally {
    await log.close();
    await client.dispose();
    double.kill();
  }
}

async function compareAppends(
  callers: number,
  driver: () => Promise<unknown>,
  bare: () => Promise<unknown>,
): Promise<Row> {
  const totals = { driver: 0, bare: 0 };
  await slice(callers, driver);
  await slice(callers, bare);
  for (let round = 0; round < rounds; round++) {
    totals.driver += await slice(callers, driver);
    totals.bare += await slice(callers, bare);
  }
  const baseline = { value: totals.bare / rounds, of: "the bare client's appends in batch" };
  const figure = `eventstoredb: append, ${callers.toLocaleString("en")} callers`;
  return ratioRow(figure, "events/s", totals.driver / rounds, baseline, 0.5);
}

/** Callers in a closed loop for one slice; gives events a second. */
async function slice(callers: number, call: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  let done = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() - start < sliceMs) {
        await call();
        done++;
      }
    }),
  );
  return (done * 1_000) / (performance.now() - start);
}

async function compareReads(
  client: EventStoreDBClient,
  open: (namespace: string) => Promise<EventLog>,
): Promise<Row> {
  const namespace = `read-${randomUUID().slice(0, 8)}`;
  const log = await open(namespace);
  for (let stored = 0; stored < eventsToRead; stored += 1_000)
    await Promise.all(Array.from({ length: 10 }, () => append(log, "message", 100)));
  await log.close();
  const rates: { driver: number[]; bare: number[] } = { driver: [], bare: [] };
  for (let round = 0; round < readRounds; round++) {
    rates.driver.push(await readByDriver(open, namespace));
    rates.bare.push(await readByClient(client, namespace));
  }
  const mean = (all: readonly number[]) =>
    all.slice(1).reduce((sum, one) => sum + one, 0) / (all.length - 1);
  const baseline = { value: mean(rates.bare), of: "the bare client's filtered subscribeToAll" };
  const figure = "eventstoredb: subscribe from the start";
  return ratioRow(figure, "events/s", mean(rates.driver), baseline, 0.8);
}

async function readByDriver(
  open: (namespace: string) => Promise<EventLog>,
  namespace: string,
): Promise<number> {
  const log = await open(namespace);
  const abort = new AbortController();
  const start = performance.now();
  let seen = 0;
  for await (const batch of log.subscribe({ after: 0n, signal: abort.signal })) {
    seen += batch.events.length;
    if (seen >= eventsToRead) break;
  }
  const rate = (seen * 1_000) / (performance.now() - start);
  abort.abort();
  await log.close();
  return rate;
}

async function readByClient(client: EventStoreDBClient, namespace: string): Promise<number> {
  const start = performance.now();
  let seen = 0;
  const subscription = client.subscribeToAll({
    fromPosition: START,
    filter: streamNameFilter({ prefixes: [`${namespace}.`] }),
  });
  for await (const { event } of subscription) {
    if (event !== undefined && ++seen >= eventsToRead) break;
  }
  return (seen * 1_000) / (performance.now() - start);
}

async function append(log: EventLog, name: string, count = 1): Promise<void> {
  const events = Array.from({ length: count }, () => ({
    id: randomUUID(),
    type: "MessageRequested",
    data,
    metadata,
  }));
  const stream = `${name}-${randomUUID()}`;
  const [outcome] = await log.append([{ stream, expected: "no_stream", events }]);
  if (outcome?.kind !== "appended") throw new Error(`append came to ${JSON.stringify(outcome)}`);
}

if (import.meta.main) {
  if (process.argv[2] === "double") {
    const double = await eventStoreDouble();
    process.send!(double.connectionString);
    process.on("disconnect", () => void double.close());
  } else printRows(await benchEventStore());
}
