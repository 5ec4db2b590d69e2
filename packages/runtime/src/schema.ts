import type pg from "pg";
import { divide, isDivided } from "./division.ts";
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
create table if not exists runtime.division (one boolean primary key default true check (one), shards int not null);
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
  let broken = false;
  try {
    await client.query("begin");
    await client.query("set local synchronous_commit = on");
    await client.query("select pg_advisory_xact_lock(7041776, 1)");
    const result = await work(client);
    await client.query("commit");
    return result;
  } catch (error) {
    await client.query("rollback").catch(() => (broken = true));
    throw error;
  } finally {
    client.release(broken);
  }
}

export const prepareRuntime = (pool: pg.Pool): Promise<void> =>
  exclusively(pool, async (client) => {
    await client.query(runtimeDdl);
  });

/**
 * Creates a consumer's schema, tables and checkpoint row in `schema` where they are missing. With `divided`, into how many shards the environment is divided, a sharded
 * reactor is divided if it is not yet. Gives whether it is divided.
 */
export const prepareConsumer = (
  pool: pg.Pool,
  consumer: Consumer,
  schema = consumer.schema,
  divided?: number,
): Promise<boolean> =>
  exclusively(pool, async (client) => {
    await client.query(`create schema if not exists ${quoteSchema(schema)}`);
    await client.query(`create table if not exists ${quoteSchema(schema)}.checkpoint (
      name text primary key, position bigint not null, epoch int not null, updated_at timestamptz not null default now()
    ) with (fillfactor = 10)`);
    if (consumer.ddl.trim() !== "") await client.query(inSchema(consumer.ddl, schema));
    if (await isDivided(client, schema, consumer.name)) return true;
    await client.query(
      `insert into ${quoteSchema(schema)}.checkpoint (name, position, epoch) values ($1, 0, 0) on conflict do nothing`,
      [consumer.name],
    );
    if (divided === undefined || consumer.kind !== "reactor" || consumer.sharded !== true)
      return false;
    await divide(client, schema, consumer.name, divided);
    return true;
  });
