/** So many events share a flush well enough. */
const ENOUGH = 7;
/** Nobody waits longer for company. */
const LONGEST_MS = 10;
/** Where less than two and a half calls that somebody waits for come within that time, on average, nobody waits at all. When the waits began at fewer, those of 50 messages a second doubled their p99 and saved nothing. */
const LONGEST_GAP_MS = LONGEST_MS / 2.5;
/** Nor where so many come that the flushes under way keep enough together. At 0.6 half of what two cores can do, 850 messages a second, was left out, and cost a quarter more beside others and a sixth more alone in a fast hour (docs/performance-measures.md). */
const SHORTEST_GAP_MS = 0.1;
/** Rounds follow each other within it: they take some 15 ms, with the rest behind each, and longer on a machine that is busy. */
const CROWDED_MS = 250;
/** So long what nobody waits for is kept for company, which it does not hold up. */
const PATIENT_MS = 20;
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
  #patientSince: number | undefined;
  #alarm: NodeJS.Timeout | undefined;
  #alarmAt = Infinity;
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

  /**
   * Whether so many events wait for more, beside so many `patient` ones that nobody waits for: then they are to be looked at again when more come, and are when they have waited
   * long enough.
   */
  waits(ready: number, patient = 0): boolean {
    if (ready + patient === 0) return true;
    const now = performance.now();
    const waitMs = ready > 0 ? this.waitMs(ready, now) : this.#patienceMs(now);
    if (waitMs > 0) this.#lookIn(waitMs, now);
    else this.#patientSince = undefined;
    return waitMs > 0;
  }

  #patienceMs(now: number): number {
    this.#patientSince ??= now;
    return Math.max(0, this.#patientSince + PATIENT_MS - now);
  }

  #lookIn(waitMs: number, now: number): void {
    if (this.#alarmAt <= now + waitMs) return;
    clearTimeout(this.#alarm);
    this.#alarmAt = now + waitMs;
    this.#alarm = setTimeout(() => {
      this.#alarmAt = Infinity;
      this.#lookAgain();
    }, waitMs);
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
