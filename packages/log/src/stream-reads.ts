import { ReadTooLarge, type ReadStreamOptions, type RecordedEvent } from "./types.ts";

export type ReadLimits = {
  /** Most events that are asked for at once: a page of ordinary ones is read in some milliseconds. */
  readonly pageEvents: number;
  /** A page ends with the event that reaches this, so that five hundred of the largest are not one answer. */
  readonly pageBytes: number;
  /** Most bytes that a read of whole streams gives. */
  readonly maxBytes: number;
};

/** Five hundred messages of the largest size, half a MiB with what their template was given, are the most that a consumer reads at once; a stream on its own stays far below. */
export const DEFAULT_READS: ReadLimits = {
  pageEvents: 1_000,
  pageBytes: 8 * 1_048_576,
  maxBytes: 256 * 1_048_576,
};

export type StreamPage = {
  readonly events: readonly RecordedEvent[];
  readonly bytes: number;
  /** The page ended because it was full: there may be more behind it. */
  readonly full: boolean;
};

/** At most `limit` events from one revision on, and at least one when there is any. */
export type ReadPage = (
  stream: string,
  options: {
    readonly from: number | undefined;
    readonly limit: number;
    readonly backwards: boolean;
  },
) => Promise<StreamPage>;

/** Counts what a read has gathered. Throws ReadTooLarge when it is too much. */
export function makeBudget(what: string, maxBytes: number): (bytes: number) => void {
  let left = maxBytes;
  return (bytes) => {
    left -= bytes;
    if (left < 0) throw new ReadTooLarge(what, maxBytes);
  };
}

async function* pagesOf(
  readPage: ReadPage,
  limits: ReadLimits,
  stream: string,
  { from, limit = Infinity, backwards = false }: ReadStreamOptions,
): AsyncGenerator<StreamPage> {
  let next = from;
  let left = limit;
  while (left > 0 && (next === undefined || next >= 0)) {
    const asked = Math.min(left, limits.pageEvents);
    const page = await readPage(stream, { from: next, limit: asked, backwards });
    yield page;
    const last = page.events.at(-1);
    if (last === undefined || !page.full) return;
    left -= page.events.length;
    next = last.revision + (backwards ? -1 : 1);
  }
}

/** Reads of one stream, whatever its events are. */
export type StreamReads = {
  readStream(stream: string, options?: ReadStreamOptions): Promise<readonly RecordedEvent[]>;
  scanStream(stream: string, options?: ReadStreamOptions): AsyncIterable<RecordedEvent>;
};

/** Reads of one stream made of pages. */
export function makeStreamReads(readPage: ReadPage, limits: ReadLimits): StreamReads {
  return {
    async readStream(stream, options = {}) {
      const spend = makeBudget(stream, limits.maxBytes);
      const found: RecordedEvent[] = [];
      for await (const { events, bytes } of pagesOf(readPage, limits, stream, options)) {
        spend(bytes);
        for (const event of events) found.push(event);
      }
      return found;
    },
    async *scanStream(stream, options = {}) {
      for await (const { events } of pagesOf(readPage, limits, stream, options)) yield* events;
    },
  };
}
