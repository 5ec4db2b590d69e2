import { randomUUID } from "node:crypto";
import { streamOf } from "@heliograph/contracts";
import { rebuildProjector } from "@heliograph/runtime";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, it } from "vitest";
import { service } from "../src/index.ts";
import { conversationsProjector } from "../src/projector.ts";
import {
  addContact,
  appendTo,
  matchedOf,
  placed,
  say,
  threadEvents,
  type Saying,
} from "@heliograph/testkit/people";

let world: World;
const partnerOf = (index = 0) => world.partners[index]!;
const context = () => world.platform.contexts.sandbox;
beforeAll(async () => {
  world = await openWorld({ services: [service], consumers: "run", partners: [{}, {}] });
});
afterAll(() => world.close());

const call = (method: string, path: string, body?: object, headers: Record<string, string> = {}) =>
  world.call(method, `/api/v1${path}`, {
    key: partnerOf().key,
    headers,
    ...(body !== undefined && { body }),
  });

let numbers = 0;
const newNumber = (): string => `+1555123${String(++numbers).padStart(4, "0")}`;

/** A person of the first partner who says something. */
async function person(name = "Ada") {
  const { id: partner } = partnerOf();
  const contact = await addContact(context(), partner, name);
  const from = newNumber();
  return {
    contact,
    from,
    async says(text: string, more: Partial<Saying> = {}) {
      const id = await say(context(), { partner, contact, from, text, ...more });
      const event = await placed(context(), id);
      return { id, conversation: event.data.conversation_id, position: event.position };
    },
    /** What is no message ends in no message: its thread is read instead. */
    hints: (more: Partial<Saying>) =>
      say(context(), { partner, contact, from, kind: "reaction", ...more }),
  };
}
const typesOf = async (conversation: string) =>
  (await threadEvents(context()))
    .filter(({ data }) => (data as { conversation_id?: string }).conversation_id === conversation)
    .map(({ type }) => type);

/** Waits until the list has seen everything that is in the log now. */
const fresh = async () => ({ "min-log-position": String(await context().log.head()) });

it("A first message opens a conversation, in the order conversation.opened, contact.matched, message.received", async () => {
  const ada = await person();
  const { conversation, id } = await ada.says("Where is my order?");
  expect(await typesOf(conversation)).toEqual([
    "ConversationOpened",
    "InboundContactMatched",
    "MessageReceived",
  ]);
  const { status, body, headers } = await call("GET", `/conversations/${conversation}`);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    id: conversation,
    status: "open",
    contact: { id: ada.contact, name: "Ada" },
    channel: "sms",
    address: { source: "sms", id: ada.from },
    inbox: "+15550109999",
    assignee: null,
    team: null,
    unread: 1,
    last_message: { id, direction: "inbound", text: "Where is my order?" },
    closed_at: null,
  });
  const again = await call("GET", `/conversations/${conversation}`, undefined, {
    "if-none-match": headers.get("etag")!,
  });
  expect(again.status).toBe(304);
});

it("Two inbound at once never open two, and what a provider repeats is there once", async () => {
  const ada = await person();
  const sayings = Array.from({ length: 8 }, (_, index) => ada.says(`${index}`));
  const repeated = ada.says("0 again", { providerId: "repeated" });
  const said = [...(await Promise.all(sayings)), await repeated];
  await ada.says("0 again", { providerId: "repeated" });
  expect(new Set(said.map(({ conversation }) => conversation)).size).toBe(1);
  const types = await typesOf(said[0]!.conversation);
  expect(types.filter((type) => type === "ConversationOpened")).toHaveLength(1);
  expect(types.filter((type) => type === "MessageReceived")).toHaveLength(9);
});

it("An inbound on a closed conversation within 24 h reopens it, later a new one opens", async () => {
  const ada = await person();
  const { conversation } = await ada.says("Hello");
  expect((await call("POST", `/conversations/${conversation}/close`)).body.status).toBe("closed");
  expect((await ada.says("One more thing")).conversation).toBe(conversation);
  expect((await call("GET", `/conversations/${conversation}`)).body.status).toBe("open");
  await call("POST", `/conversations/${conversation}/close`);
  const later = new Date(Date.now() + 24 * 3_600_000 + 1_000).toISOString();
  const second = await ada.says("A week later", { at: later });
  expect(second.conversation).not.toBe(conversation);
  const reopened = await call("POST", `/conversations/${conversation}/reopen`);
  expect(reopened.body).toMatchObject({ code: "conflict", conversation_id: second.conversation });
});

