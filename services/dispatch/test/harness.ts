import {
  deterministicId,
  validateEvent,
  newId,
  streamOf,
  uuid5,
  type EventData,
} from "@heliograph/contracts";
import type { GatewayConfig } from "@heliograph/gateways";
import { openMemoryLog, openPostgresLog, type EventLog, type RecordedEvent } from "@heliograph/log";
import {
  newLogger,
  readSettings,
  runConsumer,
  type Feed,
  type RoutingRules,
  type ServiceContext,
  realClock,
} from "@heliograph/runtime";
import { directoryDouble, testDatabase, testVault, until } from "@heliograph/testkit";
import pg from "pg";
import { dispatchReactor } from "../src/consumer.ts";
import { playedReceiptsReactor } from "../src/played-receipts.ts";

export const simulator = (
  channel: GatewayConfig["channel"],
  changes: Partial<GatewayConfig> = {},
): GatewayConfig => ({
  gateway_id: deterministicId("gtw", channel),
  environment: "sandbox",
  name: `sim-${channel}`,
  channel,
  kind: "simulator",
  enabled: true,
  weight: 100,
  max_concurrent: 64,
  timeout_ms: 10_000,
  on_uncertain: "ask_provider",
  settings: {},
  ...changes,
});
const simulators = [simulator("sms"), simulator("email"), simulator("whatsapp")];

export type WorldOptions = {
  readonly driver?: "memory" | "postgres";
  readonly environment?: "live" | "sandbox";
  readonly gateways?: readonly GatewayConfig[];
  readonly routing?: RoutingRules;
  readonly retryScale?: number;
  /** How far the clock of the log (memory) is ahead of the process's. */
  readonly logAheadMs?: number;
  readonly smtpUrls?: readonly string[];
  readonly database?: Awaited<ReturnType<typeof testDatabase>>;
};

