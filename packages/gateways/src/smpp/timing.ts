/** Times of a connection to a message centre, in milliseconds. Tests have shorter ones. */
export type Timing = {
  readonly connectMs: number;
  readonly bindMs: number;
  readonly unbindMs: number;
  /** Nothing came for so long: the message centre is asked whether it is there, */
  readonly idleMs: number;
  /** and has so long to say so. */
  readonly linkMs: number;
  /** Between two tries to bind; doubled with every failure, up to the longest. Half of it is drawn. */
  readonly retryMs: number;
  readonly longestRetryMs: number;
  /** The same where the account is refused: only a person can mend that, and some centres lock out who tries often. */
  readonly refusedMs: number;
  readonly longestRefusedMs: number;
  /** A connection that lasted so long was a good one: the next failure is the first. */
  readonly stableMs: number;
  /** Nothing is sent for so long after a connection was throttled; doubled while that goes on. */
  readonly throttledMs: number;
  readonly longestThrottledMs: number;
  readonly firstSequence: number;
};

export const timing: Timing = {
  connectMs: 10_000,
  bindMs: 10_000,
  unbindMs: 1_000,
  idleMs: 30_000,
  linkMs: 10_000,
  retryMs: 1_000,
  longestRetryMs: 60_000,
  refusedMs: 30_000,
  longestRefusedMs: 600_000,
  stableMs: 10_000,
  throttledMs: 200,
  longestThrottledMs: 5_000,
  firstSequence: 1,
};
