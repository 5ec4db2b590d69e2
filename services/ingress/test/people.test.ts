import { service as agents } from "@heliograph/agents";
import { service as contacts } from "@heliograph/contacts";
import { service as conversations } from "@heliograph/conversations";
import { service as delivery } from "@heliograph/delivery";
import { service as dispatch } from "@heliograph/dispatch";
import { service as inbound } from "@heliograph/inbound";
import { service as lifecycle } from "@heliograph/lifecycle";
import { service as suppressions } from "@heliograph/suppressions";
import { service as templates } from "@heliograph/templates";
import { service as wallet } from "@heliograph/wallet";
import { service as webhooks } from "@heliograph/webhooks";
import { streamOf } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, it } from "vitest";
import { service as ingress } from "../src/index.ts";

/** From what a person writes to what the partner is told and answers, with every service that has a part in it. */
let world: World;
beforeAll(async () => {
  world = await openWorld({
    services: [
      ingress,
      wallet,
      dispatch,
      delivery,
      inbound,
      contacts,
      conversations,
      lifecycle,
      agents,
      suppressions,
      templates,
      webhooks,
    ],
    consumers: "run",
    partners: [{}, {}],
  });
});
afterAll(() => world.close());

const call = (method: string, path: string, body?: object, partner = 0) =>
  world.call(method, `/api/v1${path}`, {
    key: world.partners[partner]!.key,
    ...(body !== undefined && { body }),
  });
const writes = async (body: object, partner = 0): Promise<string> =>
  (await call("POST", "/sandbox/inbound", { channel: "sms", ...body }, partner)).body.message_id;

type Told = { readonly type: string; readonly data: Record<string, unknown> };
/** What a partner was told of a message, and of the contact and conversation it came to. */
async function toldOf(messageId: string, partner = 0): Promise<readonly Told[]> {
  const all = async (): Promise<readonly Told[]> =>
    (await call("GET", "/events?limit=100", undefined, partner)).body.data;
  const received = await until(
    async () =>
      (await all()).find(
        ({ type, data }) => type === "message.received" && data["message_id"] === messageId,
      ),
    { what: `message.received of ${messageId}` },
  );
  const { contact_id, conversation_id } = received.data;
  return (await all()).filter(
    ({ data }) => data["contact_id"] === contact_id || data["conversation_id"] === conversation_id,
  );
}
const typesOf = (told: readonly Told[]) => told.map(({ type }) => type);

it("A stranger's first message is told in its order, and the second one matches", async () => {
  const from = "+15553330001";
  const first = await writes({ from, text: "Hello", profile_name: "Ada" });
  const told = await toldOf(first);
  expect(typesOf(told)).toEqual(["contact.created", "conversation.opened", "message.received"]);
  expect(told[0]?.data).toMatchObject({ name: "Ada", message_id: first });
  expect(told[2]?.data).toMatchObject({
    from,
    to: "+15550109999",
    text: "Hello",
    contact_id: told[0]?.data["contact_id"],
  });
  const again = await toldOf(await writes({ from, text: "Are you there?" }));
  expect(typesOf(again).slice(3)).toEqual(["contact.matched", "message.received"]);
});

it("One contact of two conversations: the channel's own, and a contact that existed before it wrote", async () => {
  const from = "+15553330002";
  const { body: contact } = await call("POST", "/contacts", {
    name: "Ben",
    external_ids: [
      { source: "sms", id: from },
      { source: "whatsapp", id: from },
    ],
  });
  const [bySms, byWhatsapp] = [
    await toldOf(await writes({ from, text: "By SMS" })),
    await toldOf(await writes({ from, text: "By WhatsApp", channel: "whatsapp" })),
  ];
  expect(typesOf(bySms)).toContain("contact.matched");
  const ids = byWhatsapp.flatMap(({ type, data }) =>
    type === "conversation.opened" ? [data["conversation_id"]] : [],
  );
  expect(new Set(ids).size).toBe(2);
  const { body } = await call("GET", `/contacts/${contact.id}/messages`);
  expect(body.data.map(({ text }: { text: string }) => text)).toEqual(["By WhatsApp", "By SMS"]);
});

