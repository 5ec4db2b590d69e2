import { streamOf, type EventData } from "@heliograph/contracts";
import { foldMessage } from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import { erasedText, mayHoldTokens } from "@heliograph/vault";
import { evolveContact, type Contact } from "../../services/contacts/src/contact.ts";
import { namesOf, suppressionsOf } from "./clearing.ts";
import type { People } from "./people.ts";
import { partner, type Platform } from "./platform.ts";

/** Funds may not suffice for it; nothing else may be wrong with a last message. */
const noMoney: ReadonlySet<string> = new Set(["insufficient_funds", "spend_limit_reached"]);

/** What does not hold of contacts, of what was received, and of who wants nothing more. `last`: messages that everybody was sent when all was known, with their recipients. */
export async function faultsOfPeople(
  platform: Platform,
  last: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  const { people, sim } = platform;
  if (people === undefined) return [];
  const { events } = await sim.log.readAll({ after: 0n, limit: 1_000_000 });
  const contacts = contactsOf(events);
  return [
    ...people.faults,
    ...faultsOfReceived(people, events),
    ...(await faultsOfKeywords(platform, people)),
    ...(await faultsOfLast(platform, people, last)),
    ...faultsOfClaims(contacts, events),
    ...faultsOfMerges(contacts),
    ...(await faultsOfErasures(people, contacts, events)),
  ];
}

/** Each is matched once and stands in a conversation once, in the order in which its sender wrote. */
function faultsOfReceived(
  { written }: People,
  events: readonly RecordedEvent[],
): readonly string[] {
  const faults: string[] = [];
  const count = (type: string, messageId: string): number =>
    events.filter(
      (event) =>
        event.type === type &&
        (event.data as { readonly message_id: string }).message_id === messageId,
    ).length;
  // What was sealed for somebody who was erased before it was read is nobody's.
  const forgotten = new Set(
    events.flatMap(({ type, data }) => (type === "InboundParked" ? data.message_id : [])),
  );
  for (const { messageId } of written) {
    const matched = count("InboundMatched", messageId);
    // Somebody else may have read it before.
    if (matched > 1 || (matched === 0 && !forgotten.has(messageId)))
      faults.push(`${messageId} is matched ${matched} times`);
    const stands = count("MessageReceived", messageId);
    if (stands !== matched) faults.push(`${messageId} stands in a conversation ${stands} times`);
  }
  const order = events.flatMap(({ type, data }) =>
    type === "MessageReceived" ? (data as EventData<"MessageReceived">).message_id : [],
  );
  for (const from of new Set(written.map((each) => each.from))) {
    const own = written
      .filter((each) => each.from === from && !forgotten.has(each.messageId))
      .map(({ messageId }) => messageId);
    const stands = order.filter((id) => own.includes(id)).map((id) => own.indexOf(id));
    if (stands.some((place, at) => place !== at))
      faults.push(`what ${from} wrote stands in the order ${stands.join()}`);
  }
  return faults;
}

/** Whether a keyword stops somebody is as he last wrote. */
async function faultsOfKeywords(
  { sim }: Platform,
  { plain, written, numbers, heard }: People,
): Promise<readonly string[]> {
  const faults: string[] = [];
  const head = await sim.log.head();
  const { events: all } = await sim.log.readAll({ after: 0n, limit: 1_000_000 });
  const unheard = unheardOf(all, heard);
  const idsIn = async (type: "InboundParked" | "InboundMatched"): Promise<Set<string>> => {
    const { events } = await sim.log.readAll({ after: 0n, limit: 1_000_000, types: [type] });
    return new Set(events.map(({ data }) => data.inbound_id));
  };
  const [forgotten, matched] = [await idsIn("InboundParked"), await idsIn("InboundMatched")];
  for (const to of numbers) {
    const { periods } = await suppressionsOf(
      sim.log,
      namesOf(plain, partner, { channel: "sms", to }),
      head,
    );
    const keywords = written.filter(
      ({ from, text }) => from === to && (text === "STOP" || text === "START"),
    );
    // Of two owners one may have set a message aside and the other matched it: then it may have been heard or not.
    if (keywords.some(({ inboundId }) => forgotten.has(inboundId) && matched.has(inboundId)))
      continue;
    // One that was not read yet when its contact's erasure began may have gone with the contact.
    if (keywords.some(({ messageId }) => unheard.has(messageId))) continue;
    const said = keywords.findLast(({ inboundId }) => !forgotten.has(inboundId));
    const active = periods.filter(
      ({ started, ended }) => started.reason === "keyword" && ended === undefined,
    );
    const expected = said?.text === "STOP" ? 1 : 0;
    if (active.length !== expected)
      faults.push(
        `${to} wrote ${said?.text} at last and is stopped ${active.length} times by that`,
      );
  }
  return faults;
}

