import { applyMigrations } from "@heliograph/log";
import type pg from "pg";
import { divide, isDivided } from "./division.ts";
import { inSchema, quoteSchema } from "./parts.ts";
import { endedDdl } from "./spaces.ts";
import { inTransaction } from "./transaction.ts";
import type { Consumer, OwnTables, Projector } from "../types.ts";

/** Tables of the runtime itself, one set per environment database. Numbered by their place and never edited once released. */
const runtimeMigrations = [
  `
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
);`,
  // `known_at`: when a process last ran that has the consumer, be it only as a standby.
  "alter table runtime.consumers add column known_at timestamptz not null default now();",
  // Asked for every second or two, beside all that were ever resolved or done.
  `create index if not exists dead_letters_open on runtime.dead_letters (consumer, position) where status <> 'resolved';
create index if not exists dead_letters_retry on runtime.dead_letters (position) where status = 'retry';
create index if not exists jobs_open on runtime.jobs (created_at) where status in ('requested', 'running');`,
  // Who shares the shards of divided consumers; a row is written each second.
  `create table if not exists runtime.copies (
  consumer text not null, id uuid not null, seen_at timestamptz not null default now(), primary key (consumer, id)
) with (fillfactor = 10);`,
  // Shards that a copy cannot run, though it is there.
  "alter table runtime.copies add column refused int[] not null default '{}';",
  // Rebuilds are long jobs like others. A process of the release before writes no `finished_at`.
  `alter table runtime.jobs add column owner uuid, add column tries int not null default 0, add column complete boolean, add column not_before timestamptz, add column finished_at timestamptz;
update runtime.jobs set finished_at = updated_at where status in ('done', 'failed');`,
];

/** How many migrations of the runtime's own tables this release knows. */
export const runtimeMigrationCount = runtimeMigrations.length;

/** Runs DDL once at a time per database, so that several processes may start together. */
const exclusively = <T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> =>
  inTransaction(pool, async (client) => {
    await client.query("set local synchronous_commit = on");
    await client.query("select pg_advisory_xact_lock(7041776, 1)");
    return work(client);
  });

export const prepareRuntime = (pool: pg.Pool): Promise<void> =>
  exclusively(pool, (client) => applyMigrations(client, "runtime", runtimeMigrations));

/** Brings tables that belong to no consumer up to date. Throws SchemaTooNew. */
export const prepareTables = (pool: pg.Pool, tables: readonly OwnTables[]): Promise<void> =>
  exclusively(pool, async (client) => {
    for (const { schema, migrations } of tables) await applyMigrations(client, schema, migrations);
  });

/**
 * Creates a consumer's schema, tables and checkpoint row in `schema` where they are missing, and brings a reactor's tables up to date. With `divided`, into how many
 * shards, it is divided if it is not yet. Gives whether it is divided. Throws SchemaTooNew.
 */
export const prepareConsumer = (
  pool: pg.Pool,
  consumer: Consumer,
  schema = consumer.schema,
  divided?: number,
): Promise<boolean> =>
  exclusively(pool, async (client) => {
    await prepareCheckpoint(client, schema);
    if (consumer.spaces !== undefined) await client.query(inSchema(endedDdl, schema));
    const version = consumer.kind === "projector" ? versionOf(consumer) : 1;
    const stored = await storedVersion(client, schema, consumer.name);
    if (consumer.kind === "reactor")
      await applyMigrations(
        client,
        schema,
        consumer.migrations.map((sql) => inSchema(sql, schema)),
      );
    // Tables of another version are left as they are until a rebuild replaces them.
    else if (stored === undefined || stored === version)
      await client.query(inSchema(consumer.ddl, schema));
    if (await isDivided(client, schema, consumer.name)) return true;
    await client.query(
      `insert into ${quoteSchema(schema)}.checkpoint (name, position, epoch, version) values ($1, 0, 0, $2) on conflict do nothing`,
      [consumer.name, version],
    );
    if (divided === undefined) return false;
    await divide(client, schema, consumer.name, divided);
    return true;
  });

async function prepareCheckpoint(client: pg.ClientBase, schema: string): Promise<void> {
  await client.query(`create schema if not exists ${quoteSchema(schema)}`);
  await client.query(`create table if not exists ${quoteSchema(schema)}.checkpoint (
    name text primary key, position bigint not null, epoch int not null, updated_at timestamptz not null default now(), version int not null default 1
  ) with (fillfactor = 10)`);
  const { rowCount } = await client.query(
    "select 1 from information_schema.columns where table_schema = $1 and table_name = 'checkpoint' and column_name = 'version'",
    [schema],
  );
  // Asked first: the change waits for everybody who uses the table, even where there is nothing to change.
  if (rowCount === 0)
    await client.query(
      `alter table ${quoteSchema(schema)}.checkpoint add column version int not null default 1`,
    );
}

export const versionOf = (projector: Projector): number => projector.version ?? 1;

/** Of which version a projector's tables are; undefined where it has none yet. */
export async function storedVersion(
  db: Pick<pg.ClientBase, "query">,
  schema: string,
  name: string,
): Promise<number | undefined> {
  const { rows } = await db.query<{ version: number }>(
    `select version from ${quoteSchema(schema)}.checkpoint where name = $1`,
    [name],
  );
  return rows[0]?.version;
}
