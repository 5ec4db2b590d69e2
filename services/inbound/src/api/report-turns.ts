import { BodyBudget, type BodyHold, type BodyLimits } from "@heliograph/api";
import { FairQueue } from "@heliograph/log";
import { followUp, Others, pause, sendsUnderWay } from "@heliograph/runtime";

export type TurnLimits = {
  /** Reports of one round while nobody calls with a key. */
  readonly alone: number;
  /** The same while somebody does: all that read them take some 8 ms of processors for a round. Eight of them made a send wait for twice as long, and took a fifth more reports a second in one run of two. */
  readonly beside: number;
  /**
   * So many that wait have the rounds of those who are alone, whoever calls: fewer go the part of the way. Not every provider posts again (Twilio once, and only when it cannot connect), and
   * they give up after some ten seconds: a receipt that comes late is worth more than the send beside it.
   */
  readonly pressing: number;
  /** What those hold that are received or wait. */
  readonly bytes: BodyLimits;
};
const defaultLimits: TurnLimits = {
  alone: 64,
  beside: 4,
  pressing: 1_000,
  // Some 5,000 small ones of a gateway, 7,000 of all.
  bytes: { perNameBytes: 96 * 1_048_576, totalBytes: 128 * 1_048_576 },
};
/** What a report takes beside its body while it waits: a connection, a request and an answer to come are 7 KB of a process, and some more is known of them. */
const besideBodyBytes = 16 * 1_024;

/** Behind what stood still for long nothing is gained by standing still as long again. */
const longestRestMs = 100;
/** What a rest takes of the time that its round took, and the most that it is drawn out by while a send is under way. With a rest as long as the round and nothing behind it sends waited longer, at the same rate. */
const restOfRound = 0.7;
const gapOfRound = 2;
/** The consumers are waited for no longer: four times the round was too little for the sends beside it, and where others keep them busy the rounds grow with what waits. */
const longestFollowUpMs = 200;

/**
 * Lets what providers report be stored in rounds, gateways in turns. Those of a round share each commit and each batch on their way, which costs a third of what they cost one by one; a
 * storm of more than a round waits at its providers. While people call, each round is followed by a rest, by what the consumers make of it, and by the end of the sends that are under way, so that whoever sends meets one round at most; the more wait, the
 * larger the rounds and the shorter the rests. What waits is bounded by its bytes alone: a report that is refused may never come again.
 */
export class ReportTurns {
  readonly #limits: TurnLimits;
  readonly #now: () => number;
  readonly #budget: BodyBudget;
  readonly #waiting = new FairQueue<(crowded: boolean) => Promise<unknown>>();
  /** Who call with a key. */
  readonly others: Others;
  #goesRound = false;

  constructor(limits: TurnLimits = defaultLimits, now: () => number = () => performance.now()) {
    this.#limits = limits;
    this.#budget = new BodyBudget(limits.bytes);
    this.#now = now;
    this.others = new Others(now);
  }

  /** Room for a report from its first byte until it is answered; grows with its body. Throws as a `BodyHold` does when there is none. */
  hold(name: string): BodyHold {
    const hold = this.#budget.hold(name);
    hold.grow(besideBodyBytes);
    return hold;
  }

  /** Does it in its round; `crowded`: while others call, and more wait than the round takes. */
  run(name: string, work: (crowded: boolean) => Promise<void>): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#waiting.push(name, (crowded) => work(crowded).then(resolve, reject));
    if (!this.#goesRound) void this.#rounds();
    return promise;
  }

  async #rounds(): Promise<void> {
    this.#goesRound = true;
    while (this.#waiting.size > 0) {
      const began = this.#now();
      const round: Promise<unknown>[] = [];
      const { alone, beside } = this.#limits;
      const most = beside + Math.floor((alone - beside) * this.#haste);
      const crowded = this.others.areThere && this.#waiting.size > most;
      while (round.length < most && this.#waiting.size > 0)
        round.push(this.#waiting.shift()!(crowded));
      await Promise.all(round);
      const tookMs = Math.min(this.#now() - began, longestRestMs) * (1 - this.#haste);
      if (tookMs === 0) continue;
      await pause(tookMs * restOfRound);
      // By now the consumers have been handed what came of it.
      await followUp.done(longestFollowUpMs);
      await sendsUnderWay.gap(tookMs * gapOfRound);
    }
    this.#goesRound = false;
  }

  /** From 0, where people who call come first, to 1, where nobody does or too much waits. */
  get #haste(): number {
    if (!this.others.areThere) return 1;
    return Math.min(1, this.#waiting.size / this.#limits.pressing);
  }
}
