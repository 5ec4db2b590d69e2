import { createHash, randomUUID } from "node:crypto";
import type { Shard } from "@heliograph/contracts";
import type pg from "pg";
import type { Logger } from "pino";
import { isMachinery } from "./faults.ts";
import { keepLooking, type Looking } from "./looking.ts";
import { Refusals } from "./refusals.ts";
import { hideCopy, showCopy, type Copy } from "./tables/copies.ts";
import type { FeedMember } from "./types.ts";

/** Copies that come are noticed after so long at most. */
const lookEveryMs = 1_000;
/** When the database has not answered for so long, what fails is not this process' trouble alone. */
const heardMs = 3_000;

/** Which shards are this process'. */
export type Placement = Pick<FeedMember, "assigned" | "onChange" | "leave"> & {
  /** How one of them does. Left out where nobody asks what this process can run. */
  readonly failed?: (shard: Shard) => void;
  readonly sound?: (shard: Shard) => void;
};

const weightOf = (copy: string, shard: number): string =>
  createHash("sha256").update(`${copy}/${shard}`).digest("hex");

/**
 * Which copy has which shard: each as many as any other, or one more, and those of a copy that comes or goes are most of what moves. One that its copy refuses goes to another that does not; the
 * others stay where they are, since that copy may not be able to run those either. All copies come to the same, given the same ones in whatever order.
 */
export function divideShards(copies: readonly Copy[], shards: number): readonly string[] {
  const even = Math.floor(shards / copies.length);
  let larger = shards % copies.length;
  const had = new Map<Copy, number>();
  return Array.from({ length: shards }, (_, shard) => {
    const weights = new Map(copies.map((copy) => [copy, weightOf(copy.id, shard)]));
    const least = (of: readonly Copy[]): Copy | undefined =>
      of.reduce<Copy | undefined>(
        (found, each) =>
          found === undefined || weights.get(each)! < weights.get(found)! ? each : found,
        undefined,
      );
    const owner = least(
      copies.filter((each) => {
        const count = had.get(each) ?? 0;
        return count < even || (count === even && larger > 0);
      }),
    )!;
    const count = had.get(owner) ?? 0;
    if (count === even) larger--;
    had.set(owner, count + 1);
    if (!owner.refused.includes(shard)) return owner.id;
    // Where nobody can, it is tried where it was.
    return (least(copies.filter(({ refused }) => !refused.includes(shard))) ?? owner).id;
  });
}

/** What is known of a consumer that this process runs in shards. */
type Divided = {
  readonly refusals: Refusals;
  readonly listeners: (() => void)[];
  /** By which copies the shards were divided. */
  by: string;
  mine: ReadonlySet<number>;
};

/**
 * Says whose turn a shard is where the events come from the log, so that nobody else says it: every copy shows itself in a table and divides the shards by those who do. That two copies see different
 * ones for a moment harms nothing, since a shard has one lease and its checkpoint one epoch: whoever has it by this waits for whoever still has it by those.
 */
export class Sharing {
  readonly #pool: pg.Pool;
  readonly #shards: number;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #id = randomUUID();
  readonly #consumers = new Map<string, Divided>();
  /** When the database last answered. */
  #heardAt = -Infinity;
  #looking: Looking | undefined;

  /** `now`: by which refusals begin and end. */
  constructor(pool: pg.Pool, shards: number, logger: Logger, now = () => performance.now()) {
    this.#pool = pool;
    this.#shards = shards;
    this.#logger = logger;
    this.#now = now;
  }

  /** This process runs that divided consumer. */
  join(consumer: string): Placement {
    const divided: Divided = { refusals: new Refusals(), listeners: [], by: "", mine: new Set() };
    this.#consumers.set(consumer, divided);
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
      assigned: ({ index }) => divided.mine.has(index),
      onChange: (listener) => void divided.listeners.push(listener),
      leave: () => this.close(),
      sound: ({ index }) => divided.refusals.sound(index),
      failed: ({ index }) => {
        if (performance.now() - this.#heardAt > heardMs) return divided.refusals.excuse();
        if (!divided.refusals.failed(index, this.#now())) return;
        this.#logger.error(
          { consumer, shard: index },
          "a shard fails here again and again: other copies are asked to run it",
        );
        this.#looking?.wake();
      },
    };
  }

  async #look(): Promise<void> {
    const now = this.#now();
    const refused = new Map(
      [...this.#consumers].map(([name, { refusals }]) => [name, refusals.refused(now)]),
    );
    const shown = await showCopy(this.#pool, this.#id, refused);
    this.#heardAt = performance.now();
    for (const [consumer, copies] of shown) {
      const divided = this.#consumers.get(consumer)!;
      const by = JSON.stringify(copies);
      if (by === divided.by) continue;
      const owners = divideShards(copies, this.#shards);
      divided.by = by;
      divided.mine = new Set(owners.flatMap((owner, index) => (owner === this.#id ? [index] : [])));
      for (const listener of divided.listeners) listener();
    }
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