/** A log and a database of its own with everything that dispatch needs; `close` ends it all. */
export async function openWorld(options: WorldOptions = {}) {
  const environment = options.environment ?? "sandbox";
  const database = options.database ?? (await testDatabase());
  const pool = new pg.Pool({ ...database.config, max: 6 });
  pool.on("error", () => undefined);
  const log =
    options.driver === "postgres"
      ? await openPostgresLog({
          connection: database.config,
          namespace: environment,
          validate: validateEvent,
        })
      : openMemoryLog({
          validate: validateEvent,
          upcast: (event) => ({
            ...event,
            recordedAt: event.recordedAt + (options.logAheadMs ?? 0),
          }),
        });
  let gateways = options.gateways ?? simulators;
  const listeners = new Set<() => void>();
  const suspended = new Set<string>();
  const context: ServiceContext = {
    environment,
    log,
    pool,
    projectionPool: pool,
    connection: database.config,
    settings: {
      ...readSettings({
        HELIOGRAPH_SHUTDOWN_SECONDS: "6",
        HELIOGRAPH_RETRY_SCALE: String(options.retryScale ?? 0.01),
      }),
      smtpUrls: options.smtpUrls ?? [],
    },
    clock: realClock,
    directory: directoryDouble({
      gateways: (_, channel) =>
        gateways.filter((gateway) => channel === undefined || gateway.channel === channel),
      knows: async () => true,
      partner: (id) => ({
        name: "Test",
        currency: "USD",
        status: suspended.has(id) ? "suspended" : "active",
      }),
      routing: () => options.routing ?? [],
      onChange(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    }),
    masterKey: Buffer.alloc(32),
    vault: await testVault(pool),
    logger: newLogger(process.env["TEST_LOG"] ?? "silent"),
  };
  const running: { stop(): Promise<void> }[] = [];
  return {
    context,
    log,
    pool,
    database,
    configure(next: readonly GatewayConfig[]) {
      gateways = next;
      for (const listener of listeners) listener();
    },
    suspend(partner: string, on: boolean) {
      if (on) suspended.add(partner);
      else suspended.delete(partner);
      for (const listener of listeners) listener();
    },
    async dispatch(feed?: Feed) {
      const consumer = await runConsumer(dispatchReactor(), { ...context, feed });
      running.push(consumer);
      return consumer;
    },
    async receipts() {
      const consumer = await runConsumer(playedReceiptsReactor, context);
      running.push(consumer);
      return consumer;
    },
    async close() {
      for (const consumer of running) await consumer.stop();
      await log.close();
      await pool.end();
      if (options.database === undefined) await database.drop();
    },
  };
}
export type World = Awaited<ReturnType<typeof openWorld>>;

export type Order = Partial<EventData<"MessageRequested">> & { readonly to: string };
const requestOf = (order: Order): EventData<"MessageRequested"> => ({
  message_id: newId("msg"),
  channel: order.to.includes("@") ? "email" : "sms",
  content: { text: "hello", ...(order.to.includes("@") ? { subject: "a subject" } : {}) },
  category: "transactional",
  priority: 1,
  expires_at: new Date(Date.now() + 3_600_000).toISOString(),
  cost: "0.012",
  currency: "USD",
  price: { list: "standard", version: 1, country: "US", per_segment: "0.012" },
  segments: { count: 1, encoding: "GSM-7", characters: 5 },
  created_at: new Date().toISOString(),
  ...order,
});

/** Accepts messages and holds their funds, as ingress and wallet do; gives the message ids. */
export async function send(
  log: EventLog,
  orders: readonly Order[],
  partner: string = deterministicId("ptn", "one"),
): Promise<string[]> {
  const requests = orders.map(requestOf);
  const ids = requests.map(({ message_id }) => message_id);
  const outcomes = await log.append(
    requests.map((data) => ({
      stream: streamOf("message", data.message_id),
      expected: "no_stream" as const,
      events: [
        {
          id: uuid5(data.message_id, "MessageRequested"),
          type: "MessageRequested",
          data,
          metadata: { partner, correlation: data.message_id },
        },
      ],
    })),
  );
  const covers = outcomes.reduce((highest, outcome) => {
    if (outcome.kind !== "appended") throw new Error(JSON.stringify(outcome));
    return outcome.position > highest ? outcome.position : highest;
  }, 0n);
  for (let from = 0; from < ids.length; from += 500) {
    const entries = ids
      .slice(from, from + 500)
      .map((message_id) => ({ message_id, amount: "0.012" }));
    const data = { covers: String(covers), available: "100", held: "1", currency: "USD", entries };
    const [held] = await log.append([
      {
        stream: streamOf("wallet", partner),
        expected: "any",
        events: [
          {
            id: uuid5("held", ...ids.slice(from, from + 500)),
            type: "FundsHeld",
            data,
            metadata: { partner },
          },
        ],
      },
    ]);
    if (held?.kind !== "appended") throw new Error(JSON.stringify(held));
  }
  return ids;
}

export const history = (log: EventLog, messageId: string): Promise<readonly RecordedEvent[]> =>
  log.readStream(streamOf("message", messageId));
export const typesOf = async (log: EventLog, messageId: string): Promise<string[]> =>
  (await history(log, messageId)).map(({ type }) => type);
export const receiptsOf = async (log: EventLog, messageId: string): Promise<string[]> =>
  (await log.readStream(streamOf("receipts", messageId))).map(({ data }) => data.status);

/** Waits until every message's stream has an event of the type; gives the streams' types. */
export async function eventually(
  log: EventLog,
  ids: readonly string[],
  type: string,
  timeoutMs = 15_000,
): Promise<string[][]> {
  return until(
    async () => {
      const streams = await Promise.all(ids.map((id) => typesOf(log, id)));
      return streams.every((types) => types.includes(type)) && streams;
    },
    { timeoutMs, what: `${type} on ${ids.length} messages` },
  );
}

/**
 * Makes every timer due, and a dispatcher that runs see it: its alarm rings for a timer that it writes itself, so it is given one. On a busy machine the moment of that
 * one may have passed before it is looked at; then it gets another.
 */
export async function makeTimersDue(world: World): Promise<void> {
  await world.pool.query("update dispatch.timers set due_at = 0, epoch = 0");
  await until(
    async () => {
      const soon = new Date(Date.now() + 200).toISOString();
      await send(world.log, [{ to: "+15550000099", send_at: soon }]);
      const { rows } = await world.pool.query(
        "select count(*)::int as left from dispatch.timers where due_at = 0 and epoch = 0",
      );
      return rows[0].left === 0;
    },
    { what: "the timers that are due are taken" },
  );
}

/** Nothing waits or is announced any more. */
export const settled = (world: World): Promise<unknown> =>
  until(
    async () => {
      const { rows } = await world.pool.query(
        "select (select count(*) from dispatch.intents) + (select count(*) from dispatch.timers) as open",
      );
      return rows[0].open === "0";
    },
    { what: "no intents and no timers are left" },
  );
