import { requireSameRequest, tooManyChanges } from "@heliograph/api";
import { type TypedEvent, deterministicId, streamOf, uuid5 } from "@heliograph/contracts";
import {
  type EventIn,
  type EventLog,
  type Metadata,
  MAX_CHANGE_TRIES,
  type NewEvent,
  ReadTooLarge,
} from "@heliograph/log";
import type { ServiceContext } from "@heliograph/runtime";
import type { Seal, Subject, Vault } from "@heliograph/vault";
import { type Contact, evolveContact, hasLetGo, ownersOf } from "./contact.ts";
import { erased } from "./refusals.ts";

/** What the commands of contacts need, whoever gives them: a request, a row of a file, a reactor. */
export type ContactsContext = {
  readonly log: EventLog;
  readonly vault: Vault;
  readonly logger?: ServiceContext["logger"];
  readonly partner: string;
  /** Of the events that are appended. A `fingerprint` is kept sealed: it would tell what a person's data were to who guesses them. */
  metadata(): Metadata;
  /** The id of the event that is called so in this request, row or reaction: the same again when it is repeated. */
  eventId(name: string): string;
};

/** Which time it is where the command is given: RFC 3339. */
export const timeIn = (context: Pick<ContactsContext, "metadata">): string =>
  context.metadata().at ?? new Date().toISOString();

/** A contact and where its stream stands. */
export type Loaded = {
  readonly contact: Contact;
  readonly revision: number;
  readonly position: bigint;
  /** Tells who made it. */
  readonly firstEventId: string;
};

/** Memory of one read is bound by this many events, however long the stream. */
const chunk = 100;

/** The partner's contact; undefined where there is none, and for another partner's. */
export const loadContact = async (
  context: Pick<ContactsContext, "log" | "vault" | "partner">,
  id: string,
): Promise<Loaded | undefined> => (await fold(context, id)).loaded;

/** A contact of many, and the ids of its events, by which a change that was made earlier is recognised. */
export type LoadedWithIds = Loaded & { readonly eventIds: ReadonlySet<string> };

/** So many streams are in memory at once, with so many events of each. */
const streamsAtOnce = 100;
const eventsEach = 20;

/** Many contacts of the partner in a few reads. One that is not there, or another partner's, is missing. */
export async function loadContacts(
  context: Pick<ContactsContext, "log" | "vault" | "partner">,
  ids: readonly string[],
): Promise<ReadonlyMap<string, LoadedWithIds>> {
  const found = new Map<string, LoadedWithIds>();
  for (let at = 0; at < ids.length; at += streamsAtOnce) {
    const streams = ids.slice(at, at + streamsAtOnce).map((id) => streamOf("contact", id));
    const together = await readTogether(context, streams);
    for (const stream of streams) {
      const loaded = await foldWithIds(context, together(stream) ?? scan(context, stream));
      if (loaded !== undefined) found.set(loaded.contact.contact_id, loaded);
    }
  }
  return found;
}

type ContactEvent = EventIn<`contact-${string}`>;

/** The opened events of streams; undefined for one that is too long, and for all that are too large together, to be in memory at once. */
async function readTogether(
  { log, vault, partner }: Pick<ContactsContext, "log" | "vault" | "partner">,
  names: readonly `contact-${string}`[],
): Promise<(stream: `contact-${string}`) => readonly ContactEvent[] | undefined> {
  try {
    const streams = await log.readStreams(names, { limit: eventsEach });
    const open = await vault.open(partner, [...streams.values()]);
    return (stream) => {
      const events = streams.get(stream) ?? [];
      return events.length < eventsEach ? open(events) : undefined;
    };
  } catch (error) {
    if (error instanceof ReadTooLarge) return () => undefined;
    throw error;
  }
}

async function* scan(
  { log, vault, partner }: Pick<ContactsContext, "log" | "vault" | "partner">,
  stream: `contact-${string}`,
): AsyncGenerator<ContactEvent> {
  for await (const event of log.scanStream(stream))
    yield (await vault.open(partner, event.data))(event);
}

async function foldWithIds(
  { partner }: Pick<ContactsContext, "partner">,
  events: AsyncIterable<ContactEvent> | readonly ContactEvent[],
): Promise<LoadedWithIds | undefined> {
  let loaded: Loaded | undefined;
  const eventIds = new Set<string>();
  for await (const event of events) {
    if (loaded === undefined && event.metadata.partner !== partner) return undefined;
    eventIds.add(event.id);
    loaded = evolved(loaded, event);
  }
  return loaded && { ...loaded, eventIds };
}

function evolved(loaded: Loaded | undefined, event: ContactEvent): Loaded | undefined {
  const contact = evolveContact(loaded?.contact, event);
  if (contact === undefined) return loaded;
  const { revision, position } = event;
  return { contact, revision, position, firstEventId: loaded?.firstEventId ?? event.id };
}

