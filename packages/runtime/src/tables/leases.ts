import type pg from "pg";
import { quoteSchema } from "./parts.ts";

export type Ownership = { readonly epoch: number; readonly position: bigint };

/** Takes the advisory locks of those names for the session that no other session holds, and gives them. */
export async function tryLocks(
  client: pg.ClientBase,
  names: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ name: string; held: boolean }>({
    name: "lease_try",
    text: `select name, pg_try_advisory_lock(hashtextextended('heliograph/' || name, 7041776)) as held
      from unnest($1::text[]) as wanted (name)`,
    values: [names],
  });
  return new Set(rows.filter(({ held }) => held).map(({ name }) => name));
}

export const tryLock = async (client: pg.ClientBase, name: string): Promise<boolean> =>
  (await tryLocks(client, [name])).has(name);

/** Gives the lock of the session back. */
export async function unlock(client: pg.ClientBase, name: string): Promise<void> {
  await client.query("select pg_advisory_unlock(hashtextextended($1, 7041776))", [
    `heliograph/${name}`,
  ]);
}

/** Raises the epoch, so that whoever owned the checkpoint before is fenced. */
export async function takeOver(
  client: pg.ClientBase,
  name: string,
  schema: string,
): Promise<Ownership> {
  const { rows } = await client.query(
    `update ${quoteSchema(schema)}.checkpoint set epoch = epoch + 1 where name = $1 returning epoch, position::text`,
    [name],
  );
  if (rows[0] === undefined)
    throw new Error(
      `${name} has no checkpoint: a process with another feed divided it into shards; restart this one`,
    );
  return { epoch: rows[0].epoch as number, position: BigInt(rows[0].position as string) };
}

export type Owned = { readonly name: string; readonly schema: string };

/** The same for several, by one statement and one commit. Gives those whose checkpoints are there. */
export async function takeOverAll(
  client: pg.ClientBase,
  owned: readonly Owned[],
): Promise<ReadonlyMap<string, Ownership>> {
  // In the order in which others move several of them, so that nobody waits for each other.
  const ordered = owned.toSorted((one, other) => (one.name < other.name ? -1 : 1));
  const updates = ordered.map(
    ({ schema }, index) => `taken_${index} as (
      update ${quoteSchema(schema)}.checkpoint set epoch = epoch + 1 where name = $${index + 1} returning name, epoch, position::text)`,
  );
  const { rows } = await client.query<{ name: string; epoch: number; position: string }>(
    `with ${updates.join(", ")} ${updates.map((_, index) => `select * from taken_${index}`).join(" union all ")}`,
    ordered.map(({ name }) => name),
  );
  return new Map(
    rows.map(({ name, epoch, position }) => [name, { epoch, position: BigInt(position) }]),
  );
}

/** Ends the sessions of those holders that have not shown themselves for so long. */
export async function endStaleHolders(
  client: pg.ClientBase,
  names: readonly string[],
  staleHolderSeconds: number,
): Promise<void> {
  await client.query({
    name: "lease_stale",
    text: `select pg_terminate_backend(pid) from (
       select distinct l.pid from unnest($1::text[]) as wanted (name)
       join runtime.consumers c on c.name = wanted.name and c.updated_at < now() - make_interval(secs => $2)
       join pg_locks l on ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended('heliograph/' || wanted.name, 7041776)
       join pg_stat_activity a on a.pid = l.pid and a.state_change < now() - make_interval(secs => $2)
       where l.locktype = 'advisory' and l.granted and l.pid <> pg_backend_pid() and l.database = (select oid from pg_database where datname = current_database())
     ) stale`,
    values: [names, staleHolderSeconds],
  });
}