it("What is no message opens a thread: a reaction or an edit opens, reopens and counts nothing", async () => {
  const ada = await person();
  const { conversation } = await ada.says("Hello");
  await call("POST", `/conversations/${conversation}/close`);
  for (const kind of ["reaction", "edit"] as const)
    await ada.hints({ kind, text: "👍", about: "SM-1" });
  await until(async () => (await typesOf(conversation)).filter((t) => t === "MessageReacted")[1]);
  const { body } = await call("GET", `/conversations/${conversation}`);
  expect(body).toMatchObject({ status: "closed", unread: 1, last_message: { text: "Hello" } });
  const stranger = await person();
  await stranger.hints({ text: "👍", about: "SM-1" });
  const { conversation: later } = await stranger.says("Now a message");
  expect((await typesOf(later))[0]).toBe("ConversationOpened");
  const { body: timeline } = await call("GET", `/conversations/${conversation}/timeline`);
  expect(timeline.data.map(({ type }: { type: string }) => type)).toContain("MessageReacted");
});

it("Own messages are unread: a note is not, and the read mark moves back for nobody", async () => {
  const ada = await person();
  const messages = [];
  for (const text of ["1", "2", "3", "4", "5"]) messages.push(await ada.says(text));
  const { conversation } = messages[0]!;
  const note = await call("POST", `/conversations/${conversation}/notes`, { text: "A note" });
  expect(note).toMatchObject({ status: 201, body: { direction: "note", text: "A note" } });
  const read = (upTo: string) =>
    call("POST", `/conversations/${conversation}/read`, { up_to: upTo });
  expect((await read(messages[4]!.id)).body.unread).toBe(0);
  // The read mark moves back: it stays at m5.
  expect((await read(messages[2]!.id)).body.unread).toBe(0);
  await Promise.all([read(messages[1]!.id), read(messages[4]!.id), read(note.body.id)]);
  // A late, older message counts as read: order is the log's.
  const late = new Date(Date.now() - 3_600_000).toISOString();
  const { id } = await ada.says("Written an hour ago", { at: late });
  expect((await call("GET", `/conversations/${conversation}`)).body.unread).toBe(1);
  expect((await read("msg_00000000000000000000000000")).body.errors[0].path).toBe("up_to");
  expect((await read(id)).body.unread).toBe(0);
});

it("An old snooze fires: one that something newer followed wakes nothing", async () => {
  const ada = await person();
  const { conversation } = await ada.says("Hello");
  const soon = new Date(Date.now() + 300).toISOString();
  const rests = await call("POST", `/conversations/${conversation}/snooze`, { until: soon });
  expect(rests.body.status).toBe("snoozed");
  await ada.says("I write before its time");
  await call("POST", `/conversations/${conversation}/close`);
  const other = await person();
  const waking = (await other.says("Hello")).conversation;
  await call("POST", `/conversations/${waking}/snooze`, {
    until: new Date(Date.now() + 400).toISOString(),
  });
  // This one is due later than the old one, so the old one has been looked at when it is open.
  await until(
    async () => (await call("GET", `/conversations/${waking}`)).body.status === "open" || undefined,
    { what: "the snooze ends by time" },
  );
  expect((await call("GET", `/conversations/${conversation}`)).body.status).toBe("closed");
  expect((await typesOf(conversation)).filter((t) => t === "ConversationReopened")).toHaveLength(1);
  for (const until of ["2020-01-01T00:00:00Z", "2200-01-01T00:00:00Z"])
    expect((await call("POST", `/conversations/${waking}/snooze`, { until })).status).toBe(422);
});

