import { type EventData, deterministicId, streamOf } from "@heliograph/contracts";
import { type TemplateVersion, boundedCache } from "@heliograph/domain";
import type { EventLog, RecordedEvent } from "@heliograph/log";

/** A template as its stream tells it. */
export type Template = {
  readonly id: string;
  readonly slug: string;
  readonly latest: number;
  readonly versions: ReadonlyMap<number, TemplateVersion>;
};

/** The stream of a partner's template: its id follows from channel and slug. */
export const templateId = (partner: string, channel: string, slug: string): string =>
  deterministicId("tpl", partner, channel, slug);

/** Folds a stream `template-<id>`; undefined when it is empty. */
export function foldTemplate(events: readonly RecordedEvent[]): Template | undefined {
  const created = events.find((event) => event.type === "TemplateCreated")?.data as
    | EventData<"TemplateCreated">
    | undefined;
  if (created === undefined) return undefined;
  const versions = new Map<number, TemplateVersion>();
  let latest = 0;
  for (const { type, data } of events) {
    if (type !== "TemplateCreated" && type !== "TemplateVersionAdded") continue;
    const { version, languages, variables } = data as EventData<"TemplateVersionAdded">;
    versions.set(version, { languages, variables, default_language: created.default_language });
    latest = Math.max(latest, version);
  }
  return { id: created.template_id, slug: created.slug, latest, versions };
}

export const templateTypes = ["TemplateCreated", "TemplateVersionAdded"] as const;

/** Templates of one environment, kept in memory: read from the log when first used, forgotten when the feed shows a change. */
export class TemplateCache {
  readonly #log: EventLog;
  readonly #known = boundedCache<string, Template>(5_000);
  readonly #streams = boundedCache<string, string>(20_000);
  /** Changes seen: a read that was overtaken by one is used but not kept. */
  #changes = 0;

  constructor(log: EventLog) {
    this.#log = log;
  }

  /** From memory at once, else from the log. Absent templates are not remembered: the next send after their creation must find them. */
  get(
    partner: string,
    channel: string,
    slug: string,
  ): Template | undefined | Promise<Template | undefined> {
    const name = `${partner}/${channel}/${slug}`;
    let stream = this.#streams.get(name);
    if (stream === undefined)
      this.#streams.set(name, (stream = streamOf("template", templateId(partner, channel, slug))));
    return this.#known.get(stream) ?? this.#read(stream);
  }

  async #read(stream: string): Promise<Template | undefined> {
    const before = this.#changes;
    const template = foldTemplate(await this.#log.readStream(stream));
    if (template !== undefined && this.#changes === before) this.#known.set(stream, template);
    return template;
  }

  seen(event: RecordedEvent): void {
    this.#changes++;
    this.#known.delete(event.stream);
  }
}
