import { openPostgresLog, type EventLog } from "@heliograph/log";
import { directoryDouble, loosely, testDatabase, testVault } from "@heliograph/testkit";
import {
  openPool,
  newLogger,
  readSettings,
  type Projector,
  type ServiceContext,
  realClock,
  runConsumer as run,
  startConsumers as start,
} from "../src/index.ts";

/** What tests run here and have not stopped: one that fails before it comes to that must not make the files after it fail. */
const running = new Set<{ stop(): Promise<void> }>();

/** What it gives is stopped with the environment at the latest. */
const kept =
  <Asked extends readonly unknown[], Made extends { stop(): Promise<void> }>(
    make: (...asked: Asked) => Promise<Made>,
  ) =>
  async (...asked: Asked): Promise<Made> => {
    const made = await make(...asked);
    running.add(made);
    return made;
  };
export const runConsumer = kept(run);
export const startConsumers = kept(start);

/** One environment on a database of its own, with the log and pools that a process would have. */
export async function openEnvironment(): Promise<{
  context: ServiceContext;
  log: EventLog;
  close(): Promise<void>;
}> {
  const database = await testDatabase();
  const logger = newLogger("silent");
  const log = await openPostgresLog({ connection: database.config, namespace: "sandbox" });
  const pool = openPool(database.config, { name: "test", max: 4, durable: true }, logger);
  const projectionPool = openPool(
    database.config,
    { name: "test projections", max: 4, durable: false },
    logger,
  );
  const context: ServiceContext = {
    environment: "sandbox",
    log,
    connection: database.config,
    pool,
    projectionPool,
    settings: readSettings({ HELIOGRAPH_SHUTDOWN_SECONDS: "4" }),
    masterKey: Buffer.alloc(32),
    vault: await testVault(pool),
    logger,
    clock: realClock,
    directory: directoryDouble(),
  };
  return {
    context,
    log,
    async close() {
      const left = [...running];
      running.clear();
      await Promise.all(left.map((each) => each.stop()));
      await log.close();
      await Promise.all([pool.end(), projectionPool.end()]);
      await database.drop();
    },
  };
}

/** A key that an error quotes. */
const leakedKey = `ak_live_${"Ab1".repeat(12)}`;

/** Counts `Counted` events and their sum in one row; `poison: true` in the data makes the batch fail. */
export const countingProjector = (options: { readonly factor?: number } = {}): Projector => ({
  kind: "projector",
  name: "counts",
  schema: "counts",
  types: loosely(["Counted"]),
  ddl: "create table if not exists {schema}.totals (name text primary key, events bigint not null, total bigint not null)",
  create: () => ({
    project(events) {
      if (events.some((event) => loosely(event.data).poison === true))
        throw new Error(`poison ${leakedKey}`);
      const total = events.reduce(
        (sum, event) => sum + Number(loosely(event.data).value) * (options.factor ?? 1),
        0,
      );
      return [
        {
          name: "add",
          sql: `insert into {schema}.totals values ('all', $1::bigint, $2::bigint)
          on conflict (name) do update set events = totals.events + excluded.events, total = totals.total + excluded.total`,
          values: [events.length, total],
        },
      ];
    },
  }),
});

let serial = 0;
export async function count(
  log: EventLog,
  values: readonly (number | "poison")[],
): Promise<bigint> {
  const [outcome] = await log.append([
    {
      stream: `counted-${++serial}`,
      expected: "no_stream",
      events: values.map((value) => ({
        id: crypto.randomUUID(),
        type: "Counted",
        data: value === "poison" ? { poison: true, value: 0 } : { value },
        metadata: {},
      })),
    },
  ]);
  if (outcome?.kind !== "appended") throw new Error(`append: ${outcome?.kind}`);
  return outcome.position;
}
