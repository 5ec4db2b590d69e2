import { PublicError } from "@heliograph/contracts";
import type pg from "pg";
import { inTransaction } from "./transaction.ts";

/** As long as anybody waits for others of the same name; whoever asked can ask again. */
const mostWaitMs = 10_000;
/** SQLSTATE of a lock that was not had in time. */
const lockNotAvailable = "55P03";

type Holders = {
  /** The last of each name. */
  readonly lastOf: Map<string, Promise<unknown>>;
  /** Connections that may still be held. */
  free: number;
  readonly waiting: (() => void)[];
};
/** Those of this process, by pool. */
const holdersOf = new WeakMap<pg.Pool, Holders>();

function ofPool(pool: pg.Pool): Holders {
  const known = holdersOf.get(pool);
  if (known !== undefined) return known;
  // The other half is for whoever asks the pool for something short: nobody waits with his sign-in for those who count.
  const free = Math.max(1, Math.floor(pool.options.max / 2));
  const holders = { lastOf: new Map<string, Promise<unknown>>(), free, waiting: [] };
  holdersOf.set(pool, holders);
  return holders;
}

/**
 * Runs the work while nobody else, in whatever process, runs any under the same name. For changes that must see each other although each has a stream of its own: the work reads what
 * is there and appends. In this process they go one after the other first, so that those who wait take no connection; what takes long and may be older than the lock is read by `first`,
 * which has none either. Throws `overloaded` where others go before it for too long.
 */
export async function holding<Result, Found = undefined>(
  pool: pg.Pool,
  name: string,
  work: (found: Found) => Promise<Result>,
  first: () => Promise<Found> = async () => undefined as Found,
): Promise<Result> {
  const holders = ofPool(pool);
  const { lastOf } = holders;
  const deadline = performance.now() + mostWaitMs;
  const before = lastOf.get(name);
  const own = (before ?? Promise.resolve()).then(async () => {
    leftUntil(deadline);
    const found = await first();
    return sharing(holders, () => locked(pool, name, deadline, () => work(found)));
  });
  // How it ends is for who asked; the next one goes on either way.
  const ended = own.then(
    () => undefined,
    () => undefined,
  );
  lastOf.set(name, ended);
  try {
    return await own;
  } finally {
    if (lastOf.get(name) === ended) lastOf.delete(name);
  }
}

/** Milliseconds, at least one. */
function leftUntil(deadline: number): number {
  const leftMs = Math.ceil(deadline - performance.now());
  if (leftMs <= 0) throw tooManyBefore();
  return leftMs;
}

const tooManyBefore = (cause?: unknown): PublicError =>
  new PublicError("overloaded", "Changes of the same kind are still under way.", {
    retryAfterSeconds: 1,
    cause,
  });

/** Runs it when the pool has a connection that may be held. */
async function sharing<Result>(holders: Holders, work: () => Promise<Result>): Promise<Result> {
  if (holders.free > 0) holders.free--;
  else await new Promise<void>((resolve) => holders.waiting.push(resolve));
  try {
    return await work();
  } finally {
    const next = holders.waiting.shift();
    if (next === undefined) holders.free++;
    else next();
  }
}

const locked = <Result>(
  pool: pg.Pool,
  name: string,
  deadline: number,
  work: () => Promise<Result>,
): Promise<Result> =>
  inTransaction(pool, async (client) => {
    await client.query("select set_config('lock_timeout', $1, true)", [`${leftUntil(deadline)}`]);
    await client
      .query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [name])
      .catch((error: Error & { code?: string }) => {
        throw error.code === lockNotAvailable ? tooManyBefore(error) : error;
      });
    return work();
  });