it("Reply to a merged thread wakes the dead one: after a merge the conversation is the survivor's", async () => {
  const [a, b] = [await person("Ann"), await person("Anna")];
  const { conversation } = await a.says("From the old number");
  const merge = { merge_id: "mrg_00000000000000000000000001", merged_at: new Date().toISOString() };
  const merged = { ...merge, contact_id: a.contact, into: b.contact };
  const { id: partner } = partnerOf();
  await appendTo(context(), streamOf("contact", a.contact), "ContactMerged", merged, partner);
  const again = await say(context(), { partner, contact: b.contact, from: a.from, text: "Again" });
  expect((await placed(context(), again)).data.conversation_id).toBe(conversation);
  const { body } = await call("GET", `/conversations/${conversation}`);
  expect(body).toMatchObject({ contact: { id: b.contact, name: "Anna" }, unread: 2 });
  const matched = (await typesOf(conversation)).filter((t) => t === "InboundContactMatched");
  expect(matched).toHaveLength(2);
});

it("An address that came to another contact begins a conversation with that contact", async () => {
  const [a, b] = [await person("Ann"), await person("Ben")];
  const { conversation } = await a.says("Mine");
  const { id: partner } = partnerOf();
  const id = await say(context(), { partner, contact: b.contact, from: a.from, text: "Mine now" });
  expect((await placed(context(), id)).data.conversation_id).not.toBe(conversation);
  expect((await call("GET", `/conversations/${conversation}`)).body.status).toBe("closed");
});

it("A subject is no identity: another person who writes it has a conversation of their own", async () => {
  const { id: partner } = partnerOf();
  const [a, b] = [await person("Ann"), await person("Ben")];
  const mail = (contact: string, from: string, subject: string) =>
    say(context(), { partner, contact, channel: "email", from, to: "help@shop.example", subject });
  const one = await placed(context(), await mail(a.contact, "ann@x.example", "Order 7"));
  const other = await placed(context(), await mail(b.contact, "ben@x.example", "Re: Order 7"));
  expect(other.data.conversation_id).not.toBe(one.data.conversation_id);
  expect(other.data.contact_id).toBe(b.contact);
});

it("Conversations are listed by newest activity, and a cursor holds while they move", async () => {
  const people = [];
  for (const name of ["A", "B", "C", "D"]) people.push(await person(name));
  const ids: string[] = [];
  for (const each of people) ids.push((await each.says("Hi")).conversation);
  const first = await call("GET", "/conversations?limit=2", undefined, await fresh());
  const idsOf = (answer: { body: { data: { id: string }[] } }) =>
    answer.body.data.map(({ id }) => id);
  expect(idsOf(first)).toEqual([ids[3], ids[2]]);
  // The newest speaks again while somebody pages.
  await people[3]!.says("Hi again");
  const after = `/conversations?limit=2&after=${first.body.next_cursor}`;
  const second = await call("GET", after, undefined, await fresh());
  expect(idsOf(second)).toEqual([ids[1], ids[0]]);
  const back = `/conversations?limit=2&before=${second.body.prev_cursor}`;
  expect(idsOf(await call("GET", back))).toEqual([ids[3], ids[2]]);
});

it("Every filter restricts the list", async () => {
  const ada = await person("Filtered");
  const { conversation, id } = await ada.says("Hi");
  const found = async (query: string) => {
    const { body } = await call(
      "GET",
      `/conversations?${query}&limit=100`,
      undefined,
      await fresh(),
    );
    return body.data.map((item: { id: string }) => item.id).includes(conversation);
  };
  const by = `contact=${ada.contact}`;
  for (const query of ["status=open", "assignee=none", "channel=sms", "unread=true"])
    expect([query, await found(`${by}&${query}`)]).toEqual([query, true]);
  for (const query of [
    "status=closed",
    "status=snoozed",
    "assignee=agt_1",
    "team=tea_1",
    "channel=email",
    "unread=false",
    `contact=${id}`,
  ])
    expect([query, await found(query.startsWith("contact") ? query : `${by}&${query}`)]).toEqual([
      query,
      false,
    ]);
  expect((await call("GET", "/conversations?assignee=me")).status).toBe(422);
});

