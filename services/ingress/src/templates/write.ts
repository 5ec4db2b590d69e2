import { PublicError, streamOf } from "@heliograph/contracts";
import {
  canonicalLanguage,
  maxTemplateVersions,
  revisionOfVersion,
  templateId,
} from "@heliograph/domain";
import { findTemplateVersion } from "@heliograph/read-models";
import { appendOne, maxConflicts, tooManyChanges } from "@heliograph/api";
import type { Call } from "@heliograph/api";
import { requireSameRequest } from "@heliograph/api";
import { canonicalLanguages, requireSound } from "./check.ts";
import {
  type Created,
  type Found,
  type TemplateEvent,
  type Version,
  findTemplate,
  foundIn,
  isCreated,
} from "./find.ts";
import type { AddVersion, CreateTemplate } from "./schema.ts";

/** Versions whose event is not indexed yet are looked at in pages of so many, 1 MB at most. */
const pageSize = 4;

/** The one language there is, or English. */
function defaultLanguage(body: CreateTemplate, languages: readonly string[]): string {
  const language =
    (body.default_language && canonicalLanguage(body.default_language)) ??
    (languages.length === 1 ? languages[0] : languages.find((item) => item === "en"));
  if (language === undefined)
    throw new PublicError("invalid_request", "Say which language is the default.", {
      errors: [
        { path: "default_language", code: "required", message: "there are several languages" },
      ],
    });
  return language;
}

/** Creates a template. Throws `invalid_request`, and `conflict` when the channel has one of that slug. */
export async function createTemplate(call: Call<CreateTemplate, unknown>): Promise<Found> {
  const { slug, channel, description, variables = {} } = call.body;
  const languages = canonicalLanguages(call.body.languages);
  const default_language = defaultLanguage(call.body, Object.keys(languages));
  requireSound(channel, { languages, variables, default_language });
  const id = templateId(call.partner.partner_id, channel, slug);
  const data: Created = {
    template_id: id,
    slug,
    version: 1,
    channel,
    default_language,
    languages,
    variables,
    ...(description !== undefined && { description }),
    created_at: new Date().toISOString(),
  };
  const stream = streamOf("template", id);
  const event = { id: call.eventId("create"), type: "TemplateCreated", data };
  const stored = await appendOne(call.deps.log, {
    stream,
    expected: "no_stream",
    events: [{ ...event, metadata: call.metadata({ correlation: id }) }],
  });
  if (stored === undefined)
    throw new PublicError(
      "conflict",
      `There is a template ${slug} on ${channel}: add a version to it.`,
      { extra: { id } },
    );
  const [first] = (await call.deps.log.readStream(stream, { limit: 1 })).filter(isCreated);
  return foundIn(first!, first!);
}

/** Adds a version; messages that were accepted keep the one they were rendered with. */
export async function addVersion(
  call: Call<AddVersion, { channel?: string | undefined }>,
): Promise<{ readonly version: Version; readonly position: bigint }> {
  const { variables = {} } = call.body;
  const languages = canonicalLanguages(call.body.languages);
  const id = call.params["id"]!;
  const eventId = call.eventId(`version ${id}`);
  for (let attempt = 0; attempt < maxConflicts; attempt++) {
    const found = await findTemplate(call, id, call.query.channel);
    const own = call.idempotencyKey === undefined ? undefined : await madeBy(call, found, eventId);
    if (own !== undefined) {
      requireSameRequest(own, call.fingerprint);
      return { version: own.data, position: own.position };
    }
    const { template_id, slug, channel, default_language } = found.created;
    requireSound(channel, { languages, variables, default_language });
    if (found.newest.version >= maxTemplateVersions)
      throw new PublicError("conflict", `A template has at most ${maxTemplateVersions} versions.`);
    const version: Version = {
      template_id,
      slug,
      version: found.newest.version + 1,
      languages,
      variables,
      created_at: new Date().toISOString(),
    };
    const stored = await appendOne(call.deps.log, {
      stream: streamOf("template", template_id),
      expected: found.last.revision,
      events: [
        {
          id: eventId,
          type: "TemplateVersionAdded",
          data: version,
          metadata: call.metadata({ correlation: template_id }),
        },
      ],
    });
    if (stored !== undefined) return { version, position: stored.position };
  }
  throw tooManyChanges();
}

/** The version that this command made before, if it did: by the index of versions, and in the stream where that does not reach yet. */
async function madeBy(
  call: Call<unknown, unknown>,
  { created, newest, last }: Found,
  eventId: string,
): Promise<TemplateEvent | undefined> {
  if (last.id === eventId) return last;
  const { log, projectionPool } = call.deps;
  const stream = streamOf("template", created.template_id);
  const index = await findTemplateVersion(projectionPool, created.template_id, eventId);
  if (index.version !== undefined) {
    const from = revisionOfVersion(index.version);
    return (await log.readStream(stream, { from, limit: 1 }))[0];
  }
  const end = revisionOfVersion(newest.version);
  for (let from = revisionOfVersion(index.known + 1); from < end; from += pageSize) {
    const page = await log.readStream(stream, { from, limit: pageSize });
    const own = page.find((event) => event.id === eventId);
    if (own !== undefined) return own;
  }
  return undefined;
}
