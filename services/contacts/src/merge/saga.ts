import { setTimeout as pause } from "node:timers/promises";
import { notValid, tooManyChanges } from "@heliograph/api";
import { type PublicError, failpoint, uuid5 } from "@heliograph/contracts";
import { refusalOf } from "../commands.ts";
import { type Contact, evolveContact } from "../contact.ts";
import { notFound, withField } from "../refusals.ts";
import { type ContactsContext, type Loaded, changeContact, loadContact } from "../streams.ts";
import { type Moved, absorbed, canceled, letGo, merged, mergeFaults, started } from "./decide.ts";
import { restore } from "./restore.ts";

/** How many conversations and messages of these contacts there are. */
export type Count = (
  contactIds: readonly string[],
) => Promise<Pick<Moved, "conversations" | "messages">>;

export type Merge = {
  readonly from: string;
  readonly into: string;
  readonly mergeId: string;
};
export type Merged =
  | { readonly kind: "merged"; readonly survivor: Loaded; readonly moved: Moved }
  | Refused;

/** Others change the two at the same moment; each round sees a newer state. Of two that merge each other one waits longer. */
const maxRounds = 8;
const pauseMs = 20;

/** Two that are fit to be merged, or why they are not. */
type Pair = { readonly kind: "pair"; readonly one: Loaded; readonly survivor: Loaded } | Refused;
type Refused = { readonly kind: "refused"; readonly error: PublicError };

/** Both contacts, fit to be merged, or why not. */
async function pair(
  context: ContactsContext,
  { from, into }: Pick<Merge, "from" | "into">,
): Promise<Pair> {
  if (from === into)
    return refused(notValid("body", [withField("into", "same", "is the contact itself")]));
  const [one, survivor] = await Promise.all([
    loadContact(context, from),
    loadContact(context, into),
  ]);
  const error = refusalOf(one?.contact, from) ?? refusalOf(survivor?.contact, into);
  if (error !== undefined) return refused(error);
  const faults = mergeFaults(survivor!.contact, one!.contact);
  if (faults !== undefined) return refused(faults);
  return { kind: "pair", one: one!, survivor: survivor! };
}

const refused = (error: PublicError) => ({ kind: "refused", error }) as const;

/** What a merge would do, without doing it. */
export async function previewMerge(
  context: ContactsContext,
  merge: Pick<Merge, "from" | "into">,
  count: Count,
): Promise<Merged> {
  const both = await pair(context, merge);
  if (both.kind === "refused") return both;
  const { one, survivor } = both;
  const counted = await count(await family(context, one.contact));
  const event = absorbed(survivor.contact, one.contact, "", counted, now());
  const contact = evolveContact(survivor.contact, event)!;
  return { kind: "merged", survivor: { ...survivor, contact }, moved: event.data.moved };
}

/** Merges one contact into another, or gives what an earlier try did. */
export async function mergeContacts(
  context: ContactsContext,
  merge: Merge,
  count: Count,
): Promise<Merged> {
  const { from, into } = merge;
  for (let round = 0; round < maxRounds; round++) {
    const earlier = (await ended(context, merge)) ?? (await underway(context, merge, count));
    if (earlier !== undefined) return earlier;
    const both = await pair(context, merge);
    if (both.kind === "refused") return both;
    if (!busy(both.one.contact) && !busy(both.survivor.contact)) {
      if (!(await begin(context, merge, both))) continue;
      await failpoint("contacts.merge_started");
      const merged = await finish(context, merge, count);
      if (merged !== undefined) return merged;
    }
    await pause(pauseMs * (round + 1) * (from < into ? 1 : 3));
  }
  return refused(tooManyChanges());
}

const busy = ({ absorbing }: Contact): boolean => absorbing !== undefined;

/** False when the survivor has changed since. */
async function begin(
  context: ContactsContext,
  { from, into, mergeId }: Merge,
  { one, survivor }: Extract<Pair, { readonly kind: "pair" }>,
): Promise<boolean> {
  const at = survivor.revision;
  const eventId = uuid5(mergeId, "started", String(at));
  const began = await changeContact(context, into, eventId, (contact, revision) =>
    revision === at
      ? { events: [started(contact!, { merge_id: mergeId, merged_id: from }, one.revision, now())] }
      : { refusal: "moved" },
  );
  return began.kind === "changed";
}

