/** What a driver tells of its appends, for metrics. Called on the hot path: it must not throw, and cost next to nothing. */
export type AppendWatch = {
  /** Once, when the log opens: how to look up the number of appends that wait or are under way. */
  readonly opened: (waiting: () => number) => void;
  /** A flush is durable: its events, and how long it was under way. */
  readonly flushed: (events: number, tookMs: number) => void;
};

export const unwatched: AppendWatch = { opened: () => {}, flushed: () => {} };
