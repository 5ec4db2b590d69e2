import { type EventType, typesIn, type Category } from "@heliograph/contracts";
import { type EventLog, eventsUntil, type Position, type RecordedEvent } from "@heliograph/log";

/** What is asked of a log: a stream, the streams of a category, or everything. */
export type Asked = {
  readonly stream?: string | undefined;
  readonly category?: Category | undefined;
  /** Nothing that came later. */
  readonly asOf: Position;
  readonly limit: number;
} & ({ readonly after: Position } | { readonly before: Position });

export type LogPage = {
  /** Oldest first. */
  readonly events: readonly RecordedEvent[];
  /** Where to read on, in either direction; undefined where nothing is left. */
  readonly next: Position | undefined;
  readonly previous: Position | undefined;
};

/** A filtered page looks at some 10,000 events each; beyond so many of them the answer says where to go on. */
const mostPages = 40;
const pageEvents = 500;
/** Each guess begins so many times earlier than the one before. */
const stride = 8n;

/** One page of a log. What it costs has a bound, whatever is asked for. */
export function readLog(log: EventLog, asked: Asked): Promise<LogPage> {
  if (asked.stream !== undefined) return ofStream(log, asked.stream, asked);
  return "after" in asked ? forward(log, asked, asked.after) : backward(log, asked, asked.before);
}

const fits =
  ({ asOf, category }: Asked) =>
  ({ position, stream }: RecordedEvent): boolean =>
    position <= asOf && (category === undefined || stream.startsWith(`${category}-`));

const typesOf = ({ category }: Asked): { readonly types?: readonly EventType[] } => {
  const types = category === undefined ? undefined : typesIn(category);
  return types === undefined ? {} : { types };
};

async function forward(log: EventLog, asked: Asked, after: Position): Promise<LogPage> {
  const { limit, asOf } = asked;
  const events: RecordedEvent[] = [];
  let reached = after;
  for (let pages = 0; pages < mostPages; pages++) {
    const page = await log.readAll({ after: reached, limit: pageEvents, ...typesOf(asked) });
    for (const event of page.events.filter(fits(asked))) {
      if (events.length === limit)
        return { events, next: events.at(-1)!.position, previous: events[0]!.position };
      events.push(event);
    }
    const stuck = page.position === reached;
    reached = page.position;
    const end = stuck || reached >= page.head || reached >= asOf;
    if (end) return { events, next: undefined, previous: previousOf(events, after) };
  }
  return { events, next: reached, previous: previousOf(events, after) };
}

const previousOf = (events: readonly RecordedEvent[], after: Position): Position | undefined =>
  after > 0n ? (events[0]?.position ?? after) : undefined;

/**
 * The last events before a position. A log is read forward, so this guesses where they begin and reads on from there; where that gives too few, it begins earlier. A guess is
 * only that: positions may have holes, and what is found is right wherever the reading began.
 */
async function backward(log: EventLog, asked: Asked, before: Position): Promise<LogPage> {
  const end = [before, asked.asOf + 1n, (await log.head()) + 1n].reduce((one, other) =>
    one < other ? one : other,
  );
  const next = end < before || end > asked.asOf ? undefined : end - 1n;
  let pages = mostPages;
  let found: readonly RecordedEvent[] = [];
  let start = end;
  for (let reach = BigInt(asked.limit) * 2n; pages > 0; reach *= stride) {
    const guess = end > reach ? end - reach : 0n;
    const read = await between(log, asked, guess, end, pages);
    pages -= read.pages;
    if (!read.whole) break;
    [found, start] = [read.events, guess];
    if (found.length >= asked.limit || guess === 0n) break;
  }
  const events = found.slice(-asked.limit);
  const more = start > 0n || found.length > events.length;
  const first = events[0]?.position ?? start;
  return { events, next, previous: more ? first : undefined };
}

/** The events behind one position and before another, of which the last ones are kept; `whole` when the reading came that far. */
async function between(
  log: EventLog,
  asked: Asked,
  after: Position,
  end: Position,
  mostReads: number,
) {
  let kept: RecordedEvent[] = [];
  let reached = after;
  for (let pages = 1; pages <= mostReads; pages++) {
    const page = await log.readAll({ after: reached, limit: pageEvents, ...typesOf(asked) });
    const fitting = page.events.filter((event) => event.position < end && fits(asked)(event));
    kept = [...kept, ...fitting].slice(-asked.limit - 1);
    const stuck = page.position === reached;
    reached = page.position;
    if (stuck || reached >= end - 1n || reached >= page.head)
      return { events: kept, pages, whole: true };
  }
  return { events: kept, pages: mostReads, whole: false };
}

async function ofStream(log: EventLog, stream: string, asked: Asked): Promise<LogPage> {
  const { limit, asOf } = asked;
  const end = await eventsUntil(log, stream, asOf);
  const at =
    "after" in asked
      ? await eventsUntil(log, stream, asked.after)
      : Math.min(await eventsUntil(log, stream, asked.before - 1n), end);
  const [from, to] =
    "after" in asked ? [at, Math.min(at + limit, end)] : [Math.max(0, at - limit), at];
  const events =
    to > from ? await log.readStream(stream, { from, limit: to - from }) : ([] as const);
  return {
    events: events.filter(fits(asked)),
    next: to < end ? events.at(-1)?.position : undefined,
    previous: from > 0 ? events[0]?.position : undefined,
  };
}
