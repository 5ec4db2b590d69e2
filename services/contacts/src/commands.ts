import { setTimeout as pause } from "node:timers/promises";
import { notValid, tooManyChanges } from "@heliograph/api";
import { type ExternalIdRef, soughtExternalId, normalExternalId } from "@heliograph/channels";
import {
  type EventData,
  type FieldError,
  type TypedEvent,
  type PublicError,
  failpoint,
} from "@heliograph/contracts";
import {
  type NamedId,
  type Again,
  type Owner,
  contactOfClaim,
  giveBack,
  lists,
  named,
  ownerOf,
  readClaim,
  release,
  secure,
} from "./claims.ts";
import type { Contact } from "./contact.ts";
import { type ContactInput, maxExternalIds } from "./fields.ts";
import { type EndUnmerge, lookThroughUnmerge } from "./merge/restore.ts";
import { type FieldsPatch, noFields, patchFields, profileText } from "./profile.ts";
import { erased, goneError, mergedError, notFound, taken, withField } from "./refusals.ts";
import { type ContactsContext, type Loaded, changeContact, survivorOf, timeIn } from "./streams.ts";

/** What becomes of a command. Refusals are values, so that a row of a file fails alone. */
export type Commanded =
  | (Loaded & { readonly kind: "created" | "updated" | "unchanged" })
  | { readonly kind: "refused"; readonly error: PublicError };

/** Who makes a contact, and of what. */
export type Made = Pick<EventData<"ContactCreated">, "made_by" | "message_id">;

/** What a command does to one that is there: its patch, or what follows from what it has. */
type Patching = FieldsPatch | ((contact: Contact) => FieldsPatch);
const patchOf = (patching: Patching, contact: Contact): FieldsPatch =>
  typeof patching === "function" ? patching(contact) : patching;

/** Holds a condition, such as `If-Match`, against the revision that is changed; undefined where the contact is made. Throws what it refuses with. */
export type Check = (revision: number | undefined) => void;

/** How often a claim that another writer is in the middle of is looked at again before it is completed for him: he has crashed then. */
const patientRounds = 10;
const pauseMs = 25;
const maxRounds = 40;

type Round = Commanded | Again;

/** Makes a contact, `contactId` where it has no external id to name it by. A repetition by the same event ids gives what was made. */
export async function createContact(
  context: ContactsContext,
  input: ContactInput,
  made: Made,
  contactId: string,
): Promise<Commanded> {
  const ids = namedIds(context, input.external_ids ?? []);
  if ("error" in ids) return { kind: "refused", error: ids.error };
  const [lead] = ids;
  if (lead === undefined) {
    const round = await create(context, contactId, [], input, made);
    if (round.kind === "again") throw new Error(`${contactId}: made by another writer`);
    return round;
  }
  return inRounds(context, async () => {
    const { owner, id } = await leadOwner(context, lead);
    if (owner.kind !== "held") return create(context, id, ids, input, made);
    const { by } = owner;
    return isMadeBy(context, by)
      ? create(context, by.contact.contact_id, ids, input, made, by.firstEventId)
      : { kind: "refused", error: taken(lead, by.contact.contact_id) };
  });
}

/**
 * Updates the contact that has the external id, or makes one. What is absent stays, so of two at once neither undoes the other's. `input.external_ids` are
 * added; where another contact has one of them nothing of it all is applied.
 */
export async function upsertByExternalId(
  context: ContactsContext,
  lead: ExternalIdRef,
  input: ContactInput,
  made: Made,
  check?: Check,
): Promise<Commanded> {
  const read = normalExternalId(lead.source, lead.id);
  return read.kind === "fault"
    ? { kind: "refused", error: notValid("path", [faultOf(read)]) }
    : upsertKnown(context, read.value, input, made, check, input);
}

