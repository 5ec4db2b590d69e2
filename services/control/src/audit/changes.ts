import { type Category, eventDefinitions, masked, shownBySchema } from "@heliograph/contracts";
import type { ApiContext, AuditEntry } from "@heliograph/api";
import type { EventLog, RecordedEvent } from "@heliograph/log";

/** What a call did to settings, as the log tells it. */
export type Changes = {
  readonly events: readonly string[];
  /** Values that differ, before and after; null for what was not there. */
  readonly before: Readonly<Record<string, unknown>> | null;
  readonly after: Readonly<Record<string, unknown>>;
};
export type Settled = { readonly subject: string; readonly changes: Changes };

/** Streams whose events say how something is set. Those of persons and messages say what happened, and are no settings. */
const settings: ReadonlySet<string> = new Set<Category>([
  "partner",
  "key",
  "gateway",
  "prices",
  "endpoint",
  "team",
  "agent",
  "routing",
  "rota",
  "sender",
  "pool",
  "senderrules",
  "template",
  "terms",
]);
/** Calls that never change one, so that the log is not asked: they are by far the most. */
const elsewhere =
  /^\w+ \/(?:messages|conversations|contacts|contact-imports|mobile|attachments|sandbox)\b/;
/** Each says all of its fields, or nearly: what an older one said counts for little. */
const maxEvents = 200;
/** A price list of all countries is left out, and told of by its events. */
const maxBytes = 16_384;

const schemas = new Map(
  eventDefinitions.map((each) => [`${each.type}.${each.version}`, each.schema]),
);

/**
 * What stood in the settings before and after a call, read from the log: the events at the position that the call was answered with, if they are this call's. Which values are shown, the
 * schemas of the events say, here and nowhere else. Undefined for a call that changed none.
 */
export async function changesOf(
  { environments, platformLog }: Pick<ApiContext, "environments" | "platformLog">,
  entry: AuditEntry,
): Promise<Settled | undefined> {
  const { position } = entry;
  if (position === undefined || elsewhere.test(entry.action)) return undefined;
  // A live admin key sets things of the sandbox too.
  for (const log of [platformLog, ...Object.values(environments).map(({ log: own }) => own)]) {
    const last = await log.readAt(position);
    if (last !== undefined && isOf(entry, last)) return settledBy(log, last, entry);
  }
  return undefined;
}

const isOf = (entry: AuditEntry, { metadata }: RecordedEvent): boolean =>
  metadata.request_id === entry.requestId && metadata.actor === entry.actor;

async function settledBy(
  log: EventLog,
  last: RecordedEvent,
  entry: AuditEntry,
): Promise<Settled | undefined> {
  const { stream, revision } = last;
  if (!settings.has(stream.slice(0, stream.indexOf("-")))) return undefined;
  const read = { from: revision, limit: maxEvents, backwards: true };
  const events = (await log.readStream(stream, read)).toReversed();
  const first = events.findLastIndex((event) => !isOf(entry, event)) + 1;
  const own = events.slice(first);
  const before = valuesOf(events.slice(0, first));
  const after = valuesOf(own);
  const names = [...after.keys()].filter(
    (name) => JSON.stringify(before.get(name)?.raw) !== JSON.stringify(after.get(name)!.raw),
  );
  const pick = (values: Values) =>
    Object.fromEntries(names.map((name) => [name, values.get(name)?.shown ?? null]));
  const changes = {
    events: own.map(({ type }) => type),
    before: first === 0 ? null : pick(before),
    after: pick(after),
  };
  return { subject: idIn(last, stream), changes: cut(changes) };
}

const cut = (changes: Changes): Changes =>
  JSON.stringify(changes).length > maxBytes
    ? { events: changes.events, before: null, after: { all: masked } }
    : changes;

/** What one event says, by its schema. */
export function toldBy({ type, version, data }: RecordedEvent): Changes {
  const shown = shownBySchema(schemas.get(`${type}.${version}`), data);
  const after = shown === masked ? { all: masked } : (shown as Record<string, unknown>);
  return cut({ events: [type], before: null, after });
}

type Values = ReadonlyMap<string, { readonly raw: unknown; readonly shown: unknown }>;

/** The last value of each field. */
function valuesOf(events: readonly RecordedEvent[]): Values {
  const values = new Map<string, { raw: unknown; shown: unknown }>();
  for (const { type, version, data } of events) {
    const shown = shownBySchema(schemas.get(`${type}.${version}`), data);
    for (const [name, raw] of Object.entries(data))
      values.set(name, {
        raw,
        shown: shown === masked ? masked : (shown as Record<string, unknown>)[name],
      });
  }
  return values;
}

/** The public id of what the stream is about, else the stream's name. */
function idIn({ data }: RecordedEvent, stream: string): string {
  const end = `_${stream.slice(stream.indexOf("-") + 1)}`;
  const id = Object.values(data).find((value) => typeof value === "string" && value.endsWith(end));
  return typeof id === "string" ? id : stream;
}
