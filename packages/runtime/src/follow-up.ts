/** Nobody waits for longer: consumers that stand still stop nobody. */
const longestMs = 200;
const lookMs = 2;
/** Events that are nothing to wait for, some ten messages' worth: a few come together at some consumers before they are looked at. */
const fewEvents = 100;

/**
 * What the consumers of this process have still to do of what was appended. Work that can wait lets them do it before it begins its next piece, which would only queue behind it, and the sends of others with
 * both. Consumers in other processes are not seen.
 */
export class FollowUp {
  readonly #consumers = new Set<() => number>();

  /** `behind`: how many events these consumers are, until what this gives is called. */
  add(behind: () => number): () => void {
    this.#consumers.add(behind);
    return () => void this.#consumers.delete(behind);
  }

  /** Resolves once no more than a few events are left to do, and after `mostMs`, 200 at most, in any case: where others alone keep the consumers busy, work that can wait goes on, slowly. */
  async done(mostMs: number): Promise<void> {
    const until = performance.now() + Math.min(mostMs, longestMs);
    while (this.#isMuch() && performance.now() < until)
      await new Promise((resolve) => setTimeout(resolve, lookMs));
  }

  #isMuch(): boolean {
    for (const behind of this.#consumers) if (behind() > fewEvents) return true;
    return false;
  }
}

/** Of the process: whatever environment they are of, it is the same processors' time. */
export const followUp = new FollowUp();
