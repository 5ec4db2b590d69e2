import { createHash, randomUUID } from "node:crypto";
import type pg from "pg";
import type { Logger } from "pino";
import { isMachinery } from "./faults.ts";
import { keepLooking, type Looking } from "./looking.ts";
import { hideCopy, showCopy } from "./tables/copies.ts";
import type { FeedMember } from "./types.ts";

/** Copies that come are noticed after so long at most. */
const lookEveryMs = 1_000;

/** Which shards are this process'. */
export type Placement = Pick<FeedMember, "assigned" | "onChange" | "leave">;

const weightOf = (copy: string, shard: number): string =>
  createHash("sha256").update(`${copy}/${shard}`).digest("hex");

/**
 * Which copy has which shard: each as many as any other, or one more, and those of a copy that comes or goes are most of what moves. All copies come to the same, given the same names in whatever
 * order.
 */
export function divideShards(copies: readonly string[], shards: number): readonly string[] {
  const even = Math.floor(shards / copies.length);
  let larger = shards % copies.length;
  const had = new Map<string, number>();
  return Array.from({ length: shards }, (_, shard) => {
    const [copy] = copies
      .filter((each) => {
        const count = had.get(each) ?? 0;
        return count < even || (count === even && larger > 0);
      })
      .toSorted((one, other) => (weightOf(one, shard) < weightOf(other, shard) ? -1 : 1));
    const count = had.get(copy!) ?? 0;
    if (count === even) larger--;
    had.set(copy!, count + 1);
    return copy!;
  });
}

/**
 * Says whose turn a shard is where the events come from the log, so that nobody else says it: every copy shows itself in a table and divides the shards by those who do. That two copies see different
 * ones for a moment harms nothing, since a shard has one lease and its checkpoint one epoch: whoever has it by this waits for whoever still has it by those.
 */
export class Sharing {
  readonly #pool: pg.Pool;
  readonly #shards: number;
  readonly #logger: Logger;
  readonly #id = randomUUID();
  readonly #mine = new Map<string, ReadonlySet<number>>();
  readonly #listeners: (() => void)[] = [];
  #looking: Looking | undefined;

  constructor(pool: pg.Pool, shards: number, logger: Logger) {
    this.#pool = pool;
    this.#shards = shards;
    this.#logger = logger;
  }

  /** This process runs that divided consumer. */
  join(consumer: string): Placement {
    this.#mine.set(consumer, new Set());
    this.#looking ??= keepLooking(
      () => this.#look(),
      lookEveryMs,
      // Where the database is away, everybody says so, and all stays as it is.
      (error) => {
        if (isMachinery(error)) return;
        this.#logger.warn({ err: error }, "the copies that share the work are not known");
      },
    );
    this.#looking.wake();
    return {
      assigned: ({ index }) => this.#mine.get(consumer)!.has(index),
      onChange: (listener) => void this.#listeners.push(listener),
      leave: () => this.close(),
    };
  }

  async #look(): Promise<void> {
    const copies = await showCopy(this.#pool, this.#id, [...this.#mine.keys()]);
    for (const [consumer, ids] of copies) {
      const owners = divideShards(ids, this.#shards);
      const mine = owners.flatMap((owner, index) => (owner === this.#id ? [index] : []));
      this.#mine.set(consumer, new Set(mine));
    }
    for (const listener of this.#listeners) listener();
  }

  /** The others have its shards from now on, each as soon as this process has given up its lease. */
  async close(): Promise<void> {
    const looking = this.#looking;
    this.#looking = undefined;
    if (looking === undefined) return;
    await looking.close();
    // Where the database is away they notice it by themselves.
    await hideCopy(this.#pool, this.#id).catch(() => undefined);
  }
}
