import type pg from "pg";
import { quoteSchema } from "./parts.ts";

export type Ownership = { readonly epoch: number; readonly position: bigint };

/** Takes the advisory lock of a name for the session; false when another session holds it. */
export async function tryLock(client: pg.ClientBase, name: string): Promise<boolean> {
  const { rows } = await client.query(
    "select pg_try_advisory_lock(hashtextextended($1, 7041776)) as held",
    [`heliograph/${name}`],
  );
  return rows[0].held === true;
}

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

/** Ends the session of a holder that has not shown itself for so long. */
export async function endStaleHolder(
  client: pg.ClientBase,
  name: string,
  staleHolderSeconds: number,
): Promise<void> {
  await client.query(
    `select pg_terminate_backend(l.pid) from pg_locks l
     join runtime.consumers c on c.name = $1 and c.updated_at < now() - interval '${staleHolderSeconds} seconds'
     join pg_stat_activity a on a.pid = l.pid and a.state_change < now() - interval '${staleHolderSeconds} seconds'
     where l.locktype = 'advisory' and l.granted and l.pid <> pg_backend_pid() and l.database = (select oid from pg_database where datname = current_database())
       and ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended($2, 7041776)`,
    [name, `heliograph/${name}`],
  );
}
