/** Records of one request may arrive partition by partition: a hole in the total order is looked into after this long. */
export const holeAfterMs = 1_500;
/** Longer than a wait for the missing records: the process itself stood still, and what came meanwhile is looked at first. */
const stoodStillMs = 5_000;
const tellAfterMs = 200;
const firstLookMs = 50;
const slowestLookMs = 5_000;
/** However long the pauses between looks have become: somebody who was woken looks again within this time. */
const lookWithinMs = 1_000;

export type Hole = { readonly since: number; readonly head: bigint };

/** What one reader waits for: a bell, a hole that is late or gone, and the next look at the log itself. */
export class Watch {
  #bell = Promise.withResolvers<void>();
  #hole: Hole | undefined;
  #lookMs = firstLookMs;
  #lookAt = performance.now() + firstLookMs;

  readonly wake = (): void => this.#bell.resolve();

  begin(): void {
    this.#bell = Promise.withResolvers<void>();
  }

  /** Something came. */
  moved(): void {
    this.#hole = undefined;
    this.#lookMs = firstLookMs;
  }

  /** There is a hole: since when, and what was the head then. */
  holeSeen(head: bigint): Hole {
    return (this.#hole ??= { since: performance.now(), head });
  }

  holeClosed(): void {
    this.#hole = undefined;
  }

  /** Whether it is time to look at the log itself. */
  isDue(): boolean {
    return performance.now() >= this.#lookAt;
  }

  looked(found: boolean): void {
    this.#lookMs = found ? firstLookMs : Math.min(this.#lookMs * 2, slowestLookMs);
    this.#lookAt = performance.now() + this.#lookMs;
  }

  /** Until the bell rings, or there is something to look at. */
  async wait(atHole: boolean, losses: boolean): Promise<void> {
    const waitsAt = performance.now();
    const most = losses ? tellAfterMs : Number.POSITIVE_INFINITY;
    const waitMs = atHole ? holeAfterMs / 4 : this.#lookAt - waitsAt;
    const timer = setTimeout(this.wake, Math.min(most, Math.max(1, waitMs)));
    await this.#bell.promise;
    clearTimeout(timer);
    if (performance.now() - waitsAt > stoodStillMs) this.#hole = undefined;
    this.#lookAt = Math.min(this.#lookAt, performance.now() + lookWithinMs);
  }
}
