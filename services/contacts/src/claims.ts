import { type ExternalIdRef, externalIdName } from "@heliograph/channels";
import { deterministicId, streamOf, uuid5 } from "@heliograph/contracts";
import type { EventIn } from "@heliograph/log";
import { hasLetGo } from "./contact.ts";
import { type EndUnmerge, endUnmerge } from "./merge/restore.ts";
import { type ContactsContext, type Loaded, loadContact, maxHops } from "./streams.ts";

/** An external id with the name of its claim. */
export type NamedId = ExternalIdRef & { readonly name: string };

export const named = (
  { vault, partner }: Pick<ContactsContext, "vault" | "partner">,
  { source, id }: ExternalIdRef,
): NamedId => ({ source, id, name: externalIdName(vault, partner, { source, id }) });

/** Who owns an external id, as its stream's last event tells. `revision` is -1 where it was never claimed. */
export type Claim = { readonly owner: string | undefined; readonly revision: number };

export async function readClaim(
  log: ContactsContext["log"],
  { name }: Pick<NamedId, "name">,
): Promise<Claim> {
  const stream = streamOf("external", claimKey(name));
  const [last] = await log.readStream(stream, { backwards: true, limit: 1 });
  return claimOf(last);
}

const claimOf = (last: EventIn<`external-${string}`> | undefined): Claim =>
  last === undefined
    ? { owner: undefined, revision: -1 }
    : {
        owner: last.type === "ExternalIdClaimed" ? last.data.contact_id : undefined,
        revision: last.revision,
      };

/** A claim that changed hands more often is read by itself. */
const claimEvents = 4;

/** Many claims in one read, by their names. */
export async function readClaims(
  log: ContactsContext["log"],
  names: readonly string[],
): Promise<ReadonlyMap<string, Claim>> {
  const streamOfName = (name: string) => streamOf("external", claimKey(name));
  const streams = await log.readStreams(names.map(streamOfName), { limit: claimEvents });
  const claims = new Map<string, Claim>();
  for (const name of names) {
    const events = streams.get(streamOfName(name)) ?? [];
    const claim =
      events.length < claimEvents ? claimOf(events.at(-1)) : await readClaim(log, { name });
    claims.set(name, claim);
  }
  return claims;
}

/** `external-id-<name>`. */
export const claimKey = (name: string): string => `id-${name}`;

export type Owner =
  /** Nobody's, or of one whose contact was erased. */
  | { readonly kind: "free" }
  /** Claimed for a contact that has no stream: whoever claimed it is between the two, or crashed there. */
  | { readonly kind: "orphan"; readonly contact_id: string }
  | { readonly kind: "held"; readonly by: Loaded };

/** The id of the contact that an external id is claimed for at a revision of its claim, where that contact is made by it. */
export const contactOfClaim = ({ name }: Pick<NamedId, "name">, revision: number): string =>
  deterministicId("cnt", streamOf("external", claimKey(name)), String(revision));

/** What a claim means now. Where its contact was merged, the survivor holds it. */
export async function ownerOf(
  context: ContactsContext,
  { owner }: Claim,
  end: EndUnmerge = endUnmerge,
): Promise<Owner> {
  if (owner === undefined) return { kind: "free" };
  const by = await holderOf(context, owner, end);
  if (by === undefined) return { kind: "orphan", contact_id: owner };
  const { status } = by.contact;
  return status === "erasing" || status === "erased" ? { kind: "free" } : { kind: "held", by };
}

/**
 * The survivor of a contact. Where that one has let it go the contact is itself: an unmerge that is half done is ended first, or what it takes back could be somebody else's meanwhile. Where nothing tells
 * what it takes back, it is as part of the survivor as ever.
 */
async function holderOf(
  context: ContactsContext,
  id: string,
  end: EndUnmerge,
): Promise<Loaded | undefined> {
  let loaded = await loadContact(context, id);
  for (let hops = 0; loaded?.contact.merged !== undefined; hops++) {
    if (hops === maxHops) throw new Error(`${id}: merged over and over`);
    const { merged } = loaded.contact;
    const survivor = await loadContact(context, merged.into);
    if (survivor === undefined || !hasLetGo(survivor.contact, merged.merge_id)) {
      loaded = survivor;
      continue;
    }
    const ended = await end(context, loaded, merged);
    const isTold = ended?.contact.merged?.merge_id !== merged.merge_id;
    if (!isTold)
      context.logger?.warn(
        { contact: loaded.contact.contact_id, survivor: merged.into, merge: merged.merge_id },
        "nothing tells what an unmerge gave back, its contact stays part of the other one",
      );
    loaded = isTold ? ended : survivor;
  }
  return loaded;
}