it("Identity crosses tenants: the same number is a contact of its own with each partner", async () => {
  const from = "+15553330003";
  const [one, other] = [
    await toldOf(await writes({ from, text: "One" })),
    await toldOf(await writes({ from, text: "Other" }, 1), 1),
  ];
  expect(one[0]?.data["contact_id"]).not.toBe(other[0]?.data["contact_id"]);
  expect(typesOf(other)).toContain("contact.created");
});

it("Duplicated and shuffled, what providers post is one conversation for each person and each message once", async () => {
  const people = ["+15553330011", "+15553330012", "+15553330013"];
  const posts = people.flatMap((from) =>
    [1, 2, 3, 4].map((n) => ({ from, text: `${n}`, provider_message_id: `${from}-${n}` })),
  );
  const shuffled = [...posts, ...posts, ...posts].toSorted((left, right) =>
    left.provider_message_id.slice(-1) < right.provider_message_id.slice(-1) ? 1 : -1,
  );
  const ids = new Set(await Promise.all(shuffled.map((post) => writes(post))));
  expect(ids.size).toBe(posts.length);
  for (const id of ids) await toldOf(id);
  const { log } = world.platform.contexts.sandbox;
  const { events } = await log.readAll({ after: 0n, limit: 5_000, types: ["MessageReceived"] });
  const own = events.filter(({ data }) => ids.has(data.message_id));
  expect(own).toHaveLength(posts.length);
  expect(new Set(own.map(({ data }) => data.conversation_id)).size).toBe(people.length);
});

it("An answer reaches the person, and the conversation tells both sides of it", async () => {
  const told = await toldOf(await writes({ from: "+15553330099", text: "Where is my order?" }));
  const at = `/conversations/${String(told.at(-1)?.data["conversation_id"])}`;
  const { body: sent } = await call("POST", `${at}/messages`, { text: "It leaves today." });
  await until(async () => {
    const { body } = await call("GET", `${at}/messages`);
    return body.data.some(
      ({ id, status }: { id: string; status: string }) => id === sent.id && status === "delivered",
    );
  });
  const { body } = await call("GET", `${at}/messages`);
  expect(body.data.map(({ text }: { text: string }) => text)).toEqual([
    "Where is my order?",
    "It leaves today.",
  ]);
});

it("Broken threading headers: a reply in a long thread refers to the whole chain, and so does the next", async () => {
  const references = "<1@ada.example> <2@shop.\r\n example>\r\n\t<3@ada.example>";
  const mail = { channel: "email", from: "ada@ada.example", subject: "Re: Order 7", text: "When?" };
  const answer = async (message: object): Promise<Record<string, unknown>> => {
    const told = await toldOf(await writes({ ...mail, ...message }));
    const at = `/conversations/${String(told.at(-1)?.data["conversation_id"])}`;
    const { body } = await call("POST", `${at}/messages`, { text: "Today." });
    const { log } = world.platform.contexts.sandbox;
    return (await log.readStream(streamOf("message", body.id), { limit: 1 }))[0]!.data;
  };
  const first = { provider_message_id: "<4@ada.example>", in_reply_to: "<3@ada.example>" };
  expect(await answer({ ...first, references })).toMatchObject({
    in_reply_to: "<4@ada.example>",
    references: ["<1@ada.example>", "<2@shop.example>", "<3@ada.example>"],
  });
  const next = { provider_message_id: "<6@ada.example>", in_reply_to: "<5@shop.example>" };
  expect(await answer(next)).toMatchObject({
    in_reply_to: "<6@ada.example>",
    references: ["<5@shop.example>"],
  });
});

const get = (path: string, partner = 0) => call("GET", path, undefined, partner);