/** Messages of contacts that were erased, which were not looked at for keywords when that began. */
function unheardOf(events: readonly RecordedEvent[], heard: People["heard"]): ReadonlySet<string> {
  const until = new Map<string, bigint>();
  for (const { type, data } of events)
    if (type === "ContactErased")
      for (const id of [data.contact_id, ...data.with])
        until.set(id, heard.get(data.contact_id) ?? 0n);
  return new Set(
    events.flatMap(({ type, data, position }) =>
      type === "MessageReceived" && position > (until.get(data.contact_id) ?? position)
        ? data.message_id
        : [],
    ),
  );
}

/** Who is suppressed gets nothing, and everybody else is not refused for that. */
async function faultsOfLast(
  { sim }: Platform,
  { plain }: People,
  last: ReadonlyMap<string, string>,
): Promise<readonly string[]> {
  const faults: string[] = [];
  const head = await sim.log.head();
  for (const [id, to] of last) {
    const { periods } = await suppressionsOf(
      sim.log,
      namesOf(plain, partner, { channel: "sms", to }),
      head,
    );
    const isStopped = periods.some(({ ended }) => ended === undefined);
    const events = await sim.log.readStream(streamOf("message", id));
    const rejected = events.find(({ type }) => type === "MessageRejected") as
      | RecordedEvent<"MessageRejected">
      | undefined;
    const code = rejected?.data.error.code;
    const status = foldMessage(events)?.status;
    if (code !== undefined && noMoney.has(code)) continue;
    if (isStopped !== (code === "recipient_suppressed"))
      faults.push(
        `${id} to ${to}, who is ${isStopped ? "" : "not "}stopped, is ${status} ${code ?? ""}`,
      );
  }
  return faults;
}

/** As their streams tell them, what is sealed left sealed. */
function contactsOf(events: readonly RecordedEvent[]): ReadonlyMap<string, Contact> {
  const contacts = new Map<string, Contact>();
  for (const event of events) {
    if (!event.stream.startsWith("contact-")) continue;
    const { contact_id: id } = event.data as { readonly contact_id: string };
    const open = JSON.parse(JSON.stringify(event.data), (key, value) =>
      (key === "profile" || key === "gained") && mayHoldTokens(String(value))
        ? erasedProfile[key as keyof typeof erasedProfile]
        : value,
    );
    const contact = evolveContact(contacts.get(id), { ...event, data: open } as never);
    if (contact !== undefined) contacts.set(id, contact);
  }
  return contacts;
}
const erasedProfile = { profile: "{}", gained: erasedText };

const isOver = ({ status }: Contact): boolean => status === "erased" || status === "erasing";

