import { PublicError, streamOf } from "@heliograph/contracts";
import { appendOne, maxConflicts, tooManyChanges } from "../append.ts";
import type { Call } from "../call.ts";
import { requireSameRequest } from "../idempotency.ts";
import { templateId } from "../messages/templates.ts";
import { requireSound } from "./check.ts";
import { type Created, type Found, type Version, findTemplate, foldTemplate } from "./find.ts";
import type { AddVersion, CreateTemplate } from "./schema.ts";

/** A stream is read whole; nobody needs the five-hundredth version of a text by its number. */
const maxVersions = 500;

/** The one language there is, or English. */
function defaultLanguage(body: CreateTemplate): string {
  const languages = Object.keys(body.languages);
  const language =
    body.default_language ??
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
  const { slug, channel, description, languages, variables = {} } = call.body;
  const default_language = defaultLanguage(call.body);
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
  return foldTemplate(await call.deps.log.readStream(stream, { limit: 1 }))!;
}

/** Adds a version; messages that were accepted keep the one they were rendered with. */
export async function addVersion(
  call: Call<AddVersion, { channel?: string | undefined }>,
): Promise<{ readonly version: Version; readonly position: bigint }> {
  const { languages, variables = {} } = call.body;
  const id = call.params["id"]!;
  const eventId = call.eventId(`version ${id}`);
  for (let attempt = 0; attempt < maxConflicts; attempt++) {
    const { created, versions, events, revision } = await findTemplate(
      call,
      id,
      call.query.channel,
    );
    const own = events.find((event) => event.id === eventId);
    if (own !== undefined) {
      requireSameRequest(own, call.fingerprint);
      return { version: own.data, position: own.position };
    }
    const { template_id, slug, channel, default_language } = created;
    requireSound(channel, { languages, variables, default_language });
    if (versions.length >= maxVersions)
      throw new PublicError("conflict", `A template has at most ${maxVersions} versions.`);
    const version: Version = {
      template_id,
      slug,
      version: versions.at(-1)!.version + 1,
      languages,
      variables,
      created_at: new Date().toISOString(),
    };
    const metadata = call.metadata({ correlation: template_id });
    const stored = await appendOne(call.deps.log, {
      stream: streamOf("template", template_id),
      expected: revision,
      events: [{ id: eventId, type: "TemplateVersionAdded", data: version, metadata }],
    });
    if (stored !== undefined) return { version, position: stored.position };
  }
  throw tooManyChanges();
}
