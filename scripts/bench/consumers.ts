import { deterministicId, streamOf, uuid5, uuid7, type EventData } from "@heliograph/contracts";
import { service as delivery } from "@heliograph/delivery";
import { openPostgresLog, type Append, type EventLog } from "@heliograph/log";
import { service as lifecycle } from "../../services/lifecycle/src/index.ts";
import {
  prepareConsumer,
  rebuildProjector,
  rebuildTogether,
  runConsumer,
  type Projector,
  type ServiceContext,
} from "@heliograph/runtime";
import { service as usage } from "../../services/usage/src/index.ts";
import pg from "pg";
import { openBenchEnvironment } from "./environment.ts";
import { limitRow, ratioRow, type Row } from "./row.ts";

const messages = 25_000;

/** How fast the message read model is projected and rebuilt, against reading the same events raw. */
export async function benchConsumers(databaseUrl: string): Promise<Row[]> {
  const { context, close } = await openBenchEnvironment(databaseUrl, "bench_consumers");
  const { log, pool, connection } = context;
  try {
    await fill(log);
    await pool.query("vacuum analyze log.events");
    const events = Number(await log.head());
    const projector = delivery.consumers!(context).find(
      (consumer): consumer is Projector => consumer.kind === "projector",
    )!;
    // A fresh log instance: what was just appended must be read, not handed over from memory.
    const reader = await openPostgresLog({ connection, namespace: "bench" });
    const rawBefore = await rawRead(connection);
    const start = performance.now();
    const consumer = await runConsumer(projector, { ...context, log: reader });
    await consumer.caughtUp(BigInt(events));
    const projected = (events * 1000) / (performance.now() - start);
    const rawAfter = await rawRead(connection);
    const memoryBefore = process.memoryUsage().rss;
    const rebuilt = await rebuildProjector({ ...context, log: reader }, projector, {
      verifyOnly: true,
      signal: AbortSignal.timeout(300_000),
    });
    const grown = (process.memoryUsage().rss - memoryBefore) / 2 ** 20;
    if (rebuilt.equal !== true)
      throw new Error(`the rebuilt read model differs: ${rebuilt.differs?.join(", ")}`);
    await consumer.stop();
    const together = await rebuildSeveral({ ...context, log: reader });
    await reader.close();
    const raw = { value: (rawBefore + rawAfter) / 2, of: "a raw read of the same events" };
    return [
      ratioRow("consumer: read, project, checkpoint", "events/s", projected, raw, 0.4),
      ratioRow(
        "rebuild of the message read model, verified",
        "events/s",
        events / rebuilt.seconds,
        raw,
        0.5,
      ),
      ratioRow(
        `rebuild of ${together.projectors} read models at once, events of all`,
        "events/s",
        together.rate,
        raw,
        0.5,
      ),
      limitRow("rebuild: memory grown", "MB", Math.round(grown), 150, `${events} events`),
    ];
  } finally {
    await close();
  }
}

/** Everything that messages make rows of but wallets, whose events these are not: how many events all of them together were given in a second. */
async function rebuildSeveral(
  context: ServiceContext,
): Promise<{ readonly projectors: number; readonly rate: number }> {
  const projectors = [delivery, lifecycle, usage]
    .flatMap((service) => service.consumers!(context))
    .filter((consumer): consumer is Projector => consumer.kind === "projector");
  const head = await context.log.head();
  for (const projector of projectors) {
    await prepareConsumer(context.pool, projector);
    await context.pool.query(`update "${projector.schema}".checkpoint set position = $1`, [head]);
  }
  const started = performance.now();
  const results = await rebuildTogether(context, projectors, (projector, together) =>
    rebuildProjector(together.context, projector, {
      verifyOnly: false,
      inTurn: together.inTurn,
      signal: AbortSignal.timeout(300_000),
    }),
  );
  const seconds = (performance.now() - started) / 1_000;
  let events = 0;
  for (const result of results) {
    if (result.status === "rejected") throw result.reason;
    events += result.value.events;
  }
  return { projectors: projectors.length, rate: events / seconds };
}

/** Events a second of plain batched selects, nothing parsed. */
async function rawRead(connection: pg.ClientConfig): Promise<number> {
  const client = new pg.Client(connection);
  await client.connect();
  const start = performance.now();
  let after = 0n;
  let count = 0;
  for (;;) {
    const { rows } = await client.query({
      name: "raw",
      rowMode: "array",
      values: [after],
      text: "select position, stream, revision, id, type, version, recorded_at, data, metadata from log.events where position > $1 order by position limit 500",
    });
    if (rows.length === 0) break;
    count += rows.length;
    after = BigInt(rows.at(-1)![0] as string);
  }
  const seconds = (performance.now() - start) / 1000;
  await client.end();
  return count / seconds;
}

async function fill(log: EventLog): Promise<void> {
  const partner = deterministicId("ptn", "bench");
  for (let first = 0; first < messages; first += 125)
    await log.append(Array.from({ length: 125 }, (_, index) => life(partner, first + index)));
}

/** All events of the n-th message of a partner. */
export function life(partner: string, n: number): Append {
  const id = deterministicId("msg", "bench", partner, String(n));
  const message = { channel: "sms" as const, to: `+1555${String(n).padStart(7, "0")}` };
  const requested: EventData<"MessageRequested"> = {
    message_id: id,
    ...message,
    content: { text: "Your parcel arrives today between 14:00 and 16:00." },
    category: "transactional",
    priority: 1,
    expires_at: "2026-01-02T00:00:00Z",
    cost: "0.0079",
    currency: "USD",
    price: { list: "default", version: 1, country: "US", per_segment: "0.0079" },
    segments: { count: 1, encoding: "GSM-7", characters: 50 },
    created_at: "2026-01-01T00:00:00Z",
  };
  const sent: EventData<"MessageSent"> = {
    message_id: id,
    message,
    attempt: 1,
    attempt_id: deterministicId("atp", id),
    gateway: "sim-sms",
    gateway_kind: "simulator",
    choice: { reason: "the only gateway" },
    provider: { name: "simulator", message_id: `sim-${n}`, status: "accepted" },
    cost: "0.0079",
    currency: "USD",
  };
  const delivered: EventData<"MessageDelivered"> = {
    message_id: id,
    message,
    gateway: "sim-sms",
    provider_message_id: `sim-${n}`,
    at: "2026-01-01T00:00:01Z",
  };
  const metadata = { partner, actor: "bench", correlation: id, request_id: uuid7() };
  return {
    stream: streamOf("message", id),
    expected: "no_stream",
    events: [
      { id: uuid5(id, "MessageRequested"), type: "MessageRequested", data: requested, metadata },
      { id: uuid5(id, "MessageSent"), type: "MessageSent", data: sent, metadata },
      { id: uuid5(id, "MessageDelivered"), type: "MessageDelivered", data: delivered, metadata },
    ],
  };
}
