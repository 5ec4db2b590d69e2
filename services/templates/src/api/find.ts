import type { Call } from "@heliograph/api";
import { PublicError, channels, isId, streamOf, accountOf } from "@heliograph/contracts";
import {
  maxTemplateVersions,
  revisionOfVersion,
  templateId,
  type templateTypes,
} from "@heliograph/domain";
import { ofType, type RecordedEvent } from "@heliograph/log";
import type { Created, Version } from "../decide.ts";
import { slugPattern } from "./schema.ts";

/** A template as its stream's first and last events tell it: always fresh, and two events however many versions there are. */
export type Found = {
  readonly created: Created;
  readonly newest: Version;
  /** Append at its revision. */
  readonly last: TemplateEvent;
};
export type TemplateEvent = RecordedEvent<(typeof templateTypes)[number]>;

export const isCreated = ofType("TemplateCreated");

export const foundIn = (first: RecordedEvent<"TemplateCreated">, last: TemplateEvent): Found => ({
  created: first.data,
  newest: last.data,
  last,
});

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
  const partner = call.account;
  const ids = isId("tpl", idOrSlug)
    ? [idOrSlug]
    : slugPattern.test(idOrSlug)
      ? channels.map((item) => templateId(partner, item, idOrSlug))
      : [];
  if (ids.length === 0) throw notFound();
  const { log } = call.deps;
  const streams = await log.readStreams(
    ids.map((id) => streamOf("template", id)),
    { limit: 1 },
  );
  const found = [...streams.values()]
    .flat()
    .filter(isCreated)
    .filter(({ metadata }) => accountOf(metadata.partner ?? "") === partner)
    .filter(({ data }) => channel === undefined || data.channel === channel);
  if (found.length > 1)
    throw new PublicError("conflict", "Several channels have a template of that slug.", {
      extra: { channels: found.map(({ data }) => data.channel) },
    });
  const [first] = found;
  if (first === undefined) throw notFound();
  const [last] = await log.readStream(streamOf("template", first.data.template_id), {
    backwards: true,
    limit: 1,
  });
  return foundIn(first, last ?? first);
}

/** One version of a template that was found; undefined when it has no such. */
export async function findVersion(
  call: Call<unknown, unknown>,
  { created, newest }: Found,
  number: number,
): Promise<Version | undefined> {
  if (number === newest.version) return newest;
  if (number === created.version) return created;
  if (number < 1 || number > maxTemplateVersions) return undefined;
  const [event] = await call.deps.log.readStream(streamOf("template", created.template_id), {
    from: revisionOfVersion(number),
    limit: 1,
  });
  return event?.data;
}

/** The same; throws `not_found`. */
export async function versionOf(...asked: Parameters<typeof findVersion>): Promise<Version> {
  const version = await findVersion(...asked);
  if (version === undefined)
    throw new PublicError("not_found", "The template has no such version.");
  return version;
}

/** A template as the API shows it: its newest version with its bodies. */
export function templateView({ created, newest }: Found): object {
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