/** An external id is one contact's, who lists it. */
function faultsOfClaims(
  contacts: ReadonlyMap<string, Contact>,
  events: readonly RecordedEvent[],
): readonly string[] {
  const faults: string[] = [];
  const owners = new Map<string, { readonly owner: string; readonly position: bigint }>();
  for (const { type, data, position } of events)
    if (type === "ExternalIdClaimed") owners.set(data.name, { owner: data.contact_id, position });
    else if (type === "ExternalIdReleased") owners.delete(data.name);
  const survivorOf = (id: string): Contact | undefined => {
    const contact = contacts.get(id);
    return contact?.merged === undefined ? contact : survivorOf(contact.merged.into);
  };
  const listed = new Map<string, string>();
  for (const contact of contacts.values()) {
    if (contact.status !== "active") continue;
    for (const { name } of contact.external_ids) {
      const other = listed.get(name);
      if (other !== undefined) faults.push(`${contact.contact_id} and ${other} both list ${name}`);
      listed.set(name, contact.contact_id);
      const owner = owners.get(name)?.owner;
      if (owner === undefined || survivorOf(owner)?.contact_id !== contact.contact_id)
        faults.push(`${contact.contact_id} lists ${name}, which is ${owner}'s`);
    }
  }
  for (const [name, { owner }] of owners) {
    const by = survivorOf(owner);
    // Who claims it for one that he has not heard to be erased gives it back, unless he dies.
    const isLate = events.some(
      ({ type, data, position }) =>
        type === "ContactErasureRequested" &&
        data.contact_id === by?.contact_id &&
        position < owners.get(name)!.position,
    );
    const isListed = by?.external_ids.some((each) => each.name === name) === true;
    if (by !== undefined && isOver(by) && isListed && !isLate)
      faults.push(`${name} is ${owner}'s, who is erased`);
  }
  return faults;
}

/** None is half done: of two that were merged both tell so. */
function faultsOfMerges(contacts: ReadonlyMap<string, Contact>): readonly string[] {
  const faults: string[] = [];
  for (const { contact_id, absorbing, merged, merges } of contacts.values()) {
    if (absorbing !== undefined)
      faults.push(`${contact_id} takes in ${absorbing.merged_id} at rest`);
    if (
      merged !== undefined &&
      contacts.get(merged.into)?.merges.every(({ merge_id }) => merge_id !== merged.merge_id) !==
        false
    )
      faults.push(`${contact_id} is part of ${merged.into}, who does not have it`);
    for (const { merge_id, merged_id } of merges)
      if (contacts.get(merged_id)?.merged?.merge_id !== merge_id)
        faults.push(`${contact_id} has ${merged_id}, who is no part of it`);
  }
  return faults;
}

/** Of who is erased nothing can be read, and of who had never anything to do with him everything. */
async function faultsOfErasures(
  { plain }: People,
  contacts: ReadonlyMap<string, Contact>,
  events: readonly RecordedEvent[],
): Promise<readonly string[]> {
  const faults: string[] = [];
  const gone = new Set<string>();
  for (const { type, data } of events)
    if (type === "ContactErased") for (const id of [data.contact_id, ...data.with]) gone.add(id);
  for (const { contact_id, status } of contacts.values()) {
    const ends = events.filter(
      ({ type, data }) => type === "ContactErased" && data.contact_id === contact_id,
    ).length;
    if (status === "erasing" || ends > 1)
      faults.push(`${contact_id} is ${status} at rest, and was erased ${ends} times`);
  }
  const involved = new Set(
    events.flatMap(({ type, data }) =>
      type === "ContactMergeStarted" ? [data.contact_id, data.merged_id] : [],
    ),
  );
  const matchedTo = new Map(
    events.flatMap(({ type, data }) =>
      type === "InboundMatched" ? [[data.inbound_id, data.contact_id]] : [],
    ),
  );
  for (const event of events) {
    if (event.type === "InboundReceived" && gone.has(matchedTo.get(event.data.inbound_id) ?? "")) {
      const raw = (await plain.open(partner, event.data.raw))(event.data.raw);
      if (raw !== erasedText) faults.push(`what ${event.data.inbound_id} came as can be read`);
    }
    const id = ownerOf(event);
    if (id === undefined || !mayHoldTokens(JSON.stringify(event.data))) continue;
    const text = JSON.stringify((await plain.open(partner, event.data))(event.data));
    const isReadable = text.includes(erasedText) === false;
    if (gone.has(id) && isReadable)
      faults.push(`${event.type} of ${id}, who is erased, can be read`);
    if (!gone.has(id) && !involved.has(id) && !isReadable)
      faults.push(`${event.type} of ${id}, who is not erased, cannot be read`);
  }
  return faults;
}

/** Whose texts an event holds under that contact's key alone. */
function ownerOf({ type, data }: RecordedEvent): string | undefined {
  if (type === "ContactCreated" || type === "ContactExternalIdAdded")
    return (data as { readonly contact_id: string }).contact_id;
  return type === "InboundMatched" ? (data as EventData<"InboundMatched">).contact_id : undefined;
}
