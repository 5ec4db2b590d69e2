import {
  LogUnavailable,
  type EventIn,
  type EventLog,
  type Position,
  type ReadStreamOptions,
} from "./types.ts";

/** How many events of a stream come before the first that is later, where all behind that one are later too. Revisions are dense, so it is found by halving: some twenty reads of one event for a stream of a million. */
export async function eventsBefore<Stream extends string>(
  log: Pick<EventLog, "readStream">,
  stream: Stream,
  isLater: (event: EventIn<Stream>) => boolean,
): Promise<number> {
  const [last] = await log.readStream(stream, { backwards: true, limit: 1 });
  let low = 0;
  let high = last === undefined ? 0 : last.revision + 1;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [probe] = await log.readStream(stream, { from: middle, limit: 1 });
    if (probe === undefined || isLater(probe)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** How many events of a stream stand up to a position. */
export const eventsUntil = (
  log: Pick<EventLog, "readStream">,
  stream: string,
  position: Position,
): Promise<number> => eventsBefore(log, stream, (event) => event.position > position);

/**
 * The log as it ended at a position: whoever folds it sees what was the case then. It is only read; what is personal in it stays sealed as it is now, so what was erased since stays erased.
 */
export function endingAt(log: EventLog, end: Position): EventLog {
  const isThere = ({ position }: { readonly position: Position }): boolean => position <= end;

  async function* scanStream<Stream extends string>(
    stream: Stream,
    options: ReadStreamOptions = {},
  ): AsyncGenerator<EventIn<Stream>> {
    if (options.backwards !== true) {
      for await (const event of log.scanStream(stream, options)) {
        if (!isThere(event)) return;
        yield event;
      }
      return;
    }
    const last = (await eventsUntil(log, stream, end)) - 1;
    if (last >= 0)
      yield* log.scanStream(stream, { ...options, from: Math.min(options.from ?? last, last) });
  }

  return {
    ...log,
    async readStream(stream, options = {}) {
      if (options.backwards !== true)
        return (await log.readStream(stream, options)).filter(isThere);
      const last = (await eventsUntil(log, stream, end)) - 1;
      return last < 0
        ? []
        : log.readStream(stream, { ...options, from: Math.min(options.from ?? last, last) });
    },
    async readStreams(streams, options) {
      const found = await log.readStreams(streams, options);
      return new Map([...found].map(([stream, events]) => [stream, events.filter(isThere)]));
    },
    scanStream,
    forPartner: (partner) => endingAt(log.forPartner(partner), end),
    async readAll(options) {
      const { events, position, head } = await log.readAll(options);
      const least = (one: Position): Position => (one < end ? one : end);
      return { events: events.filter(isThere), position: least(position), head: least(head) };
    },
    readAt: async (position) => (position <= end ? log.readAt(position) : undefined),
    async head() {
      const head = await log.head();
      return head < end ? head : end;
    },
    seal: async () => undefined,
    append: () => Promise.reject(new LogUnavailable("the past is only read")),
    subscribe() {
      throw new Error("the past is not followed");
    },
  };
}