it("Messages are listed oldest first, both ways, without gap or repetition", async () => {
  const ada = await person();
  const said = [];
  for (const text of ["1", "2", "3", "4", "5"]) said.push(await ada.says(text));
  const at = `/conversations/${said[0]!.conversation}/messages`;
  const textsOf = (answer: { body: { data: { text: string }[] } }) =>
    answer.body.data.map(({ text }) => text).join("");
  const one = await call("GET", `${at}?limit=2`);
  const two = await call("GET", `${at}?limit=2&after=${one.body.next_cursor}`);
  const three = await call("GET", `${at}?limit=2&after=${two.body.next_cursor}`);
  expect([one, two, three].map(textsOf)).toEqual(["12", "34", "5"]);
  expect(three.body.next_cursor).toBeNull();
  expect(textsOf(await call("GET", `${at}?limit=2&before=${three.body.prev_cursor}`))).toBe("34");
  const last = await call("GET", `${at}?limit=2&newest=true`);
  expect(textsOf(last)).toBe("45");
  expect(textsOf(await call("GET", `${at}?limit=9&before=${last.body.prev_cursor}`))).toBe("123");
  expect((await call("GET", `${at}?newest=true&before=${last.body.prev_cursor}`)).status).toBe(422);
});

it("The history of a contact goes over its conversations and follows merges", async () => {
  const [a, b] = [await person("Ann"), await person("Anna")];
  await a.says("First");
  await b.says("Second", { channel: "whatsapp" });
  const merged = {
    merge_id: "mrg_00000000000000000000000002",
    contact_id: b.contact,
    merged_id: a.contact,
    name: null,
    profile: "{}",
    gained: "{}",
    external_ids: [],
    moved: { external_ids: 0, conversations: 0, messages: 0 },
    absorbed_at: new Date().toISOString(),
  };
  const { id: partner } = partnerOf();
  await appendTo(context(), streamOf("contact", b.contact), "ContactAbsorbed", merged, partner);
  const history = await call("GET", `/contacts/${b.contact}/messages`, undefined, await fresh());
  expect(
    history.body.data.map(({ text, channel }: Record<string, string>) => [text, channel]),
  ).toEqual([
    ["Second", "whatsapp"],
    ["First", "sms"],
  ]);
  expect((await call("GET", "/contacts/cnt_00000000000000000000000000/messages")).status).toBe(404);
});

it("A change is made once for its key, of the state that was seen, and tells every event with its reason", async () => {
  const ada = await person();
  const { conversation } = await ada.says("Hello");
  const at = `/conversations/${conversation}`;
  const { headers } = await call("GET", at);
  await ada.says("More");
  const seen = { "if-match": headers.get("etag")! };
  expect((await call("POST", `${at}/close`, undefined, seen)).body.code).toBe(
    "precondition_failed",
  );
  const key = { "idempotency-key": `note-${conversation}` };
  const notes = [
    await call("POST", `${at}/notes`, { text: "Once" }, key),
    await call("POST", `${at}/notes`, { text: "Once" }, key),
  ];
  expect(notes[1]!.body).toEqual(notes[0]!.body);
  await call("POST", `${at}/close`);
  await call("POST", `${at}/close`);
  const { body } = await call("GET", `${at}/timeline`);
  const types = body.data.map(({ type }: { type: string }) => type);
  expect(types.filter((type: string) => type === "ConversationNoted")).toHaveLength(1);
  expect(types.filter((type: string) => type === "ConversationClosed")).toHaveLength(1);
  expect(body.data.at(-1)).toMatchObject({ reason: "asked for by test" });
  expect(JSON.stringify(body)).not.toContain("sealed:");
  expect(body.next_cursor).toBeNull();
  const pages: unknown[] = [];
  for (let after = ""; ;) {
    const { body: page } = await call("GET", `${at}/timeline?limit=2${after}`);
    expect(page.data.length).toBeLessThanOrEqual(2);
    pages.push(...page.data);
    if (page.next_cursor === null) break;
    after = `&after=${page.next_cursor}`;
  }
  expect(pages).toEqual(body.data);
  expect((await call("GET", `${at}/timeline?limit=1001`)).status).toBe(422);
});

