import { pagesOf } from "./copy/read.ts";
import type { CopySource } from "./copy/types.ts";
import type { Position, RecordedEvent, Seal } from "./types.ts";

export type LogFlaw = {
  readonly position: Position;
  /** Where more than one event is meant, the last of them: a link of the chain tells of all its events together. */
  readonly through?: Position;
  readonly what: string;
};

export type VerifiedLog = {
  readonly events: number;
  /** Of the last event, 0n when there is none. */
  readonly position: Position;
  /** What the chain comes to there, in hexadecimal; left out where the driver has no chain. Written down, it shows later that nobody has made the chain anew. */
  readonly hash?: string;
  /** How many of the seals given lay where there is a chain to hold them against: none of a part that was copied from another log, which had a chain of its own. */
  readonly compared: number;
  /** The first one found. */
  readonly flaw?: LogFlaw;
};

export type VerifyLogOptions = {
  /** What is wrong with an event as its schema sees it. */
  readonly flawOf: (event: RecordedEvent) => string | undefined;
  /** What the chain came to before, by their positions. */
  readonly seals?: readonly Seal[];
  /** Where an earlier run had come to, and this one goes on: what lies before is taken as it was. */
  readonly from?: Seal | undefined;
  /** The folder of archived events, where there are some. */
  readonly archiveDir?: string | undefined;
  /** Is given every event, in order, once it is sound by itself. */
  readonly onEvents?: (events: readonly RecordedEvent[]) => Promise<void>;
  readonly onProgress?: (progress: {
    readonly phase: "events" | "streams";
    readonly done: number;
    readonly position: Position;
    readonly head: Position;
  }) => void;
  readonly signal: AbortSignal;
};

/** What is wrong with one event by itself: it cannot be read, or breaks its schema. */
export const eventFlaw = (
  event: RecordedEvent,
  flawOf: VerifyLogOptions["flawOf"],
): LogFlaw | undefined => {
  const what = event.version === 0 ? String(event.metadata["unreadable"]) : flawOf(event);
  const { position, type, stream, revision } = event;
  return what === undefined
    ? undefined
    : { position, what: `${type} (revision ${revision} of ${stream}): ${what}` };
};

/** Streams whose last revision is remembered: what is older is taken as it comes, so that memory stays flat. */
const rememberedStreams = 200_000;

/**
 * Reads a log that has no chain from its start: whether positions grow, revisions follow each other, and every event can be read and fits its schema. What was changed with care, or
 * taken away with the whole of its stream, is not seen.
 */
export async function verifyByReading(
  log: CopySource,
  { flawOf, onEvents, onProgress, signal }: Omit<VerifyLogOptions, "seals" | "from" | "archiveDir">,
): Promise<VerifiedLog> {
  const head = await log.head();
  const last = new Map<string, number>();
  let events = 0;
  let position = 0n;
  const check = (event: RecordedEvent): LogFlaw | undefined => {
    const { stream, revision } = event;
    if (event.position <= position)
      return { position: event.position, what: `it comes after position ${position}` };
    const before = last.get(stream);
    // Put in anew, so that the streams of the longest silence are forgotten first.
    last.delete(stream);
    last.set(stream, revision);
    if (last.size > rememberedStreams) last.delete(last.keys().next().value!);
    if (before !== undefined && revision !== before + 1)
      return {
        position: event.position,
        what: `revision ${revision} of ${stream} follows ${before}`,
      };
    return eventFlaw(event, flawOf);
  };
  for await (const page of pagesOf(log, { after: 0n, head, signal })) {
    for (const event of page.events) {
      const flaw = check(event);
      if (flaw !== undefined) return { events, position, compared: 0, flaw };
      ({ position } = event);
      events++;
    }
    await onEvents?.(page.events);
    onProgress?.({ phase: "events", done: events, position: page.position, head });
  }
  return { events, position, compared: 0 };
}
