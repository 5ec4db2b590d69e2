import type { Call } from "@heliograph/api";
import { PublicError, channels, isId, streamOf, accountOf } from "@heliograph/contracts";
import {
  deletedOf,
  maxTemplateVersions,
  revisionOfVersion,
  saidIn,
  templateId,
  type TemplateName,
  templateVersionTypes,
} from "@heliograph/domain";
import { type EventLog, ofType, type RecordedEvent } from "@heliograph/log";
import type { Created, Version } from "../decide.ts";
import { slugPattern } from "./schema.ts";

/** A template as its stream's first and last events tell it: always fresh, and two events however many versions there are. */
export type Found = {
  readonly created: Created;
  readonly newest: Version;
  /** Append at its revision. */
  readonly last: TemplateEvent;
};
export type TemplateEvent = RecordedEvent<(typeof templateVersionTypes)[number]>;

export const isCreated = ofType("TemplateCreated");
export const isVersion = ofType(...templateVersionTypes);
const isDeletion = ofType("TemplateDeleted");

export const foundIn = (first: RecordedEvent<"TemplateCreated">, last: TemplateEvent): Found => ({
  created: first.data,
  newest: last.data,
  last,
});

const templateNotFound = (): PublicError =>
  new PublicError("not_found", "There is no such template.");

/** The first and the last event of a template's stream. */
type Ends = {
  readonly first: RecordedEvent<"TemplateCreated">;
  readonly last: RecordedEvent | undefined;
};

async function lastOf(log: EventLog, id: string): Promise<RecordedEvent | undefined> {
  const [last] = await log.readStream(streamOf("template", id), { backwards: true, limit: 1 });
  return last;
}

async function endsOf(log: EventLog, ids: readonly string[]): Promise<readonly Ends[]> {
  const streams = await log.readStreams(
    ids.map((id) => streamOf("template", id)),
    { limit: 1 },
  );
  const firsts = [...streams.values()].flat().filter(isCreated);
  return Promise.all(
    firsts.map(async (first) => ({ first, last: await lastOf(log, first.data.template_id) })),
  );
}

/** How many templates of that name were deleted. */
export const deletedIn = (log: EventLog, name: TemplateName): Promise<number> =>
  deletedOf(name, async (id) => isDeletion(await lastOf(log, id)));

/** Of the first template of a name the one that is there now, and the one deleted before it. */
async function newestOf(log: EventLog, partner: string, first: Ends): Promise<readonly Ends[]> {
  if (!isDeletion(first.last)) return [first];
  const { channel, slug } = first.last.data;
  const name = { partner, channel, slug };
  const deleted = await deletedIn(log, name);
  return endsOf(log, [templateId(name, deleted - 1), templateId(name, deleted)]);
}

/** What an id or a slug names: templates that are there, and the last deletion of each name. */
export type Named = {
  readonly there: readonly Found[];
  readonly deletions: readonly RecordedEvent<"TemplateDeleted">[];
};

/** Of the partner's templates, also of one channel alone. */
export async function findNamed(
  call: Call<unknown, unknown>,
  idOrSlug: string,
  channel?: string,
): Promise<Named> {
  const partner = call.account;
  const { log } = call.deps;
  const byId = isId("tpl", idOrSlug);
  const ids = byId
    ? [idOrSlug]
    : slugPattern.test(idOrSlug)
      ? channels.map((item) => templateId({ partner, channel: item, slug: idOrSlug }))
      : [];
  const asked = (await endsOf(log, ids)).filter(
    ({ first: { data, metadata } }) =>
      accountOf(metadata.partner ?? "") === partner &&
      (channel === undefined || data.channel === channel),
  );
  const found = byId
    ? asked
    : (await Promise.all(asked.map((ends) => newestOf(log, partner, ends)))).flat();
  return {
    there: found.flatMap(({ first, last }) => (isVersion(last) ? [foundIn(first, last)] : [])),
    deletions: found.flatMap(({ last }) => (isDeletion(last) ? [last] : [])),
  };
}

/** The one that is there. Throws `not_found` and `conflict`. */
export function theOne({ there }: Named): Found {
  if (there.length > 1)
    throw new PublicError("conflict", "Several channels have a template of that slug.", {
      extra: { channels: there.map(({ created }) => created.channel) },
    });
  const [found] = there;
  if (found === undefined) throw templateNotFound();
  return found;
}

/**
 * The partner's template by id or slug. A slug that several channels have needs `channel`. Throws `not_found`, also for a deleted one and another
 * partner's, and `conflict` when the slug is not enough.
 */
export const findTemplate = async (...asked: Parameters<typeof findNamed>): Promise<Found> =>
  theOne(await findNamed(...asked));

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
  return isVersion(event) ? event.data : undefined;
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
    ...saidIn(created, newest),
    version: newest.version,
    languages: newest.languages,
    variables: newest.variables,
    created_at: created.created_at,
    updated_at: newest.created_at,
  };
}

/** `created`: the stream's first event, for what a version does not say itself. */
export const versionView = (created: Created, { template_id, ...version }: Version): object => ({
  id: template_id,
  slug: version.slug,
  ...saidIn(created, version),
  version: version.version,
  languages: version.languages,
  variables: version.variables,
  created_at: version.created_at,
});