type Own = {
  readonly loaded: Loaded;
  readonly first: EventIn<`contact-${string}`>;
};

/** Folds the stream, to its end or to the end of its own events where they are there. */
async function fold(
  { log, vault, partner }: Pick<ContactsContext, "log" | "vault" | "partner">,
  id: string,
  eventId?: string,
): Promise<{ readonly loaded: Loaded | undefined; readonly own?: Own }> {
  let loaded: Loaded | undefined;
  let first: EventIn<`contact-${string}`> | undefined;
  let owned = 0;
  let events: EventIn<`contact-${string}`>[] = [];
  const take = async (): Promise<boolean> => {
    const open = await vault.open(partner, events);
    for (const sealed of events) {
      const event = open(sealed);
      if (loaded === undefined && event.metadata.partner !== partner) return false;
      if (eventId !== undefined && event.id === idOf(eventId, owned)) {
        first ??= event;
        owned++;
      } else if (first !== undefined) return false;
      loaded = evolved(loaded, event);
    }
    events = [];
    return true;
  };
  for await (const event of log.scanStream(streamOf("contact", id))) {
    events.push(event);
    if (events.length === chunk && !(await take())) break;
  }
  if (events.length > 0) await take();
  return { loaded, ...(first !== undefined && loaded !== undefined && { own: { loaded, first } }) };
}

const idOf = (id: string, index: number): string => (index === 0 ? id : uuid5(id, String(index)));

export type ChangedContact<Refusal> =
  /** As it was right after the change, also when an earlier try had made it. `first` is its first event, opened. */
  | (Loaded & { readonly kind: "changed"; readonly first: TypedEvent })
  | (Loaded & { readonly kind: "unchanged" })
  | { readonly kind: "refused"; readonly refusal: Refusal };

/** A decider of contacts: it sees texts opened and gives events with open texts. */
export type DecideContact<Refusal> = (
  contact: Contact | undefined,
  revision: number,
) => { readonly events: readonly TypedEvent[] } | { readonly refusal: Refusal };

/**
 * Changes one contact at the very revision that was decided on, and seals what is of a person. An `eventId` that is in the stream already is the change made
 * earlier. Throws `conflict` when too many change it at once, `idempotency_key_reused` when another request made the change.
 */
export async function changeContact<Refusal = never>(
  context: ContactsContext,
  id: string,
  eventId: string,
  decide: DecideContact<Refusal>,
): Promise<ChangedContact<Refusal>> {
  const stream = streamOf("contact", id);
  for (let tries = 0; tries < MAX_CHANGE_TRIES; tries++) {
    const { loaded, own } = await fold(context, id, eventId);
    if (own !== undefined) {
      await requireOwn(context, own.first);
      return { ...own.loaded, kind: "changed", first: own.first };
    }
    const decision = decide(loaded?.contact, loaded?.revision ?? -1);
    if ("refusal" in decision) return { kind: "refused", refusal: decision.refusal };
    if (decision.events.length === 0) return { ...loaded!, kind: "unchanged" };
    const made = await sealEvents(context, id, loaded?.contact, decision.events).catch(
      async (error: unknown) => {
        // An erasure that came between has destroyed the key: it is in the stream by now.
        const now = await loadContact(context, id);
        if (now === undefined || !erased(now.contact)) throw error;
      },
    );
    if (made === undefined) continue;
    const { events, contact } = made;
    const named = withIds(events, eventId);
    const expected = loaded?.revision ?? "no_stream";
    const [outcome] = await context.log.append([{ stream, expected, events: named }]);
    if (outcome!.kind === "invalid") throw new Error(`${stream}: ${outcome!.message}`);
    // Of two that make the same change at once the second finds what the first has stored.
    if (outcome!.kind !== "appended") continue;
    const { revision, position } = outcome!;
    const firstEventId = loaded?.firstEventId ?? eventId;
    const [first] = decision.events;
    return { kind: "changed", first: first!, contact, revision, position, firstEventId };
  }
  throw tooManyChanges();
}

async function requireOwn(
  { vault, partner, metadata }: ContactsContext,
  first: { readonly metadata: Metadata },
): Promise<void> {
  const { fingerprint } = metadata();
  // A reactor that finishes what a request began is no other request.
  if (fingerprint === undefined) return;
  const open = await vault.open(partner, first.metadata);
  requireSameRequest(open(first), fingerprint);
}

/** The events of one change, named by the id of its first one. */
export const withIds = (
  events: readonly Omit<NewEvent, "id">[],
  eventId: string,
): readonly NewEvent[] => events.map((event, index) => ({ ...event, id: idOf(eventId, index) }));

