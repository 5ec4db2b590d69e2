import { type EventData, PublicError, channels, isId, streamOf } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import type { Call } from "../call.ts";
import { templateId } from "../messages/templates.ts";
import { slugPattern } from "./schema.ts";

export type Created = EventData<"TemplateCreated">;
export type Version = EventData<"TemplateVersionAdded">;

/** A template folded from its stream, so always fresh, with the revision to append at. */
export type Found = {
  readonly created: Created;
  /** By number, from 1. */
  readonly versions: readonly Version[];
  readonly events: readonly RecordedEvent[];
  readonly revision: number;
  readonly position: bigint;
};

export function foldTemplate(events: readonly RecordedEvent[]): Found | undefined {
  const last = events.at(-1);
  if (last === undefined) return undefined;
  return {
    created: events[0]!.data,
    versions: events.map((event) => event.data),
    events,
    revision: last.revision,
    position: last.position,
  };
}

const notFound = (): PublicError => new PublicError("not_found", "There is no such template.");

/**
 * The partner's template by id or slug. A slug that several channels have needs `channel`. Throws `not_found`, also for another
 * partner's template, and `conflict` when the slug is not enough.
 */
export async function findTemplate(
  call: Call<unknown, unknown>,
  idOrSlug: string,
  channel?: string,
): Promise<Found> {
  const partner = call.partner.partner_id;
  const ids = isId("tpl", idOrSlug)
    ? [idOrSlug]
    : slugPattern.test(idOrSlug)
      ? channels.map((item) => templateId(partner, item, idOrSlug))
      : [];
  if (ids.length === 0) throw notFound();
  const streams = await call.deps.log.readStreams(ids.map((id) => streamOf("template", id)));
  const found = [...streams.values()]
    .filter((events) => events[0]?.metadata.partner === partner)
    .map((events) => foldTemplate(events)!)
    .filter(({ created }) => channel === undefined || created.channel === channel);
  if (found.length > 1)
    throw new PublicError("conflict", "Several channels have a template of that slug.", {
      extra: { channels: found.map(({ created }) => created.channel) },
    });
  const [only] = found;
  if (only === undefined) throw notFound();
  return only;
}

/** A template as the API shows it: its newest version with its bodies. */
export function templateView({ created, versions }: Found): object {
  const newest = versions.at(-1)!;
  return {
    id: created.template_id,
    slug: created.slug,
    channel: created.channel,
    default_language: created.default_language,
    description: created.description ?? null,
    version: newest.version,
    languages: newest.languages,
    variables: newest.variables,
    created_at: created.created_at,
    updated_at: newest.created_at,
  };
}

export const versionView = ({ template_id, ...version }: Version): object => ({
  id: template_id,
  slug: version.slug,
  version: version.version,
  languages: version.languages,
  variables: version.variables,
  created_at: version.created_at,
});