/** The same by an id in its one form. */
async function upsertKnown(
  context: ContactsContext,
  lead: ExternalIdRef,
  input: ContactInput,
  made: Made,
  check: Check | undefined,
  patching: Patching,
): Promise<Commanded> {
  const others = namedIds(context, input.external_ids ?? []);
  if ("error" in others) return { kind: "refused", error: others.error };
  const first = named(context, lead);
  const ids = [first, ...others.filter(({ name }) => name !== first.name)];
  return inRounds(context, async () => {
    const { owner, id } = await leadOwner(context, first);
    if (owner.kind === "held") return update(context, owner.by, ids, patching, check);
    check?.(undefined);
    return create(context, id, ids, input, made);
  });
}

/**
 * The contact of who writes from an address, in its one form: the one that has it, or a new one. What the person calls itself there becomes the name of one that has none, and changes no other.
 */
export const contactOfSender = (
  context: ContactsContext,
  address: ExternalIdRef,
  { profileName, messageId }: { readonly profileName?: string; readonly messageId: string },
): Promise<Commanded> =>
  upsertKnown(
    context,
    address,
    profileName === undefined ? {} : { name: profileName },
    { made_by: "inbound", message_id: messageId },
    undefined,
    ({ fields }) =>
      fields.name === null && profileName !== undefined ? { name: profileName } : {},
  );

/** Changes fields of a contact by a merge patch. */
export const updateContact = (
  context: ContactsContext,
  contactId: string,
  patch: FieldsPatch,
  check?: Check,
): Promise<Commanded> => changeFields(context, contactId, [], patch, check);

/** Gives a contact one more external id. */
export async function addExternalId(
  context: ContactsContext,
  contactId: string,
  ref: ExternalIdRef,
): Promise<Commanded> {
  const ids = namedIds(context, [ref]);
  if ("error" in ids) return { kind: "refused", error: ids.error };
  return inRounds(context, async () => {
    const found = await survivorOf(context, contactId);
    const refusal = refusalOf(found?.contact, contactId);
    return refusal === undefined
      ? update(context, found!, ids, {})
      : { kind: "refused", error: refusal };
  });
}

/** Takes an external id from a contact and frees it. */
export async function removeExternalId(
  context: ContactsContext,
  contactId: string,
  ref: ExternalIdRef,
  check?: Check,
): Promise<Commanded> {
  const known = soughtExternalId(ref.source, ref.id);
  if (known === undefined) return { kind: "refused", error: notFound() };
  const id = named(context, known);
  const { owner, revision } = await readClaim(context.log, id);
  const changed = await changeContact<PublicError>(
    context,
    contactId,
    context.eventId("removed"),
    (contact, at) => {
      const refusal = refusalOf(contact, contactId);
      if (refusal !== undefined) return { refusal };
      if (!lists({ contact: contact! }, id)) return { refusal: notFound("external id") };
      check?.(at);
      const { source, name } = id;
      const removed_at = timeIn(context);
      const claim_revision = Math.max(0, revision);
      const data = { contact_id: contactId, source, name, claim_revision, removed_at };
      return { events: [{ type: "ContactExternalIdRemoved", data }] };
    },
  );
  if (changed.kind === "refused") return { kind: "refused", error: changed.refusal };
  await failpoint("contacts.removed");
  const { first } = changed as { readonly first?: TypedEvent };
  // A repetition finds what it removed then; who has claimed the id since keeps it.
  const isOwn =
    first?.type === "ContactExternalIdRemoved" && first.data.claim_revision === revision;
  if (owner !== undefined && isOwn)
    await release(context, { ...id, contact_id: owner, revision, reason: "removed" });
  return { ...changed, kind: "updated" };
}

/** The contact that has the external id now; undefined where nobody has it. Unless it is told how to `end` an unmerge that is half done, it appends nothing. */
export async function findByExternalId(
  context: ContactsContext,
  ref: ExternalIdRef,
  end: EndUnmerge = lookThroughUnmerge,
): Promise<Loaded | undefined> {
  const known = soughtExternalId(ref.source, ref.id);
  if (known === undefined) return undefined;
  const claim = await readClaim(context.log, named(context, known));
  const owner = await ownerOf(context, claim, end);
  return owner.kind === "held" ? owner.by : undefined;
}

