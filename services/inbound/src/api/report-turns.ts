import { PublicError } from "@heliograph/contracts";
import { FairQueue } from "@heliograph/log";
import { pause } from "@heliograph/runtime";

export type TurnLimits = {
  /** Reports of one round while nobody calls with a key. */
  readonly alone: number;
  /** The same while somebody does: all that read them take some 15 ms of processors for a round. */
  readonly beside: number;
  /** That wait, of one gateway and of all. Who is told 503 posts again. */
  readonly waitingPerName: number;
  readonly waiting: number;
};
const defaultLimits: TurnLimits = { alone: 64, beside: 8, waitingPerName: 1_000, waiting: 5_000 };

/** Who has called within this time is somebody to make room for. */
const rememberedMs = 10_000;
/** Behind what stood still for long nothing is gained by standing still as long again. */
const longestRestMs = 100;

/**
 * Lets what providers report be stored in rounds, gateways in turns. Those of a round share each commit and each batch on their way, which costs a third of what they cost one by one; a
 * storm of more than a round waits at its providers. While people call, each round is followed by a rest as long as it took, so that whoever sends meets one round at most.
 */
export class ReportTurns {
  readonly #limits: TurnLimits;
  readonly #now: () => number;
  readonly #waiting = new FairQueue<() => Promise<unknown>>();
  #goesRound = false;
  #calledAt = -Infinity;

  constructor(limits: TurnLimits = defaultLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#now = now;
  }

  /** Somebody calls who is no provider. */
  called(): void {
    this.#calledAt = this.#now();
  }

  /** Throws `overloaded` when too much waits. */
  run(name: string, work: () => Promise<void>): Promise<void> {
    const { waitingPerName, waiting } = this.#limits;
    if (this.#waiting.sizeOf(name) >= waitingPerName || this.#waiting.size >= waiting)
      throw new PublicError("overloaded", "Too many reports wait to be stored.", {
        retryAfterSeconds: 1,
      });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push(name, () => work().then(resolve, reject));
    if (!this.#goesRound) void this.#rounds();
    return promise;
  }

  async #rounds(): Promise<void> {
    this.#goesRound = true;
    while (this.#waiting.size > 0) {
      const began = this.#now();
      const round: Promise<unknown>[] = [];
      const most = this.#isShared ? this.#limits.beside : this.#limits.alone;
      while (round.length < most && this.#waiting.size > 0) round.push(this.#waiting.shift()!());
      await Promise.all(round);
      if (this.#isShared) await pause(Math.min(this.#now() - began, longestRestMs));
    }
    this.#goesRound = false;
  }

  get #isShared(): boolean {
    return this.#now() - this.#calledAt < rememberedMs;
  }
}
