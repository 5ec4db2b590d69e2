/** So many events share a flush well enough. */
const ENOUGH = 7;
/** Nobody waits longer for company. */
const LONGEST_MS = 10;
/** Where less than four calls come within that time, on average, nobody waits at all. At two, the waits of 50 messages a second doubled their p99 and saved nothing. */
const LONGEST_GAP_MS = LONGEST_MS / 4;
/** Nor where so many come that the flushes under way keep enough together. At 0.6 half of what two cores can do, 850 messages a second, was left out, and cost a quarter more beside others and a sixth more alone in a fast hour (docs/performance-measures.md). */
const SHORTEST_GAP_MS = 0.1;
/** Rounds follow each other within it: they take some 15 ms, with the rest behind each, and longer on a machine that is busy. */
const CROWDED_MS = 250;
/** What the newest gap between two calls weighs in their mean. */
const NEWEST = 1 / 64;
/** After it was waited for more in vain that is tried again in so long, and in twice the time whenever it was in vain once more. */
const RETRY_FIRST_MS = 20;
const RETRY_LAST_MS = 1_000;

/**
 * How long a flush waits for company. At some hundred messages a second each would have commits and wake-ups of its own otherwise, here and in all that follows, and costs twice of what it does in a
 * crowd. The rate alone does not tell whether more will come: who appends again when he is answered is kept from it by the wait. So a flush waits for as many as came to the last one, or for one
 * more where that was not in vain lately. While there are crowds that come by themselves nobody waits: rounds of a few, each behind the answers to the one before, are kept from coming by the wait, and whoever
 * is not of them waits for what comes anyway.
 */
export class Gathering {
  #gapMs = LONGEST_MS;
  #lastAt = 0;
  #expected = 1;
  #tryAt = 0;
  #retryMs = RETRY_FIRST_MS;
  #since: number | undefined;
  #crowdedUntil = -Infinity;
  #alarm: NodeJS.Timeout | undefined;
  readonly #lookAgain: () => void;

  constructor(lookAgain: () => void) {
    this.#lookAgain = lookAgain;
  }

  /** Somebody appends; `crowded`: one of many that come in rounds. */
  called(now = performance.now(), crowded = false): void {
    if (crowded) this.#crowdedUntil = now + CROWDED_MS;
    const gap = Math.min(now - this.#lastAt, LONGEST_MS * 10);
    this.#gapMs += (gap - this.#gapMs) * NEWEST;
    this.#lastAt = now;
  }

  /** Whether so many events wait for more: then they are to be looked at again when more come, and are when they have waited long enough. */
  waits(ready: number): boolean {
    if (ready === 0) return true;
    const waitMs = this.waitMs(ready, performance.now());
    if (waitMs > 0 && this.#alarm === undefined)
      this.#alarm = setTimeout(() => {
        this.#alarm = undefined;
        this.#lookAgain();
      }, waitMs);
    return waitMs > 0;
  }

  /** How long these events go on waiting unless more come; 0: they are sent now. */
  waitMs(ready: number, now: number): number {
    const wanted = this.#wanted(now);
    if (ready >= wanted) {
      if (wanted > this.#expected) this.#retryMs = RETRY_FIRST_MS;
      return this.#send(wanted);
    }
    this.#since ??= now;
    const left = this.#since + LONGEST_MS - now;
    if (left > 0) return left;
    // That fewer came than before says nothing of whether one more comes than now.
    if (ready < this.#expected) this.#retryMs = RETRY_FIRST_MS;
    this.#tryAt = now + this.#retryMs;
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_LAST_MS);
    return this.#send(ready);
  }

  #wanted(now: number): number {
    if (now < this.#crowdedUntil) return 1;
    if (this.#gapMs > LONGEST_GAP_MS || this.#gapMs < SHORTEST_GAP_MS) return 1;
    return Math.min(ENOUGH, this.#expected + (now >= this.#tryAt ? 1 : 0));
  }

  #send(expected: number): 0 {
    this.#since = undefined;
    this.#expected = expected;
    return 0;
  }
}