/** The refusal of a command to a contact that is not there, or no longer itself. */
export function refusalOf(
  contact: Contact | undefined,
  contactId: string,
): PublicError | undefined {
  if (contact === undefined) return notFound();
  if (erased(contact)) return goneError();
  if (contact.merged !== undefined) return mergedError(contact.merged.into);
  return contact.contact_id === contactId ? undefined : mergedError(contact.contact_id);
}

/** Each id in its one form, once, with its name. */
function namedIds(
  context: ContactsContext,
  refs: readonly ExternalIdRef[],
): readonly NamedId[] | { readonly error: PublicError } {
  const ids = new Map<string, NamedId>();
  const errors: FieldError[] = [];
  for (const [index, { source, id }] of refs.entries()) {
    const read = normalExternalId(source, id);
    if (read.kind === "fault") {
      errors.push(faultOf(read, `external_ids.${index}.`));
      continue;
    }
    const each = named(context, read.value);
    ids.set(each.name, each);
  }
  return errors.length > 0 ? { error: notValid("body", errors) } : [...ids.values()];
}

const faultOf = (
  { code, message }: { readonly code: string; readonly message: string },
  before = "",
): FieldError =>
  withField(`${before}${code === "invalid_source" ? "source" : "id"}`, code, message);

/** Whose the id is that a contact is found or made by. The id of one that is made follows from the claim and its revision. */
async function leadOwner(
  context: ContactsContext,
  lead: NamedId,
): Promise<{ readonly owner: Owner; readonly id: string }> {
  const claim = await readClaim(context.log, lead);
  const owner = await ownerOf(context, claim);
  if (owner.kind === "orphan") return { owner, id: owner.contact_id };
  return { owner, id: contactOfClaim(lead, claim.revision + 1) };
}

/** Tries until no other writer comes between. A claim whose writer has crashed is completed. */
async function inRounds(context: ContactsContext, round: () => Promise<Round>): Promise<Commanded> {
  for (let rounds = 0; rounds < maxRounds; rounds++) {
    const result = await round();
    if (result.kind !== "again") return result;
    if (result.orphan === undefined) {
      if (result.isMerging) await pause(pauseMs);
      continue;
    }
    if (rounds < patientRounds) await pause(pauseMs);
    else await complete(context, result.orphan);
  }
  throw tooManyChanges();
}

/** Makes the contact that an id is claimed for: whoever claimed it has crashed before. */
async function complete(context: ContactsContext, id: NamedId): Promise<void> {
  const claim = await readClaim(context.log, id);
  const owner = await ownerOf(context, claim);
  if (owner.kind !== "orphan") return;
  const named = `complete ${id.name}`;
  const own = { ...context, eventId: (name: string) => context.eventId(`${named} ${name}`) };
  await create(own, owner.contact_id, [id], {}, { made_by: "api" });
}

/**
 * The id of the event that makes a contact. Who is repeated after what he made was erased, or lost its ids, makes another contact: that has an id of its own, by which partners are told of it.
 * The first contact of an external id has the id that releases before gave to all.
 */
function createdId(
  context: ContactsContext,
  contactId: string,
  [lead]: readonly NamedId[],
): string {
  const isFirst = lead === undefined || contactId === contactOfClaim(lead, 0);
  return context.eventId(isFirst ? "created" : `created ${contactId}`);
}

/** Whether a contact was made by this very request, row or reaction. */
export const isMadeBy = (
  context: Pick<ContactsContext, "eventId">,
  { contact, firstEventId }: Pick<Loaded, "contact" | "firstEventId">,
): boolean =>
  firstEventId === context.eventId("created") ||
  firstEventId === context.eventId(`created ${contact.contact_id}`);

