import type { EventLog, Page, Position, ReadAllOptions, RecordedEvent } from "../types.ts";

/** What is copied from, and what a copy is verified by. It must give events as they are stored, without an upcast. */
export type CopySource = Pick<EventLog, "head"> & {
  readAll(options: ReadAllOptions): Promise<Page>;
};

export type Tail = {
  /** The last events of a target, in order. */
  readonly events: readonly RecordedEvent[];
  /** The position of the event before them, 0n when there is none. */
  readonly after: Position;
  /** How far the target reaches: its last event, or the head that a finished copy gave it. */
  readonly end: Position;
};

/** What both sides of a copy have. `assertQuiet` throws CopyRefused while services use the log, where that can be seen. */
export type CopySide = { assertQuiet(): Promise<void>; close(): Promise<void> };

/** A log that takes events with the positions, revisions and times they had elsewhere. */
export type CopyTarget = {
  /** The target as its own reader sees it. */
  readonly log: CopySource;
  tail(limit: number): Promise<Tail>;
  /** Stores events that follow everything stored so far. They are durable, in this order, when it resolves. */
  write(events: readonly RecordedEvent[]): Promise<void>;
  /** The source's end has been reached: whatever is appended from now on gets a higher position than `head`. Repeatable. */
  finish(head: Position): Promise<void>;
};

export type CopyProgress = {
  readonly phase: "copy" | "verify";
  readonly events: number;
  readonly position: Position;
  readonly head: Position;
};

/** The copy must not go on as things are; the message says why and what helps. Nothing is damaged. */
export class CopyRefused extends Error {
  override readonly name = "CopyRefused";
}
