import type pg from "pg";

/** Fewer than the pool has connections: phones that all wake at once queue here, where nobody gives up, and leave room for other reads. */
const maxAtOnce = 4;

type Turns = { running: number; readonly waiting: (() => void)[] };
const turns = new WeakMap<pg.Pool, Turns>();

/** Runs the work when it is its turn among those of a pool, first come, first served. */
export async function inTurn<Result>(pool: pg.Pool, work: () => Promise<Result>): Promise<Result> {
  let state = turns.get(pool);
  if (state === undefined) turns.set(pool, (state = { running: 0, waiting: [] }));
  if (state.running < maxAtOnce) state.running++;
  else await new Promise<void>((resolve) => void state.waiting.push(resolve));
  try {
    return await work();
  } finally {
    // Whoever is next takes over the place.
    const next = state.waiting.shift();
    if (next === undefined) state.running--;
    else next();
  }
}
