/** What of a log is archived: events, the bytes of their files that are here, and the last position. */
export type ArchiveSize = {
  readonly events: number;
  readonly bytes: number;
  readonly position: number;
};

/** What a driver tells of its appends, for metrics. Called on the hot path: it must not throw, and cost next to nothing. */
export type AppendWatch = {
  /** Once, when the log opens: how to look up the number of appends that wait or are under way. */
  readonly opened: (waiting: () => number) => void;
  /** A flush is durable: its events, and how long it was under way. */
  readonly flushed: (events: number, tookMs: number) => void;
};

/** What PostgreSQL's log tells of its archive, for metrics. It must not throw. */
export type ArchiveWatch = {
  /** How much is archived, once a minute. */
  readonly archived: (size: ArchiveSize) => void;
  /** Archived events could not be read: their file was not there, or not what was written. */
  readonly archiveFailed: () => void;
};

export const unwatched: AppendWatch = { opened: () => {}, flushed: () => {} };
export const unwatchedArchive: ArchiveWatch = { archived: () => {}, archiveFailed: () => {} };