/** A long thread's fold is remembered: what is remembered of the present must not show in the past. */
async function readOften(conversation: string, told: Record<string, unknown>): Promise<void> {
  const { log } = world.platform.contexts.sandbox;
  const [placed] = await log.readStream(streamOf("conversation", conversation), { limit: 1 });
  if (placed?.type !== "ConversationPlaced") throw new Error("it is placed nowhere");
  const stream = streamOf("thread", placed.data.thread);
  const [last] = await log.readStream(stream, { backwards: true, limit: 1 });
  const { contact_id } = last!.data as { contact_id: string };
  const data = {
    conversation_id: conversation,
    contact_id,
    up_to: told["message_id"],
    by: { id: "service:test" },
    read_at: new Date().toISOString(),
  };
  const { metadata } = last!;
  const events = Array.from({ length: 200 }, () => ({
    id: crypto.randomUUID(),
    type: "ConversationRead",
    data,
    metadata,
  }));
  expect((await log.append([{ stream, expected: last!.revision, events }]))[0]).toMatchObject({
    kind: "appended",
  });
}

it("Everything that folds from the log is read as it was at a position or a time, by its partner alone, and what was erased since is not", async () => {
  const from = "+15553330050";
  const told = await toldOf(await writes({ from, text: "Hello", profile_name: "Ada" }));
  const { data } = told.at(-1)!;
  const [contact, conversation] = [String(data["contact_id"]), String(data["conversation_id"])];
  const made = async (path: string, body: object): Promise<string> =>
    (await call("POST", path, body)).body.id;
  const suppression = await made("/suppressions", { channel: "sms", to: "+15553330051" });
  const team = await made("/teams", { name: "Support", agent_ids: [], routing: "manual" });
  const template = await made("/templates", {
    slug: "hello",
    channel: "sms",
    default_language: "en",
    languages: { en: { text: "Hello" } },
  });
  const endpoint = await made("/webhook-endpoints", { url: "https://example.com/one" });
  const { log } = world.platform.contexts.sandbox;
  await readOften(conversation, data);
  const { available } = (await get("/balance")).body;
  const before = String(await log.head());
  const then = new Date().toISOString();
  await until(() => Promise.resolve(new Date().toISOString() > then));

  await call("PATCH", `/contacts/${contact}`, { name: "Grace" });
  await call("POST", `/conversations/${conversation}/close`);
  await call("DELETE", `/suppressions/${suppression}`);
  await call("PATCH", `/teams/${team}`, { name: "Sales" });
  await call("POST", `/templates/${template}/versions`, { languages: { en: { text: "Bye" } } });
  await call("PATCH", `/webhook-endpoints/${endpoint}`, { url: "https://example.com/two" });
  const message = await made("/messages", { channel: "sms", to: from, text: "Bye" });
  await until(async () => (await get("/balance")).body.available !== available);

  const cases = [
    [`/contacts/${contact}`, { name: "Ada" }, { name: "Grace" }],
    [
      `/conversations/${conversation}`,
      { status: "open", contact: { name: "Ada" } },
      { status: "closed", contact: { name: "Grace" } },
    ],
    [`/suppressions/${suppression}`, { ended_at: null }, { ended_at: expect.any(String) }],
    [`/teams/${team}`, { name: "Support" }, { name: "Sales" }],
    [`/templates/${template}`, { version: 1 }, { version: 2 }],
    [
      `/webhook-endpoints/${endpoint}`,
      { url: "https://example.com/one" },
      { url: "https://example.com/two" },
    ],
    ["/balance", { available }, {}],
  ] as const;
  for (const [path, was, is] of cases) {
    // What was folded of the present must not show in the past, nor the other way round.
    expect((await get(path)).body, path).toMatchObject(is);
    for (const at of [before, then]) {
      const past = await get(`${path}?as_of=${at}`);
      expect(past.status, path).toBe(200);
      expect(past.body, path).toMatchObject(was);
    }
    expect((await get(path)).body, path).toMatchObject(is);
    expect((await get(`${path}?as_of=yesterday`)).body.errors).toMatchObject([
      { path: "as_of", code: "invalid_format" },
    ]);
    if (path === "/balance") continue;
    expect((await get(`${path}?as_of=1`)).status).toBe(404);
    expect((await get(`${path}?as_of=${before}`, 1)).status).toBe(404);
  }
  expect((await get("/balance?as_of=0")).body).toMatchObject({ available: "0" });
  expect((await get(`/messages/${message}?as_of=${then}`)).status).toBe(404);
  expect((await get(`/contacts?as_of=${before}`)).body.errors).toMatchObject([
    { path: "as_of", code: "not_supported" },
  ]);

  expect((await call("DELETE", `/contacts/${contact}`)).status).toBeLessThan(300);
  expect((await get(`/contacts/${contact}?as_of=${before}`)).status).toBe(410);
  await until(async () => (await get(`/contacts/${contact}/erasure`)).body.status === "completed");
  const { text } = await get(`/conversations/${conversation}?as_of=${before}`);
  expect(text).not.toContain("Ada");
  expect(text).not.toContain("Hello");
});

