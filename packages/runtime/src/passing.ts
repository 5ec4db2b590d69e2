import type pg from "pg";
import { commitParts, Fenced, moveAll, type Move } from "./tables/parts.ts";

/** Moves that come within this time share a commit. */
const gatherMs = 5;

type Waiting = {
  readonly move: Move;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
};
const waiting = new WeakMap<pg.Pool, Waiting[]>();

/** Moves a checkpoint that only passes over events, in one commit with others that do. Throws Fenced where another owner has moved it. */
export function passOver(pool: pg.Pool, move: Move): Promise<void> {
  return new Promise((done, failed) => {
    const one = { move, done, failed };
    const gathering = waiting.get(pool);
    if (gathering !== undefined) return void gathering.push(one);
    waiting.set(pool, [one]);
    setTimeout(() => {
      const all = waiting.get(pool)!;
      waiting.delete(pool);
      void moveTogether(pool, all);
    }, gatherMs);
  });
}

async function moveTogether(pool: pg.Pool, all: readonly Waiting[]): Promise<void> {
  let moved: ReadonlySet<string>;
  try {
    moved = await moveAll(
      pool,
      all.map(({ move }) => move),
    );
  } catch {
    // What is wrong with one, such as tables that are just being swapped, is not the others' trouble.
    for (const { move, done, failed } of all) commitParts(pool, move).then(done, failed);
    return;
  }
  for (const { move, done, failed } of all)
    if (moved.has(move.name)) done();
    else failed(new Fenced(move.name));
}
