import { randomUUID } from "node:crypto";
import { openPostgresLog, type EventLog, type RecordedEvent } from "@heliograph/log";
import {
  newLogger,
  openPool,
  readSettings,
  startConsumers,
  type Consumer,
  type Projector,
  type Reactor,
  type RunningConsumers,
  type ServiceContext,
  realClock,
} from "@heliograph/runtime";
import {
  directoryDouble,
  loosely,
  startKafka,
  testDatabase,
  testVault,
  until,
  whyNoOwnKafka,
  type KafkaBroker,
  partnerIn,
} from "@heliograph/testkit";
import { afterAll, afterEach, beforeAll, beforeEach } from "vitest";
import { kafkaClient, logTopic, openKafkaFeed, relayConsumer } from "../src/index.ts";

/** The topics are named by the environment alone, so each test file has a broker of its own or takes turns. */
export const environmentName = "sandbox" as const;
export const topic = logTopic(environmentName);

type TestEnvironment = Awaited<ReturnType<typeof openEnvironment>>;

/** One environment on a database of its own, fed by a broker; `copy` is what another process would have. */
async function openEnvironment(brokers: readonly string[]) {
  const database = await testDatabase();
  const logger = newLogger("silent");
  const settings = readSettings({
    HELIOGRAPH_SHUTDOWN_SECONDS: "4",
    HELIOGRAPH_KAFKA_BROKERS: brokers.join(),
  });
  const kafka = settings.kafka!;
  const closing: (() => Promise<unknown>)[] = [];
  const log: EventLog = await openPostgresLog({
    connection: database.config,
    namespace: environmentName,
  });
  const admin = kafkaClient(kafka, "test", logger).admin();
  const copy = async (): Promise<ServiceContext> => {
    const pool = openPool(database.config, { name: "test", max: 4, durable: true }, logger);
    const feed = openKafkaFeed({
      settings: kafka,
      environment: environmentName,
      log,
      pool,
      logger,
    });
    closing.push(
      () => feed.close(),
      () => pool.end(),
    );
    return {
      environment: environmentName,
      log,
      feed,
      connection: database.config,
      pool,
      projectionPool: pool,
      settings,
      masterKey: Buffer.alloc(32),
      vault: await testVault(pool),
      logger,
      clock: realClock,
      directory: directoryDouble(),
    };
  };
  const context = await copy();
  const running: RunningConsumers[] = [];
  await admin.connect();
  return {
    context,
    copy,
    databaseUrl: database.url,
    log,
    admin,
    kafka,
    async run(consumers: readonly Consumer[], at: ServiceContext = context) {
      const started = await startConsumers(at, consumers);
      running.push(started);
      return started;
    },
    relay: () => relayConsumer(kafka),
    async close() {
      await Promise.all(running.map((consumers) => consumers.stop()));
      for (const close of closing) await close();
      const topics = (await admin.listTopics()).filter((name) => name.startsWith("heliograph."));
      if (topics.length > 0) await admin.deleteTopics({ topics });
      // Asked anew each time: one that is not empty yet does not keep the others from being deleted.
      await until(
        async () => {
          const { groups } = await admin.listGroups();
          if (groups.length === 0) return true;
          await admin.deleteGroups(groups.map(({ groupId }) => groupId)).catch(() => undefined);
          return false;
        },
        { timeoutMs: 20_000, what: "the groups are deleted" },
      );
      await admin.disconnect();
      await log.close();
      await database.drop();
    },
  };
}

/** A broker for the tests of a file, and a fresh environment for each of them; `impossible` says why there can be none. */
export async function withEnvironments() {
  const impossible = await whyNoOwnKafka();
  const opened = { impossible } as {
    readonly impossible: string | undefined;
    broker: KafkaBroker;
    environment: TestEnvironment;
  };
  beforeAll(async () => {
    if (!impossible) opened.broker = await startKafka();
  }, 120_000);
  afterAll(() => opened.broker?.remove());
  beforeEach(async () => {
    if (!impossible) opened.environment = await openEnvironment(opened.broker.brokers);
  });
  afterEach(() => opened.environment?.close());
  return opened;
}

