import type pg from "pg";
import { pause } from "./faults.ts";
import { inSchema, quoteSchema } from "./parts.ts";
import type { Consumer } from "./types.ts";

/** Tables of the runtime itself, one set per environment database. */
const runtimeDdl = `
create schema if not exists runtime;
create table if not exists runtime.consumers (
  name text primary key, schema text not null, kind text not null, position bigint not null, head bigint not null,
  rate double precision not null, status text not null, last_error text, owner text not null, behind_since timestamptz, updated_at timestamptz not null
);
create table if not exists runtime.dead_letters (
  id bigint generated always as identity primary key, consumer text not null, position bigint not null, event_id uuid not null, event_type text not null,
  reason text not null, status text not null default 'open', attempts int not null default 1, created_at timestamptz not null default now(), updated_at timestamptz not null default now(),
  unique (consumer, position)
);
create table if not exists runtime.jobs (
  id text primary key, consumer text not null, verify_only boolean not null, status text not null default 'requested', processed bigint not null default 0,
  total bigint not null default 0, result jsonb, error text, created_at timestamptz not null default now(), updated_at timestamptz not null default now()
);`;

/** Runs DDL once at a time per database, so that several processes may start together. */
async function exclusively<T>(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query("begin");
    await client.query("set local synchronous_commit = on");
    await client.query("select pg_advisory_xact_lock(7041776, 1)");
    const result = await work(client);
    await client.query("commit");
    return result;
  } catch (error) {
    await client.query("rollback").catch(() => undefined);
    throw error;
  } finally {
    client.release();
  }
}

export const prepareRuntime = (pool: pg.Pool): Promise<void> =>
  exclusively(pool, async (client) => {
    await client.query(runtimeDdl);
  });

/**
 * Creates a consumer's schema, tables and checkpoint row in `schema` where they are missing. With `shards` a sharded reactor is divided if it is not yet.
 * Gives into how many shards it is divided, undefined when it is whole. Throws when that is another number than the one asked for.
 */
export const prepareConsumer = (
  pool: pg.Pool,
  consumer: Consumer,
  schema = consumer.schema,
  options: { readonly shards?: number | undefined } = {},
): Promise<number | undefined> =>
  exclusively(pool, async (client) => {
    await client.query(`create schema if not exists ${quoteSchema(schema)}`);
    await client.query(`create table if not exists ${quoteSchema(schema)}.checkpoint (
      name text primary key, position bigint not null, epoch int not null, updated_at timestamptz not null default now()
    ) with (fillfactor = 10)`);
    if (consumer.ddl.trim() !== "") await client.query(inSchema(consumer.ddl, schema));
    const shards = await shardsOf(client, schema, consumer);
    if (shards === undefined)
      await client.query(
        `insert into ${quoteSchema(schema)}.checkpoint (name, position, epoch) values ($1, 0, 0) on conflict do nothing`,
        [consumer.name],
      );
    if (options.shards === undefined || consumer.kind !== "reactor" || consumer.sharded !== true)
      return shards;
    if (shards === undefined) {
      await refuseWhileWhole(client, consumer.name);
      await divide(client, schema, consumer.name, options.shards);
    } else if (shards !== options.shards)
      throw new Error(
        `${consumer.name} is divided into ${shards} shards for ever; HELIOGRAPH_KAFKA_SHARDS must be ${shards}, not ${options.shards}`,
      );
    return options.shards;
  });

/** Into how many shards the consumer has been divided; undefined when it has not. */
async function shardsOf(
  client: pg.PoolClient,
  schema: string,
  consumer: Consumer,
): Promise<number | undefined> {
  const { rows } = await client.query<{ count: number }>(
    `select count(*)::int as count from ${quoteSchema(schema)}.checkpoint where starts_with(name, $1)`,
    [`${consumer.name}/`],
  );
  return rows[0]!.count === 0 ? undefined : rows[0]!.count;
}

/**
 * The shards would take what an undivided copy has under way for the traces of a crash: it has to end first. Waits a while for one that is stopping, or was killed
 * and whose session is still there.
 *
 * @throws Error when one is running on.
 */
async function refuseWhileWhole(client: pg.PoolClient, name: string): Promise<void> {
  const deadline = performance.now() + wholeEndsMs;
  for (;;) {
    const { rows } = await client.query(
      "select pg_try_advisory_xact_lock(hashtextextended($1, 7041776)) as free",
      [`heliograph/${name}`],
    );
    if (rows[0].free === true) return;
    if (performance.now() > deadline)
      throw new Error(
        `an undivided copy of ${name} is running: stop it before the first start with HELIOGRAPH_FEED=kafka`,
      );
    await pause(200);
  }
}
const wholeEndsMs = 10_000;

/** Every shard goes on where the whole was. Its row goes away, so that an owner of the whole is fenced at its next commit. */
async function divide(
  client: pg.PoolClient,
  schema: string,
  name: string,
  shards: number,
): Promise<void> {
  await client.query(
    `with whole as (delete from ${quoteSchema(schema)}.checkpoint where name = $1 returning position, epoch)
     insert into ${quoteSchema(schema)}.checkpoint (name, position, epoch)
     select $1 || '/' || shard, whole.position, whole.epoch + 1 from whole, generate_series(0, $2::int - 1) as shard`,
    [name, shards],
  );
}
