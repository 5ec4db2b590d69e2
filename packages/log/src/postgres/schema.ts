import { setTimeout as wait } from "node:timers/promises";
import type pg from "pg";
import { FOLDER_MIGRATION } from "./archive/folder.ts";
import { ARCHIVE_MIGRATION } from "./archive/tables.ts";
import { CHAIN_MIGRATION } from "./chain.ts";
import { sqlState } from "./connection.ts";
import { applyMigrations } from "./migrations.ts";
import { LogUnavailable } from "../types.ts";

/**
 * Forward only: a migration is never edited once released, the next one is added. The log's database belongs to one
 * namespace, so nothing here carries a namespace column.
 */
const MIGRATIONS: readonly string[] = [
  `
  create table log.head (
    one boolean primary key default true check (one),
    position bigint not null
  ) with (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
  insert into log.head (position) values (0);

  -- JSON is kept as text: measured cheapest to write, and PostgreSQL never looks inside (decision 0001).
  create table log.events (
    position bigint primary key,
    stream text not null,
    revision integer not null,
    id uuid not null,
    type text not null,
    version smallint not null,
    recorded_at bigint not null,
    data text not null,
    metadata text not null,
    unique (stream, revision)
  );

  -- Decides and stores a whole flush. Arrays are per event, except p_expected: one per append, -1 no stream, -2 any.
  -- An event belongs to append number "owner" and is its "place"th event, from 0. Texts arrive joined by line feeds,
  -- which neither JSON nor a valid name contains: cheaper to build and to take apart than array literals.
  --
  -- 1. Taking all positions at once locks the head row until commit: appends commit in the order of their positions.
  -- 2. Revisions are read after that, by a statement of its own, so that its snapshot has everything committed.
  -- 3. When every append is fine (nearly always) one insert stores all. Otherwise the refused ones are sorted into
  --    duplicates and conflicts and the positions that nobody took are given back before anyone could see them.
  create function log.append_batch(
    p_streams text, p_owners integer[], p_places integer[], p_expected integer[], p_ids uuid[], p_types text,
    p_versions smallint[], p_data text, p_metadata text,
    out base bigint, out recorded bigint, out actual integer[],
    out kinds integer[], out stored_positions bigint[], out stored_times bigint[]
  ) language plpgsql as $$
  declare
    v_streams text[] := string_to_array(p_streams, E'\\n');
    v_events integer := cardinality(p_ids);
    v_accepted integer;
  begin
    update log.head set position = position + v_events returning position - v_events into base;
    if base is null then
      raise exception 'log.head has lost its row' using errcode = 'XX001';
    end if;
    recorded := (extract(epoch from clock_timestamp()) * 1000)::bigint;

    select array_agg(coalesce(last.revision, -1) order by x.owner),
           count(*) filter (where p_expected[x.owner] in (-2, coalesce(last.revision, -1)))
      into actual, v_accepted
      from unnest(v_streams, p_owners, p_places) as x (stream, owner, place)
      left join lateral (
        select e.revision from log.events e where e.stream = x.stream order by e.revision desc limit 1
      ) last on true
     where x.place = 0;

    if v_accepted < cardinality(p_expected) then
      -- 0 appended, 1 duplicate, 2 conflict
      select array_agg(d.kind order by d.owner), array_agg(d.position order by d.owner),
             array_agg(d.recorded_at order by d.owner)
        into kinds, stored_positions, stored_times
        from (
          select x.owner,
                 case when p_expected[x.owner] in (-2, actual[x.owner]) then 0
                      when bool_and(coalesce(e.id = x.id, false)) then 1 else 2 end as kind,
                 max(e.position) as position, max(e.recorded_at) as recorded_at
            from unnest(v_streams, p_owners, p_places, p_ids) as x (stream, owner, place, id)
            left join log.events e on e.stream = x.stream and e.revision = p_expected[x.owner] + 1 + x.place
           group by x.owner
        ) d;
    end if;

    insert into log.events (position, stream, revision, id, type, version, recorded_at, data, metadata)
    select base + case when kinds is null then x.ord else row_number() over (order by x.ord) end,
           x.stream, actual[x.owner] + 1 + x.place, x.id, x.type, x.version, recorded, x.data, x.metadata
      from unnest(v_streams, p_owners, p_places, p_ids, string_to_array(p_types, E'\\n'), p_versions,
                  string_to_array(p_data, E'\\n'), string_to_array(p_metadata, E'\\n'))
           with ordinality as x (stream, owner, place, id, type, version, data, metadata, ord)
     where kinds is null or kinds[x.owner] = 0;

    if kinds is not null then
      get diagnostics v_accepted = row_count;
      update log.head set position = base + v_accepted;
    end if;
  end $$;
  `,

  `
  -- Up to here the events came from another log with their positions (copy-log), and positions may have holes.
  alter table log.head add column copied bigint not null default 0;
  `,

  CHAIN_MIGRATION,

  ARCHIVE_MIGRATION,

  FOLDER_MIGRATION,
];

/** How many migrations this release knows: a database that is at another number belongs to another release. */
export const logMigrations = MIGRATIONS.length;

/** Two processes that open a new database at once take turns. Any constant does; this one spells "helo". */
const MIGRATION_LOCK = 0x68656c6f;

/** While a change of a table waits for its lock, every append waits behind it: it gives up soon, lets them through, and tries again. */
const LOCK_TIMEOUT_MS = 1_000;
const PAUSE_MS = 1_000;
const ATTEMPTS = 30;

/** False where somebody held a table for too long. */
async function applied(client: pg.ClientBase): Promise<boolean> {
  await client.query("begin");
  try {
    await client.query(`select pg_advisory_xact_lock(${MIGRATION_LOCK})`);
    await client.query(`set local lock_timeout = ${LOCK_TIMEOUT_MS}`);
    await applyMigrations(client, "log", MIGRATIONS);
    await client.query("commit");
    return true;
  } catch (error) {
    await client.query("rollback").catch(() => {});
    if (sqlState(error) === "55P03") return false;
    throw error;
  }
}

/** Brings the database's `log` schema up to date. Safe to run at every start and by many processes at once. Throws SchemaTooNew, and LogUnavailable where the tables are in use all the while. */
export async function migrate(client: pg.ClientBase): Promise<void> {
  for (let attempt = 1; !(await applied(client)); attempt++) {
    if (attempt === ATTEMPTS)
      throw new LogUnavailable(
        "the tables of the log cannot be changed to those of this release while others use them: a dump, a maintenance or a transaction that was left open",
      );
    await wait(PAUSE_MS);
  }
  // Each link by itself: a log of a hundred million events takes minutes, and whoever is stopped meanwhile goes on here. Where nothing is to be sealed the head is only read: a flush
  // that waits for a standby has it locked.
  for (let more = true; more;) {
    const { rows } = await client.query(
      "select (case when sealed < position then log.seal_next() else false end)::text as more from log.head",
    );
    more = rows[0].more === "true";
  }
}
