import type { EventLog, Upcast, Validate } from "../src/index.ts";

export type Opened = {
  readonly log: EventLog;
  /** Where the log began: 0n, or the end of what the engine keeps for itself. */
  readonly start?: bigint;
  /** The same log as another process sees it; the log itself where there is no such thing. */
  readonly other: EventLog;
  close(): Promise<void>;
};
export type Open = (options: { validate?: Validate; upcast?: Upcast }) => Promise<Opened>;