it("Each field of an answer is explained by the events that made it, as the answer itself is folded", async () => {
  const to = "+15553330060";
  const { body: sent } = await call("POST", "/messages", {
    channel: "sms",
    to,
    text: "Hello",
    metadata: { order: "7" },
  });
  const path = `/messages/${sent.id}`;
  await until(async () => (await get(path)).body.status === "delivered");
  const explain = async (field: string, more = "") =>
    (await get(`${path}/explain?field=${field}${more}`)).body;
  const status = await explain("status");
  expect(status).toMatchObject({
    id: sent.id,
    field: "status",
    present: true,
    value: "delivered",
    earlier: false,
  });
  expect(status.events).toMatchObject([
    { type: "MessageRequested", after: "queued", actor: expect.stringMatching(/^key_/) },
    {
      type: "MessageSent",
      before: "queued",
      after: "sent",
      reason: "the only gateway of the channel",
    },
    { type: "MessageDelivered", before: "sent", after: "delivered" },
  ]);
  const timeline = (await get(`${path}/timeline`)).body.data as { id: string; position: string }[];
  for (const { id, position } of status.events)
    expect(timeline).toContainEqual(expect.objectContaining({ id, position }));
  const { body: answer } = await get(path);
  for (const [field, value] of Object.entries(answer)) {
    const explained = await explain(field);
    expect([field, explained.value]).toEqual([field, value]);
    expect(explained.events.at(-1)).toMatchObject({ after: value });
  }
  expect(await explain("provider.name")).toMatchObject({
    value: "sim-sms",
    events: [{ type: "MessageSent" }],
  });
  expect(await explain("metadata.order")).toMatchObject({ value: "7" });
  expect(await explain("error")).toMatchObject({ present: false, events: [] });
  expect(await explain("content.constructor")).toMatchObject({ present: false, events: [] });
  const [, second] = status.events;
  expect(await explain("status", `&as_of=${second.position}`)).toMatchObject({
    value: "sent",
    as_of_position: second.position,
  });
  for (const wrong of ["nothing", "__proto__", "constructor.name", "a..b", "", "x".repeat(500)])
    expect((await get(`${path}/explain?field=${wrong}`)).status, wrong).toBe(422);
  expect((await get(`${path}/explain?field=status`, 1)).status).toBe(404);
  expect((await get(`${path}/explain?field=status&as_of=1`)).status).toBe(404);

  const balance = await until(async () => {
    const [{ body }, { body: now }] = [
      await get("/wallet/explain?field=held"),
      await get("/balance"),
    ];
    return body.value === now.held && body.value === "0" && body;
  });
  expect(balance.events.at(-1)).toMatchObject({ type: "FundsCaptured", after: "0" });
  expect((await get("/wallet/explain?field=currency")).status).toBe(422);

  const told = await toldOf(await writes({ from: to, text: "Thanks" }));
  const id = String(told.at(-1)!.data["conversation_id"]);
  await call("POST", `/conversations/${id}/close`);
  const closed = (await get(`/conversations/${id}/explain?field=status`)).body;
  expect(closed.events).toMatchObject([{ after: "open" }, { before: "open", after: "closed" }]);
  expect((await get(`/conversations/${id}/explain?field=contact`)).status).toBe(422);
  expect((await get(`/conversations/${id}/explain?field=status`, 1)).status).toBe(404);
});