/** Seals what a decider gave for a contact, which is `before` until then. */
export async function sealEvents(
  { vault, partner, metadata }: ContactsContext,
  id: string,
  before: Contact | undefined,
  events: readonly TypedEvent[],
): Promise<{ readonly events: readonly Omit<NewEvent, "id">[]; readonly contact: Contact }> {
  const { fingerprint, ...rest } = metadata();
  let contact = before;
  const out: Omit<NewEvent, "id">[] = [];
  for (const event of events) {
    contact = evolveContact(contact, event);
    const merged = event.type === "ContactAbsorbed" ? event.data.merged_id : id;
    const [own, shared, other] = await vault.seals([
      { partner, subject: id },
      sharedSubject(partner, contact!),
      { partner, subject: merged },
    ]);
    out.push({
      type: event.type,
      data: sealEvent(event, { own: own!, shared: shared!, merged: other! }),
      metadata: {
        ...rest,
        partner,
        correlation: id,
        ...(fingerprint !== undefined && { fingerprint: own!(fingerprint) }),
      },
    });
  }
  return { events: out, contact: contact! };
}

/** What is of several people is under a key that each of them owns: erasing one destroys it. */
function sharedSubject(partner: string, contact: Contact): Subject {
  const owners = ownersOf(contact);
  return owners.length === 1
    ? { partner, subject: contact.contact_id }
    : { partner, subject: deterministicId("mrg", ...owners), owners };
}

function sealEvent(
  event: TypedEvent,
  seals: { readonly own: Seal; readonly shared: Seal; readonly merged: Seal },
): object {
  const ids = <Each extends { readonly id: string }>(each: Each, seal: Seal): Each => ({
    ...each,
    id: seal(each.id),
  });
  const fields = (
    data: { readonly name?: string | null | undefined; readonly profile?: string | undefined },
    seal: Seal,
  ) => ({
    ...(data.name !== undefined && { name: data.name === null ? null : seal(data.name) }),
    ...(data.profile !== undefined && { profile: seal(data.profile) }),
  });
  switch (event.type) {
    case "ContactCreated": {
      const external_ids = event.data.external_ids.map((each) => ids(each, seals.own));
      return { ...event.data, external_ids, ...fields(event.data, seals.own) };
    }
    case "ContactUpdated":
    case "ContactReleased":
      return { ...event.data, ...fields(event.data, seals.shared) };
    case "ContactExternalIdAdded":
      return { ...event.data, external_id: ids(event.data.external_id, seals.own) };
    case "ConsentRecorded":
      return { ...event.data, evidence: seals.own(event.data.evidence) };
    case "ContactAbsorbed":
      return {
        ...event.data,
        ...fields(event.data, seals.shared),
        gained: seals.merged(event.data.gained),
        external_ids: event.data.external_ids.map((each) => ids(each, seals.merged)),
      };
    default:
      return event.data;
  }
}

/** So many merges into one another are no chain of people but a bug. */
export const maxHops = 50;

/** The contact itself, or where it was merged the one that it is part of now; undefined where there is no stream. */
export async function survivorOf(
  context: Pick<ContactsContext, "log" | "vault" | "partner">,
  id: string,
): Promise<Loaded | undefined> {
  let loaded = await loadContact(context, id);
  for (let hops = 0; loaded?.contact.merged !== undefined; hops++) {
    if (hops === maxHops) throw new Error(`${id}: merged over and over`);
    loaded = await loadContact(context, loaded.contact.merged.into);
  }
  return loaded;
}

/** The same of many contacts, each read once. One that its survivor has let go is itself, `merged` as it still is until it is told. */
export async function survivorsOf(
  context: Pick<ContactsContext, "log" | "vault" | "partner">,
  ids: readonly string[],
): Promise<(id: string) => LoadedWithIds | undefined> {
  const known = new Map<string, LoadedWithIds | undefined>();
  let asked = new Set(ids);
  for (let hops = 0; asked.size > 0; hops++) {
    if (hops > maxHops) throw new Error(`${[...asked].join(", ")}: merged over and over`);
    const found = await loadContacts(context, [...asked]);
    for (const id of asked) known.set(id, found.get(id));
    asked = new Set(
      [...found.values()].flatMap(({ contact: { merged } }) =>
        merged === undefined || known.has(merged.into) ? [] : merged.into,
      ),
    );
  }
  return (id) => {
    let by = known.get(id);
    // Read one after the other, two that were merged to and fro meanwhile may lead to each other.
    for (let hops = 0; by?.contact.merged !== undefined; hops++) {
      if (hops > maxHops) throw new Error(`${id}: merged over and over`);
      const { into, merge_id } = by.contact.merged;
      const survivor = known.get(into);
      if (survivor !== undefined && hasLetGo(survivor.contact, merge_id)) return by;
      by = survivor;
    }
    return by;
  };
}
