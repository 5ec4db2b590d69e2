/** Events that the topic did not have and the log gave. */
export type Loss = {
  readonly consumer: string;
  readonly shard: number | undefined;
  /** They are after this position, */
  readonly after: bigint;
  /** up to and including this one. */
  readonly until: bigint;
  readonly events: number;
};

/**
 * Takes out of `losses` those whose events are stored. Only these were lost: an owner that stood still while another took its work over goes on for a moment at its old position, where the
 * topic's records, which its group has committed meanwhile, look missing to it; it never stores them.
 */
export function takeStored(losses: Loss[], durable: bigint): readonly Loss[] {
  const stored = losses.filter(({ until }) => until <= durable);
  if (stored.length > 0)
    losses.splice(0, losses.length, ...losses.filter(({ until }) => until > durable));
  return stored;
}

/** What a log line says of it. */
export const lineOf = (loss: Loss) => ({
  ...loss,
  after: String(loss.after),
  until: String(loss.until),
});
