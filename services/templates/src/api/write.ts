import {
  type Call,
  appendOne,
  etagOfBody,
  maxConflicts,
  notValid,
  requireMatch,
  requireSameRequest,
  tooManyChanges,
} from "@heliograph/api";
import { PublicError, streamOf, wordsOf } from "@heliograph/contracts";
import { revisionOfVersion, templateId } from "@heliograph/domain";
import {
  type Decided,
  type Version,
  changesNothing,
  decideTemplate,
  decideVersion,
  patched,
} from "../decide.ts";
import { findTemplateVersion } from "../tables/templates.ts";
import {
  type Found,
  type TemplateEvent,
  deletedIn,
  findNamed,
  findTemplate,
  foundIn,
  isCreated,
  isVersion,
  templateView,
  theOne,
} from "./find.ts";
import { AddVersion, type ChangeTemplate, type CreateTemplate } from "./schema.ts";

/** An answer names no more faults than a person reads. */
const maxErrors = 50;

function requireDecided<Event>(decided: Decided<Event>): Event {
  switch (decided.kind) {
    case "decided":
      return decided.data;
    case "invalid": {
      const { path, message } = decided.errors[0]!;
      throw new PublicError("invalid_request", `The template is not valid: ${path}: ${message}`, {
        errors: decided.errors.slice(0, maxErrors),
      });
    }
    case "full":
      throw new PublicError("conflict", `A template has at most ${decided.most} versions.`);
    default:
      return decided satisfies never;
  }
}

/** Creates a template. Throws `invalid_request`, and `conflict` when the channel has one of that slug. */
export async function createTemplate(call: Call<CreateTemplate, unknown>): Promise<Found> {
  const { slug, channel } = call.body;
  const name = { partner: call.account, channel, slug };
  const deleted = await deletedIn(call.deps.log, name);
  if (deleted > 0) await requireNotOwn(call, templateId(name, deleted - 1));
  const id = templateId(name, deleted);
  const data = requireDecided(decideTemplate(call.body, { id, createdAt: call.timestamp() }));
  const stream = streamOf("template", id);
  const stored = await appendOne(call.deps.log, {
    stream,
    expected: "no_stream",
    events: [
      {
        id: createId(call, id),
        type: "TemplateCreated",
        data,
        metadata: call.metadata({ correlation: id }),
      },
    ],
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

/** A first try of this very request may have made the template that was deleted since: then it makes no other. Throws `conflict`. */
async function requireNotOwn(call: Call<unknown, unknown>, id: string): Promise<void> {
  const [first] = await call.deps.log.readStream(streamOf("template", id), { limit: 1 });
  if (first?.id === createId(call, id))
    throw new PublicError("conflict", "The template that this request made was deleted since.");
}

const createId = (call: Call<unknown, unknown>, id: string): string => call.eventId(`create ${id}`);

/**
 * Adds a version; messages that were accepted keep the one they were rendered with. Not by the verb that changes other things, which folds a
 * whole stream: this one may have hundreds of versions of 250 KB.
 */
export const addVersion = (call: Call<AddVersion, ByChannel>): Promise<Added> =>
  nextVersion(call, "version", () => call.body);

/** Adds the version that comes of changing the newest one, seen as `If-Match` says, or gives that one where nothing of it changes. Throws `precondition_failed` as well. */
export const changeTemplate = (call: Call<ChangeTemplate, ByChannel>): Promise<Added> =>
  nextVersion(call, "change", (found) => {
    requireMatch(call, () => etagOfBody(templateView(found)));
    if (changesNothing(found, call.body)) return undefined;
    const { default_language, description } = call.body;
    const read = AddVersion.safeParse(patched(found.newest, call.body), { error: wordsOf });
    if (read.success) return { ...read.data, default_language, description };
    throw notValid(
      "body",
      read.error.issues.map(({ path, message, code }) => ({ path: path.join("."), code, message })),
    );
  });

type ByChannel = { channel?: string | undefined };
type Added = { readonly found: Found; readonly version: Version; readonly position: bigint };

async function nextVersion(
  call: Call<unknown, ByChannel>,
  verb: string,
  textsOf: (found: Found) => Parameters<typeof decideVersion>[1] | undefined,
): Promise<Added> {
  const id = call.params["id"]!;
  const eventId = call.eventId(`${verb} ${id}`);
  for (let attempt = 0; attempt < maxConflicts; attempt++) {
    const found = await findTemplate(call, id, call.query.channel);
    const own = call.idempotencyKey === undefined ? undefined : await madeBy(call, found, eventId);
    if (own !== undefined) {
      requireSameRequest(own, call.fingerprint);
      return { found, version: own.data, position: own.position };
    }
    const texts = textsOf(found);
    if (texts === undefined) return { found, version: found.newest, position: found.last.position };
    const version = requireDecided(decideVersion(found, texts, call.timestamp()));
    const { template_id } = version;
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
    if (stored !== undefined) return { found, version, position: stored.position };
  }
  throw tooManyChanges();
}

/**
 * Deletes a template for good and gives the position of that. What reads one finds its stream ended; a new one of its name is in another
 * stream. Throws `not_found`, `conflict` and `precondition_failed`.
 */
export async function deleteTemplate(
  call: Call<undefined, { channel?: string | undefined }>,
): Promise<bigint> {
  const asked = call.params["id"]!;
  const idOf = (template: string): string => call.eventId(`delete ${template}`);
  for (let attempt = 0; attempt < maxConflicts; attempt++) {
    const named = await findNamed(call, asked, call.query.channel);
    const own = named.deletions.find(({ id, data }) => id === idOf(data.template_id));
    if (own !== undefined) {
      requireSameRequest(own, call.fingerprint);
      return own.position;
    }
    const found = theOne(named);
    requireMatch(call, () => etagOfBody(templateView(found)));
    const { template_id, slug, channel } = found.created;
    const stored = await appendOne(call.deps.log, {
      stream: streamOf("template", template_id),
      expected: found.last.revision,
      events: [
        {
          id: idOf(template_id),
          type: "TemplateDeleted",
          data: { template_id, slug, channel, deleted_at: call.timestamp() },
          metadata: call.metadata({ correlation: template_id }),
        },
      ],
    });
    if (stored !== undefined) return stored.position;
  }
  throw tooManyChanges();
}

/** The version that this command made before, if it did: by the index of versions, and in the stream where that does not reach yet. */
async function madeBy(
  call: Call<unknown, unknown>,
  { created, last }: Found,
  eventId: string,
): Promise<TemplateEvent | undefined> {
  if (last.id === eventId) return last;
  const { log, projectionPool } = call.deps;
  const stream = streamOf("template", created.template_id);
  const index = await findTemplateVersion(projectionPool, created.template_id, eventId);
  if (index.version !== undefined) {
    const from = revisionOfVersion(index.version);
    return (await log.readStream(stream, { from, limit: 1 })).find(isVersion);
  }
  for await (const event of log.scanStream(stream, { from: revisionOfVersion(index.known + 1) }))
    if (event.id === eventId && isVersion(event)) return event;
  return undefined;
}
