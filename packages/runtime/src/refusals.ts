/** A shard fails for so long before others are asked to run it. */
const patienceMs = 15_000;
/** Failures that are further apart are none of one trouble: a unit that fails is started again sooner. */
const apartMs = 30_000;
const firstRestMs = 60_000;
const longestRestMs = 16 * 60_000;

type Trouble = {
  readonly since: number;
  last: number;
  /** Until when the shard is refused; 0 before the first time. */
  until: number;
  restMs: number;
};

/**
 * The shards of one consumer that this process cannot run, since they fail again and again. Each is refused for a minute, and at its next failure after that for twice as long, until it has run
 * soundly here.
 */
export class Refusals {
  readonly #troubles = new Map<number, Trouble>();

  /** True when the shard is refused from now on. */
  failed(shard: number, now: number): boolean {
    const trouble = this.#troubles.get(shard);
    if (trouble === undefined || (trouble.until === 0 && now - trouble.last > apartMs)) {
      this.#troubles.set(shard, { since: now, last: now, until: 0, restMs: firstRestMs });
      return false;
    }
    trouble.last = now;
    const isDue = trouble.until === 0 ? now - trouble.since >= patienceMs : now >= trouble.until;
    if (!isDue) return false;
    trouble.until = now + trouble.restMs;
    trouble.restMs = Math.min(2 * trouble.restMs, longestRestMs);
    return true;
  }

  /** It has run as it should. */
  sound(shard: number): void {
    this.#troubles.delete(shard);
  }

  /** What fails while the database is away fails everywhere: it says nothing of this process. */
  excuse(): void {
    for (const [shard, { until }] of this.#troubles) if (until === 0) this.#troubles.delete(shard);
  }

  refused(now: number): readonly number[] {
    const shards = [...this.#troubles].flatMap(([shard, { until }]) => (now < until ? shard : []));
    return shards.toSorted((one, other) => one - other);
  }
}