/** Twenty partners, some of them in each of eight shards: chance alone leaves one out every other time. */
export const partners = Array.from({ length: 20 }, (_, index) => partnerIn(index % 8, 8));

/** Appends `rounds` events of every partner, each round in one call; gives the position of the last. */
export async function append(log: EventLog, rounds: number, of = partners): Promise<bigint> {
  let position = 0n;
  for (let round = 0; round < rounds; round++) {
    const outcomes = await log.append(
      of.map((partner) => ({
        stream: `test-${randomUUID()}`,
        expected: "no_stream" as const,
        events: [{ id: randomUUID(), type: "Tested", data: { round }, metadata: { partner } }],
      })),
    );
    for (const outcome of outcomes)
      if (outcome.kind === "appended" && outcome.position > position) position = outcome.position;
  }
  return position;
}

/** Notes each position it is given, with who noted it, in the transaction of its checkpoint. */
const ddl =
  "create table if not exists {schema}.seen (at bigserial primary key, position bigint not null, partner text not null, owner text not null)";
const note = (
  owner: string,
  events: readonly { position: bigint; metadata: { partner?: string } }[],
) => ({
  name: "note",
  sql: "insert into {schema}.seen (position, partner, owner) select p, n, $3 from unnest($1::bigint[], $2::text[]) as t(p, n)",
  values: [
    events.map(({ position }) => position),
    events.map(({ metadata }) => metadata.partner ?? ""),
    owner,
  ],
});
export const whole = (name = "whole"): Projector => ({
  kind: "projector",
  name,
  schema: name,
  types: loosely(["Tested"]),
  ddl,
  create: () => ({ project: (events) => [note("whole", events)] }),
});
/** `before` is called with each batch, and may fail. */
export const shared = (
  owner: string,
  name = "shared",
  before: () => void = () => undefined,
): Reactor => ({
  kind: "reactor",
  name,
  schema: name,
  types: loosely(["Tested"]),
  sharded: true,
  migrations: [ddl],
  start: ({ checkpoint, shard }) => ({
    handle(batch) {
      before();
      return checkpoint.commit(batch.position, [note(`${owner}/${shard?.index}`, batch.events)]);
    },
    stop: async () => undefined,
  }),
});

/** Keeps in memory what it is given, once the gate is open. */
export function keeping(name: string, gate: () => Promise<void> = () => Promise.resolve()) {
  const events: RecordedEvent[] = [];
  const consumer: Reactor = {
    kind: "reactor",
    name,
    schema: name,
    types: loosely(["Tested"]),
    migrations: [],
    start: ({ checkpoint }) => ({
      async handle(batch) {
        await gate();
        events.push(...batch.events);
        await checkpoint.commit(batch.position);
      },
      stop: async () => undefined,
    }),
  };
  return { consumer, events: events as readonly RecordedEvent[] };
}

export type Seen = { readonly position: string; readonly partner: string; readonly owner: string };
export async function seen(context: ServiceContext, schema: string): Promise<readonly Seen[]> {
  const { rows } = await context.pool.query<Seen>(
    `select position::text, partner, owner from "${schema}".seen order by at`,
  );
  return rows;
}

/** Waits until so many have been noted, then says that each was once, and in order for each partner. */
export async function everyOneOnce(
  context: ServiceContext,
  schema: string,
  count: number,
  timeoutMs = 40_000,
): Promise<readonly Seen[]> {
  const all = await until(
    async () => {
      const found = await seen(context, schema).catch(() => []);
      return found.length >= count && found;
    },
    { timeoutMs, what: `${count} events are noted in ${schema}` },
  );
  const positions = new Set(all.map(({ position }) => position));
  if (positions.size !== all.length || all.length !== count)
    throw new Error(`${all.length} noted, ${positions.size} of them different, ${count} expected`);
  const last = new Map<string, bigint>();
  for (const { partner, position } of all) {
    if ((last.get(partner) ?? 0n) >= BigInt(position))
      throw new Error(`${partner}: ${position} was noted after ${last.get(partner)}`);
    last.set(partner, BigInt(position));
  }
  return all;
}