export const lists = ({ contact }: Pick<Loaded, "contact">, { name }: NamedId): boolean =>
  contact.external_ids.some((each) => each.name === name);

/**
 * Claims an id at the very revision that was read: false when another was first. Whoever is to complete another's claim claims it anew for the same contact
 * before, so that the one who made it cannot give it back any more.
 */
export async function claim(
  context: ContactsContext,
  { name, source }: NamedId,
  contactId: string,
  revision: number,
): Promise<boolean> {
  const stream = streamOf("external", claimKey(name));
  const { fingerprint: _, ...metadata } = context.metadata();
  const claimed_at = new Date().toISOString();
  const event = {
    id: context.eventId(`claim ${name} ${contactId} ${revision + 1}`),
    type: "ExternalIdClaimed",
    data: { name, source, contact_id: contactId, claimed_at },
    metadata: { ...metadata, partner: context.partner, correlation: contactId },
  };
  const expected = revision < 0 ? "no_stream" : revision;
  // Whoever had it before may be erased without what is sent to its new owner.
  if (revision >= 0) await context.vault.retire(context.partner, name);
  const [outcome] = await context.log.append([{ stream, expected, events: [event] }]);
  if (outcome!.kind === "invalid") throw new Error(`${stream}: ${outcome!.message}`);
  return outcome!.kind !== "conflict";
}

/** A claim's last event, where it may be released and nowhere else. */
export type Release = Pick<NamedId, "name" | "source"> & {
  readonly contact_id: string;
  readonly revision: number;
  readonly reason: "removed" | "given_back" | "erased";
};

/** Frees an id at the revision where it was claimed; nothing happens when it was claimed anew since, and the second time. */
export async function release(
  context: Pick<ContactsContext, "log" | "partner" | "metadata">,
  { name, source, contact_id, revision, reason }: Release,
): Promise<void> {
  const stream = streamOf("external", claimKey(name));
  const { fingerprint: _, ...metadata } = context.metadata();
  const event = {
    id: uuid5("release", stream, String(revision)),
    type: "ExternalIdReleased",
    data: { name, source, contact_id, reason, released_at: new Date().toISOString() },
    metadata: { ...metadata, partner: context.partner, correlation: contact_id },
  };
  const [outcome] = await context.log.append([{ stream, expected: revision, events: [event] }]);
  if (outcome!.kind === "invalid") throw new Error(`${stream}: ${outcome!.message}`);
}

export type Secured =
  | { readonly kind: "secured"; readonly fresh: readonly Release[] }
  | { readonly kind: "taken"; readonly external_id: ExternalIdRef; readonly contact_id: string }
  | Again;

/** Another writer is in the middle of it: `orphan` is claimed for a contact that is not there yet, `isMerging`: the contact is about to take it over. */
export type Again = {
  readonly kind: "again";
  readonly orphan?: NamedId;
  readonly isMerging?: boolean;
};

/**
 * Claims ids for a contact, in the order of their names, so that two who want the same ones do not hold one each. When a later one is taken, those that were
 * free before are given back. Those that the contact lists are its own already.
 */
export async function secure(
  context: ContactsContext,
  contactId: string,
  ids: readonly NamedId[],
): Promise<Secured> {
  const fresh: Release[] = [];
  for (const id of ids.toSorted((left, right) => (left.name < right.name ? -1 : 1))) {
    const stopped = await secureOne(context, contactId, id, fresh);
    if (stopped === undefined) continue;
    await giveBack(context, fresh);
    return stopped;
  }
  return { kind: "secured", fresh };
}

export async function giveBack(context: ContactsContext, fresh: readonly Release[]): Promise<void> {
  for (const each of fresh.toReversed()) await release(context, each);
}

async function secureOne(
  context: ContactsContext,
  contactId: string,
  id: NamedId,
  fresh: Release[],
): Promise<Exclude<Secured, { kind: "secured" }> | undefined> {
  const { owner, revision } = await readClaim(context.log, id);
  const is = await ownerOf(context, { owner, revision });
  if (is.kind === "held") {
    const { contact } = is.by;
    if (contact.contact_id !== contactId)
      return { kind: "taken", external_id: id, contact_id: contact.contact_id };
    if (lists(is.by, id)) return undefined;
    // Of one that it takes over: claimed for the survivor, it would not go back with the other one.
    if (owner !== contactId && contact.absorbing !== undefined)
      return { kind: "again", isMerging: true };
  }
  if (is.kind === "orphan" && is.contact_id !== contactId) return { kind: "again", orphan: id };
  if (!(await claim(context, id, contactId, revision))) return { kind: "again" };
  if (is.kind === "free") {
    const { name, source } = id;
    fresh.push({
      name,
      source,
      contact_id: contactId,
      revision: revision + 1,
      reason: "given_back",
    });
  }
  return undefined;
}
