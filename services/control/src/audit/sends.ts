import { type Environment, accountOf } from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import { type EventLog, formatPosition, type RecordedEvent } from "@heliograph/log";
import type { AuditFilter } from "../tables/audit.ts";
import type { Entry, Part, Range, Source } from "./entry.ts";

type Sent = Extract<RecordedEvent, { readonly type: "MessageRequested" }>;
const types = ["MessageRequested"] as const;

/** Positions that are looked at together: a page of sends, where little else happens between them. */
const windowEvents = 500;
const maxWindowEvents = 8_000;
/** Of one request: some 100,000 events, a few hundred milliseconds. */
const maxWindows = 16;
const readAtOnce = 1_000;

const sendAction = "POST /messages";
const replyAction = "POST /conversations/:id/messages";
const accepted = 202;

/** Sends as the log itself tells of them: who asked for the message, and when. What agents send is in the table, with the address they sent it from. */
export const sendsOf = (environment: Environment, log: EventLog): Source => ({
  name: `${environment}-sends`,
  async read(filter, range) {
    if (filter.action !== undefined && ![sendAction, replyAction].includes(filter.action))
      return none;
    const show = (events: readonly Sent[]): readonly Entry[] =>
      events.filter((event) => isWanted(event, filter)).map((event) => entryOf(environment, event));
    if (filter.target !== undefined) return ofMessage(log, filter.target, range, show);
    return range.newer ? readNewer(log, filter, range, show) : readOlder(log, filter, range, show);
  },
});

const none: Part = { entries: [] };
type Show = (events: readonly Sent[]) => readonly Entry[];

/** The one message that is meant: its stream begins with its request. */
async function ofMessage(log: EventLog, target: string, range: Range, show: Show): Promise<Part> {
  const id = /^(?:\/api\/v1\/messages\/)?msg_([0-9A-Z]{26})$/.exec(target)?.[1];
  if (id === undefined) return none;
  const [first] = await log.readStream(`message-${id}`, { limit: 1 });
  const entries = show(first?.type === "MessageRequested" ? [first] : []);
  const beyond = range.beyond === undefined ? undefined : BigInt(range.beyond);
  return {
    entries: entries.filter(
      ({ key }) =>
        beyond === undefined || (range.newer ? BigInt(key) > beyond : BigInt(key) < beyond),
    ),
  };
}

async function readOlder(
  log: EventLog,
  filter: AuditFilter,
  range: Range,
  show: Show,
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
    const events = await between(log, begin, end);
    entries.push(...show(events).toReversed());
    if (filter.from !== undefined && (await isBefore(log, begin, filter.from))) return { entries };
    if (log.span(begin, end) < maxWindowEvents) width *= 2n;
    end = begin;
  }
  return { entries: entries.slice(0, range.limit) };
}

async function readNewer(
  log: EventLog,
  filter: AuditFilter,
  range: Range,
  show: Show,
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

/** Requests behind one position up to another. */
async function between(log: EventLog, begin: bigint, end: bigint): Promise<readonly Sent[]> {
  const found: Sent[] = [];
  for (let after = begin; after < end;) {
    const { events, position } = await log.readAll({ after, limit: readAtOnce, types });
    found.push(...events.filter((event) => event.position <= end));
    if (position <= after) break;
    after = position;
  }
  return found;
}

const firstBehind = async (log: EventLog, after: bigint): Promise<RecordedEvent | undefined> =>
  (await log.readAll({ after, limit: 1 })).events[0];

const isBefore = async (log: EventLog, position: bigint, timeMs: number): Promise<boolean> =>
  ((await firstBehind(log, position))?.recordedAt ?? timeMs) < timeMs;

/** The last position that was written before a time: what is written later has a later time. */
async function positionBefore(log: EventLog, timeMs: number): Promise<bigint> {
  let low = 0n;
  let high = await log.head();
  while (low < high) {
    const middle = (low + high) / 2n;
    const event = await firstBehind(log, middle);
    if (event === undefined || event.recordedAt >= timeMs) high = middle;
    else low = event.position;
  }
  return low;
}

async function reachedAt(log: EventLog, position: bigint): Promise<NonNullable<Part["reached"]>> {
  const event = await firstBehind(log, position - 1n);
  return { key: String(position), at: formatTime(event?.recordedAt ?? Date.now()) };
}

function isWanted({ metadata, recordedAt, data }: Sent, filter: AuditFilter): boolean {
  const { partner, actor, action, from, to } = filter;
  return (
    metadata.actor?.startsWith("agt_") !== true &&
    (partner === undefined || accountOf(metadata.partner ?? "") === partner) &&
    (actor === undefined || metadata.actor === actor) &&
    (action === undefined || action === actionOf(data)) &&
    (from === undefined || recordedAt >= from) &&
    (to === undefined || recordedAt < to)
  );
}

const actionOf = (data: Sent["data"]): string =>
  data.conversation_id === undefined ? sendAction : replyAction;

function entryOf(
  environment: Environment,
  { position, stream, data, metadata, recordedAt }: Sent,
): Entry {
  const id = `msg_${stream.slice("message-".length)}`;
  return {
    key: String(position),
    id: `${environment}-log-${formatPosition(position)}`,
    at: formatTime(recordedAt),
    environment,
    partner: accountOf(metadata.partner ?? ""),
    actor: metadata.actor ?? "",
    key_prefix: null,
    action: actionOf(data),
    target: `/api/v1/messages/${id}`,
    subject: id,
    request_id: metadata.request_id ?? "",
    ip: typeof metadata["ip"] === "string" ? metadata["ip"] : "",
    outcome: accepted,
    code: null,
    count: 1,
    changes: null,
  };
}
