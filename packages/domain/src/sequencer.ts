/**
 * Counts each partner's lifecycle events in position order, without a hole. Whoever starts from the same counters and
 * sees the same events hands out the same numbers: feed and webhooks agree without asking each other.
 */
export type Sequencer = {
  /** The number of the partner's next event, from 1. Throws when the partner's counter is not known yet. */
  next(partner: string): number;
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
  return {
    next(partner) {
      const count = counts.get(partner) ?? (complete ? 0 : undefined);
      if (count === undefined) throw new Error(`the sequence of ${partner} was not loaded`);
      counts.set(partner, count + 1);
      return count + 1;
    },
    knows: (partner) => complete || counts.has(partner),
    seed: (partner, sequence) => void counts.set(partner, sequence),
  };
}