/** A merge that an earlier try began. */
async function underway(
  context: ContactsContext,
  merge: Merge,
  count: Count,
): Promise<Merged | undefined> {
  const survivor = await loadContact(context, merge.into);
  return survivor?.contact.absorbing?.merge_id === merge.mergeId
    ? finish(context, merge, count)
    : undefined;
}

/**
 * Brings a merge that has begun to its end: the contact becomes part of the survivor right behind the revision that was named, or, where something else came
 * there, the merge is canceled and this gives undefined. Whoever does it and however often, the end is the same.
 */
export async function finish(
  context: ContactsContext,
  merge: Merge,
  count: Count,
): Promise<Merged | undefined> {
  const { from, into, mergeId } = merge;
  const before = await loadContact(context, into);
  const absorbing = before?.contact.absorbing;
  if (absorbing?.merge_id !== mergeId) return ended(context, merge);
  const fate = await changeContact(context, from, uuid5(mergeId, "merged"), (contact, revision) =>
    revision === absorbing.merged_revision
      ? { events: [merged(contact!, { merge_id: mergeId, into }, now())] }
      : { refusal: "moved" },
  );
  await failpoint("contacts.merged");
  if (fate.kind === "refused") return cancel(context, merge, before!);
  const counted = await count(await family(context, fate.contact));
  await changeContact(context, into, absorbedId(mergeId), (contact) =>
    contact?.absorbing?.merge_id === mergeId
      ? { events: [absorbed(contact, fate.contact, mergeId, counted, now())] }
      : { refusal: "ended" },
  );
  await failpoint("contacts.absorbed");
  return ended(context, merge);
}

const absorbedId = (mergeId: string): string => uuid5(mergeId, "absorbed");

/** A merge that has been done, as it was then told; undefined where it has not. */
async function ended(
  context: ContactsContext,
  { into, mergeId }: Merge,
): Promise<Merged | undefined> {
  const then = await changeContact(context, into, absorbedId(mergeId), () => ({ refusal: "no" }));
  return then.kind === "changed" && then.first.type === "ContactAbsorbed"
    ? { kind: "merged", survivor: then, moved: then.first.data.moved }
    : undefined;
}

async function cancel(
  context: ContactsContext,
  { into, from, mergeId }: Merge,
  { revision }: Loaded,
): Promise<undefined> {
  const eventId = uuid5(mergeId, "canceled", String(revision));
  await changeContact(context, into, eventId, (contact) =>
    contact?.absorbing?.merge_id === mergeId
      ? { events: [canceled(into, { merge_id: mergeId, merged_id: from }, now())] }
      : { refusal: "ended" },
  );
  return undefined;
}

/** A contact and all that are part of it. */
async function family(context: ContactsContext, contact: Contact): Promise<readonly string[]> {
  const members = await Promise.all(
    contact.merges.map(async ({ merged_id }) => {
      const loaded = await loadContact(context, merged_id);
      return loaded === undefined ? [] : family(context, loaded.contact);
    }),
  );
  return [contact.contact_id, ...members.flat()];
}

export type Unmerged =
  | { readonly kind: "unmerged"; readonly contacts: readonly [Loaded, Loaded] }
  | Refused;

/** Undoes a merge: both are as they were, and what was changed since stays with the survivor. */
export async function unmergeContacts(
  context: ContactsContext,
  survivorId: string,
  mergeId: string,
): Promise<Unmerged> {
  const changed = await changeContact<PublicError>(
    context,
    survivorId,
    uuid5(mergeId, "released"),
    (contact) => {
      const refusal = refusalOf(contact, survivorId);
      if (refusal !== undefined) return { refusal };
      if (busy(contact!)) return { refusal: tooManyChanges() };
      const active = contact!.merges.find(({ merge_id }) => merge_id === mergeId);
      return active === undefined
        ? { refusal: notFound("merge") }
        : { events: [letGo(contact!, active, now())] };
    },
  );
  if (changed.kind === "refused") return refused(changed.refusal);
  if (changed.kind === "unchanged" || changed.first.type !== "ContactReleased")
    throw new Error(`${mergeId}: the unmerge is no release`);
  await failpoint("contacts.released");
  const one = await restore(context, changed.first.data);
  return { kind: "unmerged", contacts: [changed, one] };
}

const now = () => ({ at: new Date().toISOString() });
