import { accountOf, streamOf } from "@heliograph/contracts";
import {
  type TemplateAt,
  type TemplateName,
  boundedCache,
  deletedOf,
  maxTemplateVersions,
  revisionOfVersion,
  templateAt,
  templateId,
  type templateTypes,
  templateVersionTypes,
} from "@heliograph/domain";
import { type EventLog, ofType, type RecordedEvent } from "@heliograph/log";

type TemplateEvent = RecordedEvent<(typeof templateTypes)[number]>;
const isCreated = ofType("TemplateCreated");
const isVersion = ofType(...templateVersionTypes);
const isDeletion = ofType("TemplateDeleted");

/** What one environment keeps of templates, twice that at most: some 5,000 ordinary ones, or 30 of the largest. */
const maxBytes = 16 * 1024 * 1024;
/** Names and places of one that is kept. */
const overheadBytes = 1_024;

type Kept = { readonly template: TemplateAt; readonly bytes: number };

/** UTF-16 at worst, and again as the parts that a body is cut into when it is first rendered. */
const bytesOf = ({ version }: TemplateAt): number =>
  overheadBytes + 4 * JSON.stringify(version).length;

/**
 * Templates of one environment, kept in memory: a version is read from the log when it is first used, and the newest one is forgotten
 * when the feed shows another. A read is three events at most, whatever the number of versions, and a few more where the name was given up before.
 */
export class TemplateCache {
  readonly #log: EventLog;
  /** By stream, for the newest version, and by `stream@number` for one that was asked for. */
  readonly #known = boundedCache<string, Kept>(maxBytes, ({ bytes }) => bytes);
  /** Of names whose template is there: what is kept of a deleted one is under a stream that no name leads to. */
  readonly #streams = boundedCache<string, string>(20_000);
  /** Many sends of one template wait for one read. */
  readonly #reading = new Map<string, Promise<TemplateAt | undefined>>();
  /** Changes seen: a read that was overtaken by one is used but not kept. */
  #changes = 0;

  constructor(log: EventLog) {
    this.#log = log;
  }

  /**
   * The newest version, or the one with this number: from memory at once, else from the log. Absent and deleted ones are not remembered:
   * the next send after their creation must find them.
   */
  get(
    partner: string,
    channel: string,
    slug: string,
    number?: number,
  ): TemplateAt | undefined | Promise<TemplateAt | undefined> {
    const name = { partner, channel, slug };
    if (number !== undefined && number > maxTemplateVersions) return undefined;
    const stream = this.#streams.get(keyOf(name));
    const kept = stream === undefined ? undefined : this.#known.get(placeOf(stream, number));
    if (kept !== undefined) return kept.template;
    const begun = this.#reading.get(placeOf(keyOf(name), number));
    // What was asked for before its creation and is not there may be there now.
    return begun === undefined
      ? this.#read(name, number)
      : begun.then((template) => template ?? this.#read(name, number));
  }

  #read(name: TemplateName, number: number | undefined): Promise<TemplateAt | undefined> {
    const key = placeOf(keyOf(name), number);
    const before = this.#changes;
    const reading = readTemplate(this.#log.forPartner(name.partner), name, number)
      .then((template) => {
        if (template !== undefined && this.#changes === before) {
          const stream = streamOf("template", template.id);
          this.#streams.set(keyOf(name), stream);
          this.#known.set(placeOf(stream, number), { template, bytes: bytesOf(template) });
        }
        return template;
      })
      .finally(() => {
        if (this.#reading.get(key) === reading) this.#reading.delete(key);
      });
    this.#reading.set(key, reading);
    return reading;
  }

  seen(event: TemplateEvent): void {
    this.#changes++;
    this.#known.delete(event.stream);
    if (isDeletion(event))
      this.#streams.delete(
        keyOf({ ...event.data, partner: accountOf(event.metadata.partner ?? "") }),
      );
    // Who asks from now on must not be given what was read before the change.
    this.#reading.clear();
  }
}

const keyOf = ({ partner, channel, slug }: TemplateName): string => `${partner}/${channel}/${slug}`;
const placeOf = (place: string, number: number | undefined): string =>
  number === undefined ? place : `${place}@${number}`;

async function readTemplate(
  log: EventLog,
  name: TemplateName,
  number: number | undefined,
): Promise<TemplateAt | undefined> {
  const first = await readVersion(log, templateId(name), number);
  if (first !== "deleted") return first;
  const deleted = await deletedOf(name, async (id) => isDeletion(await lastOf(log, id)));
  const found = await readVersion(log, templateId(name, deleted), number);
  return found === "deleted" ? undefined : found;
}

async function readVersion(
  log: EventLog,
  id: string,
  number: number | undefined,
): Promise<TemplateAt | "deleted" | undefined> {
  const stream = streamOf("template", id);
  const [[first], last, asked] = await Promise.all([
    log.readStream(stream, { limit: 1 }),
    lastOf(log, id),
    number === undefined
      ? undefined
      : log.readStream(stream, { from: revisionOfVersion(number), limit: 1 }),
  ]);
  if (isDeletion(last)) return "deleted";
  const wanted = asked === undefined ? last : asked[0];
  if (!isCreated(first) || !isVersion(wanted)) return undefined;
  return templateAt(first.data, wanted.data);
}

async function lastOf(log: EventLog, id: string): Promise<RecordedEvent | undefined> {
  const [last] = await log.readStream(streamOf("template", id), { backwards: true, limit: 1 });
  return last;
}