async function create(
  context: ContactsContext,
  contactId: string,
  ids: readonly NamedId[],
  input: FieldsPatch,
  made: Made,
  eventId = createdId(context, contactId, ids),
): Promise<Round> {
  const { name, language, time_zone, attributes, tags, client_ref } = input;
  const patch = { name, language, time_zone, attributes, tags, client_ref };
  const patched = patchFields(noFields, patch);
  if ("errors" in patched) return { kind: "refused", error: notValid("body", patched.errors) };
  if (ids.length > maxExternalIds) return { kind: "refused", error: tooManyIds() };
  const secured = await secure(context, contactId, ids);
  if (secured.kind === "again") return secured;
  if (secured.kind === "taken")
    return { kind: "refused", error: taken(secured.external_id, secured.contact_id) };
  await failpoint("contacts.claimed");
  const changed = await changeContact(context, contactId, eventId, (contact) => {
    if (contact !== undefined) return { refusal: "exists" };
    const data: EventData<"ContactCreated"> = {
      contact_id: contactId,
      external_ids: ids.map((each) => ({ ...each })),
      name: patched.fields.name,
      profile: profileText(patched.fields),
      ...made,
      created_at: timeIn(context),
    };
    return { events: [{ type: "ContactCreated", data }] };
  });
  if (changed.kind !== "refused") return { ...changed, kind: "created" };
  // Somebody else made it on the same claim, perhaps without the other ids.
  await giveBack(context, secured.fresh);
  return { kind: "again" };
}

/** Adds ids and changes fields of one that is there, in one append. */
async function update(
  context: ContactsContext,
  { contact }: Loaded,
  ids: readonly NamedId[],
  patching: Patching,
  check?: Check,
): Promise<Round> {
  const contactId = contact.contact_id;
  const patched = patchFields(contact.fields, patchOf(patching, contact));
  if ("errors" in patched) return { kind: "refused", error: notValid("body", patched.errors) };
  const added = ids.filter((id) => !lists({ contact }, id));
  if (contact.external_ids.length + added.length > maxExternalIds && added.length > 0)
    return { kind: "refused", error: tooManyIds() };
  const secured = await secure(context, contactId, added);
  if (secured.kind === "again") return secured;
  if (secured.kind === "taken")
    return { kind: "refused", error: taken(secured.external_id, secured.contact_id) };
  await failpoint("contacts.claimed");
  const done = await changeFields(context, contactId, added, patching, check).catch(
    async (error: unknown) => {
      await giveBack(context, secured.fresh);
      throw error;
    },
  );
  if (done.kind !== "refused") return done;
  await giveBack(context, secured.fresh);
  // It was merged or erased since it was read: whoever has the id now is looked for again.
  return done.error.code === "contact_merged" || done.error.code === "contact_erased"
    ? { kind: "again" }
    : done;
}

/** What it takes to give a contact ids and to patch its fields; no events where it is so already. */
export function fieldsChange(
  contact: Contact,
  ids: readonly NamedId[],
  patch: FieldsPatch,
  at: string,
): { readonly events: readonly TypedEvent[] } | { readonly refusal: PublicError } {
  const { contact_id } = contact;
  const patched = patchFields(contact.fields, patch);
  if ("errors" in patched) return { refusal: notValid("body", patched.errors) };
  const events: TypedEvent[] = ids
    .filter((id) => !lists({ contact }, id))
    .map((each) => ({
      type: "ContactExternalIdAdded",
      data: { contact_id, external_id: { ...each }, added_at: at },
    }));
  const { fields, changed } = patched;
  if (changed.length > 0)
    events.push({
      type: "ContactUpdated",
      data: {
        contact_id,
        ...(changed.includes("name") && { name: fields.name }),
        ...(changed.some((key) => key !== "name") && { profile: profileText(fields) }),
        changed: [...changed],
        updated_at: at,
      },
    });
  return { events };
}

async function changeFields(
  context: ContactsContext,
  contactId: string,
  ids: readonly NamedId[],
  patching: Patching,
  check?: Check,
): Promise<Commanded> {
  const changed = await changeContact<PublicError>(
    context,
    contactId,
    context.eventId("updated"),
    (contact, revision) => {
      const refusal = refusalOf(contact, contactId);
      if (refusal !== undefined) return { refusal };
      check?.(revision);
      return fieldsChange(contact!, ids, patchOf(patching, contact!), timeIn(context));
    },
  );
  if (changed.kind === "refused") return { kind: "refused", error: changed.refusal };
  return { ...changed, kind: changed.kind === "changed" ? "updated" : "unchanged" };
}

const tooManyIds = (): PublicError =>
  notValid("body", [withField("external_ids", "too_big", `must be at most ${maxExternalIds}`)]);
