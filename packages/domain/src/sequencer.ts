/**
 * By how much a restore to an earlier point raises every partner's count, in each environment: more events than a partner can have had
 * after the backup (at 1,000 a second it takes eleven days), and little of the 2^53 that a number in JSON holds.
 */
export const restoreRaise = 1_000_000_000;

/**
 * Counts each partner's lifecycle events in position order, without a hole but for what a restore raises. Whoever starts from the same counters and
 * sees the same events hands out the same numbers: feed and webhooks agree without asking each other.
 */
export type Sequencer = {
  /** The number of the partner's next event, from 1. Throws when the partner's counter is not known yet. */
  next(partner: string): number;
  /** Leaves out that many numbers, and gives where the count then stands. */
  raise(partner: string, by: number): number;
  knows(partner: string): boolean;
  /** Sets where a partner's count stands: 0 for a partner that has no event yet. */
  seed(partner: string, sequence: number): void;
};

/** `complete` says that a partner who is not among `counters` has no events: it starts from 0 instead of being unknown. */
export function createSequencer(
  counters: Iterable<readonly [string, number]> = [],
  complete = false,
): Sequencer {
  const counts = new Map(counters);
  const raise = (partner: string, by: number): number => {
    const count = counts.get(partner) ?? (complete ? 0 : undefined);
    if (count === undefined) throw new Error(`the sequence of ${partner} was not loaded`);
    counts.set(partner, count + by);
    return count + by;
  };
  return {
    next: (partner) => raise(partner, 1),
    raise,
    knows: (partner) => complete || counts.has(partner),
    seed: (partner, sequence) => void counts.set(partner, sequence),
  };
}
