import type pg from "pg";
import type { Item } from "../companions.ts";
import type { Outcome } from "../types.ts";

/**
 * One that waits for a synchronous standby has committed: it is left alone, because ended it would show what only this server's disk has. `gone` is null for it.
 */
const END_BACKENDS = `select case when wait_event is distinct from 'SyncRep' then pg_terminate_backend(pid, 2000) end as gone
  from pg_stat_activity where datname = current_database() and application_name = any($1::text[])`;

/**
 * Ends the backends of broken connections and waits for it: one could still commit what it had received. Needs no
 * privilege, because they belong to the same role. Throws when one is still at work, or waits for a standby.
 */
export async function endBackends(client: pg.Client, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  const { rows } = await client.query(END_BACKENDS, [names]);
  if (rows.some((row) => row.gone === null))
    throw new Error("commits wait for a synchronous standby");
  if (rows.some((row) => row.gone !== "t")) throw new Error("the old connection is still at work");
}

const END_WAIT = `select pg_terminate_backend(pid) from pg_stat_activity
  where datname = current_database() and application_name = $1`;

/** Ends what `confirm` left waiting: it stands for nothing, and would keep its connection. */
export async function endConfirmation(client: pg.Client, name: string): Promise<void> {
  await client.query(END_WAIT, [name]);
}

/**
 * Commits something of no meaning. Where commits wait for a standby, it has everything that was committed before, once this resolves: a server that crashed, or a session that
 * was ended, shows afterwards what it committed without the standby, and nobody may be told that this is durable.
 */
export async function confirm(client: pg.Client): Promise<void> {
  await client.query("select pg_logical_emit_message(true, 'heliograph', '')");
}

const STORED_SINCE = `select id, stream, revision, position, recorded_at from log.events
  where position > $1 and id = any($2::uuid[])`;

type Stored = Exclude<Outcome, { kind: "conflict" | "invalid" }>;

/** What was stored of each of these after a position; undefined for one of which an event is missing. */
export async function storedSince(
  client: pg.Client,
  position: bigint,
  items: readonly Item[],
): Promise<readonly (Stored | undefined)[]> {
  const ids = items.flatMap((item) => item.append.events.map((event) => event.id));
  const { rows } = await client.query(STORED_SINCE, [position.toString(), ids]);
  const stored = new Map(rows.map((row) => [`${row.stream}\n${row.id}`, row]));
  return items.map(({ append: { stream, events } }) => {
    const found = events.map((event) => stored.get(`${stream}\n${event.id}`));
    const last = found.at(-1);
    if (found.includes(undefined) || last === undefined) return undefined;
    return {
      kind: "appended",
      revision: Number(last.revision),
      position: BigInt(last.position),
      recordedAt: Number(last.recorded_at),
    };
  });
}
