import { type EventData, streamOf } from "@heliograph/contracts";
import {
  type TemplateAt,
  boundedCache,
  maxTemplateVersions,
  revisionOfVersion,
  templateAt,
  templateId,
} from "@heliograph/domain";
import type { EventLog, RecordedEvent } from "@heliograph/log";

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
 * when the feed shows another. A read is two events at most, whatever the number of versions.
 */
export class TemplateCache {
  readonly #log: EventLog;
  /** By stream, for the newest version, and by `stream@number` for one that was asked for. */
  readonly #known = boundedCache<string, Kept>(maxBytes, ({ bytes }) => bytes);
  readonly #streams = boundedCache<string, string>(20_000);
  /** Many sends of one template wait for one read. */
  readonly #reading = new Map<string, Promise<TemplateAt | undefined>>();
  /** Changes seen: a read that was overtaken by one is used but not kept. */
  #changes = 0;

  constructor(log: EventLog) {
    this.#log = log;
  }

  /**
   * The newest version, or the one with this number: from memory at once, else from the log. Absent ones are not remembered: the next
   * send after their creation must find them.
   */
  get(
    partner: string,
    channel: string,
    slug: string,
    number?: number,
  ): TemplateAt | undefined | Promise<TemplateAt | undefined> {
    const name = `${partner}/${channel}/${slug}`;
    let stream = this.#streams.get(name);
    if (stream === undefined)
      this.#streams.set(name, (stream = streamOf("template", templateId(partner, channel, slug))));
    if (number !== undefined && number > maxTemplateVersions) return undefined;
    const key = number === undefined ? stream : `${stream}@${number}`;
    const kept = this.#known.get(key);
    if (kept !== undefined) return kept.template;
    const begun = this.#reading.get(key);
    // What was asked for before its creation and is not there may be there now.
    return begun === undefined
      ? this.#read(partner, key, stream, number)
      : begun.then((template) => template ?? this.#read(partner, key, stream, number));
  }

  #read(
    partner: string,
    key: string,
    stream: string,
    number: number | undefined,
  ): Promise<TemplateAt | undefined> {
    const before = this.#changes;
    const reading = readTemplate(this.#log.forPartner(partner), stream, number)
      .then((template) => {
        // A version never changes; which one is the newest does.
        if (template !== undefined && (number !== undefined || this.#changes === before))
          this.#known.set(key, { template, bytes: bytesOf(template) });
        return template;
      })
      .finally(() => {
        if (this.#reading.get(key) === reading) this.#reading.delete(key);
      });
    this.#reading.set(key, reading);
    return reading;
  }

  seen(event: RecordedEvent): void {
    this.#changes++;
    this.#known.delete(event.stream);
    // Who asks from now on must not be given what was read before the change.
    this.#reading.delete(event.stream);
  }
}

async function readTemplate(
  log: EventLog,
  stream: string,
  number: number | undefined,
): Promise<TemplateAt | undefined> {
  const [[first], [wanted]] = await Promise.all([
    log.readStream(stream, { limit: 1 }),
    log.readStream(
      stream,
      number === undefined
        ? { backwards: true, limit: 1 }
        : { from: revisionOfVersion(number), limit: 1 },
    ),
  ]);
  if (first === undefined || wanted === undefined) return undefined;
  return templateAt(
    first.data as EventData<"TemplateCreated">,
    wanted.data as EventData<"TemplateVersionAdded">,
  );
}
