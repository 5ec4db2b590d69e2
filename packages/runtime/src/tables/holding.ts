import type pg from "pg";
import { inTransaction } from "./transaction.ts";

/** The last of each name in this process, by pool. */
const lastOf = new WeakMap<pg.Pool, Map<string, Promise<unknown>>>();

/**
 * Runs the work while nobody else, in whatever process, runs any under the same name. For changes that must see each other although each has a stream of its own: the work reads what
 * is there and appends. In this process they go one after the other first, so that those who wait take no connection.
 */
export async function holding<Result>(
  pool: pg.Pool,
  name: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const names = lastOf.get(pool) ?? new Map<string, Promise<unknown>>();
  lastOf.set(pool, names);
  const before = names.get(name);
  const own = (before ?? Promise.resolve()).then(() => locked(pool, name, work));
  // How it ends is for who asked; the next one goes on either way.
  const ended = own.then(
    () => undefined,
    () => undefined,
  );
  names.set(name, ended);
  try {
    return await own;
  } finally {
    if (names.get(name) === ended) names.delete(name);
  }
}

const locked = <Result>(
  pool: pg.Pool,
  name: string,
  work: () => Promise<Result>,
): Promise<Result> =>
  inTransaction(pool, async (client) => {
    await client.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [name]);
    return work();
  });
