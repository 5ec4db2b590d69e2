import type { Environment, EventType } from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import { type EventLog, firstBehind, positionBefore, type RecordedEvent } from "@heliograph/log";
import type { AuditFilter } from "../tables/audit.ts";
import type { Entry, Part, Range, Source } from "./entry.ts";
import { ownEntry, ownTargetTypes, ownTypes, type OwnType, streamsOf } from "./own-actions.ts";
import { sendActions, sendEntry } from "./sends.ts";

/** Positions that are looked at together: a page of entries, where little else happens between them. */
const windowEvents = 500;
const maxWindowEvents = 8_000;
/** Of one request: some 100,000 events, a few hundred milliseconds. */
const maxWindows = 16;
const readAtOnce = 1_000;
/** Looked at of one stream, the newest: what the platform does to one thing by itself is far less. */
const maxStreamEvents = 500;

/**
 * What the log itself tells of, and so is written nowhere else: who asked for each message, and what the platform did by itself. What agents send is in the table, with the address they sent
 * it from.
 */
export const fromLog = (name: string, environment: Environment, log: EventLog): Source => ({
  name,
  async read(filter, range) {
    const show = (events: readonly RecordedEvent[]): readonly Entry[] =>
      events
        .map((event) => entryOf(environment, event))
        .filter((entry) => entry !== undefined)
        .filter((entry) => isWanted(entry, filter));
    const { target } = filter;
    const streams = target === undefined ? [] : await streamsOf(log, target);
    if (streams.length > 0) return ofStreams(log, streams, range, show);
    const types = typesFor(filter);
    if (types.length === 0) return { entries: [] };
    const scan = { log, types, show };
    return range.newer ? readNewer(scan, filter, range) : readOlder(scan, filter, range);
  },
});

type Show = (events: readonly RecordedEvent[]) => readonly Entry[];
type Scan = { readonly log: EventLog; readonly types: readonly EventType[]; readonly show: Show };

/** The entry that follows from an event, if one does. */
export const entryOf = (environment: Environment, event: RecordedEvent): Entry | undefined =>
  event.type === "MessageRequested" ? sendEntry(environment, event) : ownEntry(environment, event);

/** The types of events in which entries can be that are looked for. */
function typesFor({ action, target }: AuditFilter): readonly EventType[] {
  const own = target === undefined ? ownTypes : ownTargetTypes(target);
  if (action === undefined) return target === undefined ? ["MessageRequested", ...own] : own;
  if (target === undefined && sendActions.includes(action)) return ["MessageRequested"];
  return own.filter((type: OwnType) => type === action);
}

function isWanted(
  entry: Entry,
  { partner, actor, action, target, from, to }: AuditFilter,
): boolean {
  const at = Date.parse(entry.at);
  return (
    (partner === undefined || entry.partner === partner) &&
    (actor === undefined || entry.actor === actor) &&
    (action === undefined || entry.action === action) &&
    (target === undefined ||
      [entry.target, entry.subject, ...entry.target.split("/")].includes(target)) &&
    (from === undefined || at >= from) &&
    (to === undefined || at < to)
  );
}

/** What happened to the one thing that is meant. */
async function ofStreams(
  log: EventLog,
  streams: readonly string[],
  { newer, beyond, limit }: Range,
  show: Show,
): Promise<Part> {
  const events = await Promise.all(
    streams.map(async (stream) =>
      // A message's request is the first of its many events.
      stream.startsWith("message-")
        ? log.readStream(stream, { limit: 1 })
        : log.readStream(stream, { limit: maxStreamEvents, backwards: true }),
    ),
  );
  const bound = beyond === undefined ? undefined : BigInt(beyond);
  const found = events
    .flat()
    .filter(({ position }) => bound === undefined || (newer ? position > bound : position < bound))
    .toSorted((left, right) => (left.position < right.position ? -1 : 1));
  return { entries: show(newer ? found : found.toReversed()).slice(0, limit) };
}

async function readOlder(
  { log, types, show }: Scan,
  filter: AuditFilter,
  range: Range,
): Promise<Part> {
  const entries: Entry[] = [];
  let end = range.beyond === undefined ? await endOf(log, filter) : BigInt(range.beyond) - 1n;
  let width = BigInt(windowEvents);
  for (let windows = 0; entries.length < range.limit; windows++) {
    if (end <= 0n) return { entries };
    if (windows === maxWindows) return { entries, reached: await reachedAt(log, end + 1n) };
    let begin = max(end - width);
    // Elsewhere than in PostgreSQL positions have holes.
    while (begin > 0n && log.span(begin, end) < windowEvents) begin = max(end - (width *= 4n));
    const events = await between(log, types, begin, end);
    entries.push(...show(events).toReversed());
    if (filter.from !== undefined && (await isBefore(log, begin, filter.from))) return { entries };
    if (log.span(begin, end) < maxWindowEvents) width *= 2n;
    end = begin;
  }
  return { entries: entries.slice(0, range.limit) };
}

async function readNewer(
  { log, types, show }: Scan,
  filter: AuditFilter,
  range: Range,
): Promise<Part> {
  const entries: Entry[] = [];
  let after =
    range.beyond === undefined
      ? filter.from === undefined
        ? 0n
        : await positionBefore(log, filter.from)
      : max(BigInt(range.beyond));
  const end = await endOf(log, filter);
  for (let pages = 0; entries.length < range.limit && after < end; pages++) {
    if (pages === maxWindows) return { entries, reached: await reachedAt(log, after) };
    const { events, position } = await log.readAll({ after, limit: readAtOnce, types });
    entries.push(...show(events));
    after = position;
  }
  return { entries: entries.slice(0, range.limit) };
}

const max = (position: bigint): bigint => (position > 0n ? position : 0n);

const endOf = (log: EventLog, { to }: AuditFilter): Promise<bigint> =>
  to === undefined ? log.head() : positionBefore(log, to);

/** Events behind one position up to another. */
async function between(
  log: EventLog,
  types: readonly EventType[],
  begin: bigint,
  end: bigint,
): Promise<readonly RecordedEvent[]> {
  const found: RecordedEvent[] = [];
  for (let after = begin; after < end;) {
    const { events, position } = await log.readAll({ after, limit: readAtOnce, types });
    found.push(...events.filter((event) => event.position <= end));
    if (position <= after) break;
    after = position;
  }
  return found;
}

const isBefore = async (log: EventLog, position: bigint, timeMs: number): Promise<boolean> =>
  ((await firstBehind(log, position))?.recordedAt ?? timeMs) < timeMs;

async function reachedAt(log: EventLog, position: bigint): Promise<NonNullable<Part["reached"]>> {
  const event = await firstBehind(log, position - 1n);
  return { key: String(position), at: formatTime(event?.recordedAt ?? Date.now()) };
}
