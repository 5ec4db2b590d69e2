import { randomBytes } from "node:crypto";
import { newId, newSecret, openSecret, sealSecret, streamOf, uuid7 } from "@heliograph/contracts";
import { openMemoryLog, type EventLog } from "@heliograph/log";
import { listDeliveries, type Delivery } from "../src/tables/webhooks.ts";
import { runConsumer, type Feed, type ServiceContext } from "@heliograph/runtime";
import { directoryDouble, testDatabase, testVault, until } from "@heliograph/testkit";
import pg from "pg";
import { pino } from "pino";
import { webhooksReactor } from "../src/index.ts";
import type { CourierOptions } from "../src/courier.ts";

export type Harness = Awaited<ReturnType<typeof openHarness>>;

/** A log, a database and the reactor, with what tests do to them. */
export async function openHarness(
  settings: {
    retryScale?: number;
    disableAfterMs?: number;
    /** With 0 a stop writes nothing, as a kill does. */
    shutdownMs?: number;
    allow?: readonly string[];
    log?: (url: string) => Promise<EventLog>;
  } & CourierOptions = {},
) {
  const database = await testDatabase();
  const pool = new pg.Pool({ connectionString: database.url });
  pool.on("error", () => {}); // tests cut connections
  const log = (await settings.log?.(database.url)) ?? openMemoryLog();
  const masterKey = randomBytes(32);
  const context = {
    directory: directoryDouble(),
    environment: "sandbox",
    connection: { connectionString: database.url },
    log,
    pool,
    projectionPool: pool,
    masterKey,
    vault: await testVault(pool, masterKey),
    logger: pino({ level: process.env["TEST_LOG"] ?? "silent" }),
    settings: {
      shutdownMs: settings.shutdownMs ?? 2_000,
      retryScale: settings.retryScale ?? 0,
      webhookDisableAfterMs: { live: Infinity, sandbox: settings.disableAfterMs ?? Infinity },
      webhookKeepMs: Infinity,
      webhookAllowCidrs: settings.allow ?? ["127.0.0.0/8"],
    },
  } as unknown as ServiceContext;
  let running: Awaited<ReturnType<typeof runConsumer>> | undefined;
  const copies: Awaited<ReturnType<typeof runConsumer>>[] = [];
  let partner = newId("ptn");

  const append = async (
    stream: string,
    type: string,
    data: object,
    metadata: object = {},
  ): Promise<bigint> => {
    const [outcome] = await log.append([
      {
        stream,
        expected: "any",
        events: [{ id: uuid7(), type, data, metadata: { partner, ...metadata } }],
      },
    ]);
    if (outcome!.kind !== "appended") throw new Error(JSON.stringify(outcome));
    return outcome!.position;
  };

  const harness = {
    context,
    url: database.url,
    pool,
    log,
    masterKey,
    get partner() {
      return partner;
    },
    /** Tests share the consumer; each has a partner of its own. */
    newPartner: () => (partner = newId("ptn")),
    /** What follows is this partner's. */
    actAs: (id: string) => (partner = id),
    async start() {
      running = await runConsumer(webhooksReactor(settings), context);
    },
    /** One more copy, which runs the shards that the feed gives it. */
    async copy(feed: Feed) {
      copies.push(await runConsumer(webhooksReactor(settings), { ...context, feed }));
    },
    async stop() {
      await Promise.all(copies.splice(0).map((copy) => copy.stop()));
      await running?.stop();
      running = undefined;
    },
    caughtUp: async () => running!.caughtUp(await log.head()),
    lastError: () => running?.lastError,
    async endpoint(url: string, more: object = {}): Promise<{ id: string; secret: string }> {
      const id = newId("whe");
      const secret = newSecret();
      const data = {
        endpoint_id: id,
        url,
        secret: sealSecret(masterKey, secret),
        created_at: new Date().toISOString(),
        ...more,
      };
      await append(streamOf("endpoint", id), "WebhookEndpointCreated", data);
      return { id, secret };
    },
    endpointEvent: (id: string, type: string, data: object = {}, metadata: object = {}) =>
      append(streamOf("endpoint", id), type, { endpoint_id: id, ...data }, metadata),
    append,
    /** A message.canceled event: the smallest that has a public form. */
    event(more: object = {}): Promise<bigint> {
      const id = newId("msg");
      const message = { channel: "sms", to: "+15551234567", ...more };
      return append(streamOf("message", id), "MessageCanceled", { message_id: id, message });
    },
    /** One more event of a message. */
    eventOf(id: string): Promise<bigint> {
      const message = { channel: "sms", to: "+15551234567" };
      return append(streamOf("message", id), "MessageCanceled", { message_id: id, message });
    },
    deliveries: (endpointId: string): Promise<readonly Delivery[]> =>
      listDeliveries(pool, { partner, endpointId, limit: 1_000 }),
    /** Waits until the endpoint has this many deliveries and all of them have this status. */
    settled: (endpointId: string, status: string, count = 1, timeoutMs = 10_000) =>
      until(
        async () => {
          const found = await harness.deliveries(endpointId);
          return (
            found.length === count && found.every((delivery) => delivery.status === status) && found
          );
        },
        { timeoutMs, what: `${count} deliveries ${status}` },
      ).catch(async (error: unknown) => {
        throw new Error(
          `${String(error)}; there are ${JSON.stringify(await harness.deliveries(endpointId))}; ${running?.lastError}`,
        );
      }),
    openSecret: (sealed: string) => openSecret(masterKey, sealed),
    async close() {
      await harness.stop();
      await log.close();
      await pool.end();
      await database.drop();
    },
  };
  return harness;
}
