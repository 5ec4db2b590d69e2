import { PublicError } from "@heliograph/contracts";
import { FairQueue } from "@heliograph/log";

export type StartLimits = {
  /** Requests that begin in one turn of the event loop: some two milliseconds of it. */
  readonly perTurn: number;
  /** That wait for their turn, of one partner. */
  readonly waitingPerName: number;
  readonly waiting: number;
};
const defaultLimits: StartLimits = { perTurn: 16, waitingPerName: 1_000, waiting: 10_000 };

/**
 * Lets requests begin a few at a time, partners in turns: who comes while hundreds of another's have just arrived begins after one of each of the others, not after them all. Between
 * two turns the loop does what else there is to do, so that a burst of requests does not hold up messages on their way either.
 */
export class FairStarts {
  readonly #limits: StartLimits;
  readonly #later: (next: () => void) => void;
  readonly #waiting = new FairQueue<() => void>();
  #started = 0;
  #scheduled = false;

  constructor(
    limits: StartLimits = defaultLimits,
    later: (next: () => void) => void = setImmediate,
  ) {
    this.#limits = limits;
    this.#later = later;
  }

  /** Undefined when it may begin at once. Throws `rate_limited` when too much of this name waits, `overloaded` when too much of all does. */
  enter(name: string): Promise<void> | undefined {
    if (this.#waiting.size === 0 && this.#started < this.#limits.perTurn) {
      this.#started++;
      this.#schedule();
      return undefined;
    }
    if (this.#waiting.sizeOf(name) >= this.#limits.waitingPerName)
      throw new PublicError(
        "rate_limited",
        `${this.#limits.waitingPerName} of your requests wait to be handled.`,
        { retryAfterSeconds: 1 },
      );
    if (this.#waiting.size >= this.#limits.waiting)
      throw new PublicError("overloaded", "Too many requests wait to be handled.", {
        retryAfterSeconds: 1,
      });
    return new Promise((resolve) => this.#waiting.push(name, resolve));
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#later(this.#turn);
  }

  readonly #turn = (): void => {
    this.#scheduled = false;
    this.#started = 0;
    while (this.#started < this.#limits.perTurn && this.#waiting.size > 0) {
      this.#started++;
      this.#waiting.shift()!();
    }
    if (this.#started > 0) this.#schedule();
  };
}
