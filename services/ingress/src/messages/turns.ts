import { PublicError } from "@heliograph/contracts";
import { Fifo, PartnerTurns } from "@heliograph/runtime";

/**
 * Takes turns: at most so many go at once, and of those that wait each name has its turn before any has its second. So a partner with many
 * batches waits for itself, not others for it.
 */
export class Turns {
  readonly #atOnce: number;
  readonly #mostWaiting: number;
  #going = 0;
  readonly #waiting = new PartnerTurns(() => new Fifo<() => void>());

  /** `mostWaiting` of one name; whoever has more hears that he asks for too much. */
  constructor(atOnce: number, mostWaiting = Infinity) {
    this.#atOnce = atOnce;
    this.#mostWaiting = mostWaiting;
  }

  /** Resolves when it is this name's turn; what it gives ends the turn and must be called. Throws `rate_limited` when too much of this name waits. */
  async take(name: string): Promise<() => void> {
    if (this.#going < this.#atOnce) this.#going++;
    else {
      if (this.#waiting.sizeOf(name) >= this.#mostWaiting)
        throw new PublicError(
          "rate_limited",
          `${this.#mostWaiting} of your sends wait to be stored.`,
          {
            retryAfterSeconds: 1,
          },
        );
      await new Promise<void>((resolve) => this.#waiting.of(name).push(resolve));
    }
    return () => this.#next();
  }

  #next(): void {
    for (const [name, queue] of this.#waiting) {
      const begin = queue.shift()!;
      this.#waiting.had(name);
      return begin();
    }
    this.#going--;
  }
}