it("Another partner's conversation is not there, nor is the sandbox's in live", async () => {
  const ada = await person();
  const { conversation } = await ada.says("Hello");
  const live = await world.addKey(partnerOf().id, { environment: "live" });
  for (const key of [partnerOf(1).key, live]) {
    for (const path of ["", "/messages", "/timeline"]) {
      const answer = await world.call("GET", `/api/v1/conversations/${conversation}${path}`, {
        key,
      });
      expect(answer.status).toBe(404);
    }
    const closed = await world.call("POST", `/api/v1/conversations/${conversation}/close`, { key });
    expect(closed.status).toBe(404);
    const { body } = await world.call("GET", "/api/v1/conversations", { key });
    expect(body.data).toEqual([]);
  }
});

it("Nothing that a person wrote stands readable in a thread or a row", async () => {
  const ada = await person("Zebulon");
  await ada.says("a sentence that is nowhere else");
  await call("GET", "/conversations", undefined, await fresh());
  const events = (await threadEvents(context())).map(({ data }) => JSON.stringify(data)).join("");
  const { rows } = await context().pool.query(
    "select view as text from conversations.conversations union all select body from conversations.messages",
  );
  expect(events + JSON.stringify(rows)).not.toMatch(/nowhere else|Zebulon/);
});

it("Erased, a conversation keeps its counts and shows [erased], and takes no note", async () => {
  const ada = await person("Gone");
  const { conversation } = await ada.says("Forget me");
  const { id: partner } = partnerOf();
  const data = {
    contact_id: ada.contact,
    erasure_id: "ers_00000000000000000000000001",
    requested_at: new Date().toISOString(),
  };
  const stream = streamOf("contact", ada.contact);
  await appendTo(context(), stream, "ContactErasureRequested", data, partner);
  await context().vault.destroy(partner, [ada.contact]);
  const { body } = await call("GET", `/conversations/${conversation}`);
  expect(body).toMatchObject({
    unread: 1,
    contact: { id: ada.contact, name: "[erased]" },
    address: { id: "[erased]" },
    last_message: { text: "[erased]" },
  });
  const note = await call("POST", `/conversations/${conversation}/notes`, { text: "Too late" });
  expect(note).toMatchObject({ status: 410, body: { code: "contact_erased" } });
});

it("A rebuild of the lists gives the same rows", async () => {
  const ada = await person();
  await ada.says("One");
  await call("GET", "/conversations", undefined, await fresh());
  const rebuilt = await rebuildProjector(
    world.platform.contexts.sandbox,
    conversationsProjector(world.platform.contexts.sandbox),
    { verifyOnly: true, signal: new AbortController().signal },
  );
  expect(rebuilt).toMatchObject({ equal: true });
});

it("what one person says in a burst is placed in its order by one append, repetitions left out", async () => {
  const { id: partner } = partnerOf();
  const contact = await addContact(context(), partner);
  const from = newNumber();
  const sayings = await Promise.all(
    Array.from({ length: 30 }, (_, index) =>
      matchedOf(context(), {
        partner,
        contact,
        from,
        text: String(index),
        providerId: `${from}-${index}`,
      }),
    ),
  );
  const burst = [...sayings, ...sayings.slice(10, 20)];
  await context().log.append(
    burst.map((data, index) => ({
      stream:
        index < sayings.length ? streamOf("inbound", data.inbound_id) : `inbound-${index}-${from}`,
      expected: "no_stream" as const,
      events: [{ id: randomUUID(), type: "InboundMatched", data, metadata: { partner } }],
    })),
  );
  const { stream } = await placed(context(), sayings.at(-1)!.message_id);
  const events = await context().log.readStream(stream);
  const received = events.filter((event) => event.type === "MessageReceived");
  expect(received.map(({ data }) => data.message_id)).toEqual(
    sayings.map(({ message_id }) => message_id),
  );
  expect(events.filter(({ type }) => type === "ConversationOpened")).toHaveLength(1);
  // The feed may hand a burst over in two parts.
  expect(new Set(received.map(({ recordedAt }) => String(recordedAt))).size).toBeLessThan(4);
});
