import type pg from "pg";
import type { Item } from "../companions.ts";
import type { Outcome } from "../types.ts";

const END_BACKENDS = `select pg_terminate_backend(pid, 2000) as gone from pg_stat_activity
  where datname = current_database() and application_name = any($1::text[])`;

/**
 * Ends the backends of broken connections and waits for it: one could still commit what it had received. Needs no
 * privilege, because they belong to the same role. Throws when one is still at work.
 */
export async function endBackends(client: pg.Client, names: readonly string[]): Promise<void> {
  const { rows } = await client.query(END_BACKENDS, [names]);
  if (rows.some((row) => row.gone !== "t")) throw new Error("the old connection is still at work");
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
