import { service as conversations } from "@heliograph/conversations";
import { service as delivery } from "@heliograph/delivery";
import { service as dispatch } from "@heliograph/dispatch";
import { service as templates } from "@heliograph/templates";
import { service as wallet } from "@heliograph/wallet";
import { newId, streamOf } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { addContact, appendTo, placed, say, type Saying } from "@heliograph/testkit/people";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, it } from "vitest";
import { service as ingress } from "../src/index.ts";

let world: World;
const hourMs = 3_600_000;
const context = () => world.platform.contexts.sandbox;
const partner = () => world.partners[0]!;
beforeAll(async () => {
  world = await openWorld({
    services: [ingress, templates, wallet, dispatch, delivery, conversations],
    consumers: "run",
    partners: [{}],
  });
});
afterAll(() => world.close());

const call = (method: string, path: string, body?: object, headers: Record<string, string> = {}) =>
  world.call(method, `/api/v1${path}`, {
    key: partner().key,
    headers,
    ...(body !== undefined && { body }),
  });

let numbers = 1_000;
/** A person who has written, and the conversation. */
async function asked(more: Partial<Saying> = {}) {
  const contact = await addContact(context(), partner().id);
  const from = `+1555124${String(++numbers).padStart(4, "0")}`;
  const id = await say(context(), {
    partner: partner().id,
    contact,
    from,
    text: "Where is my order?",
    ...more,
  });
  const { data } = await placed(context(), id);
  return { contact, from: more.from ?? from, at: `/conversations/${data.conversation_id}`, id };
}
/** The accepted message, its texts opened. */
const messageOf = async (id: string) => {
  const [first] = await context().log.readStream(streamOf("message", id));
  const { data } = first!;
  return (await context().vault.open(partner().id, data))(data) as Record<string, unknown>;
};

it("What a person writes to any number of a pool is one conversation, and its answers come from the person's", async () => {
  const pool_id = newId("spl");
  const inboxes = ["+15550100021", "+15550100022", "+15550100023"];
  const pool = { pool_id, environment: "sandbox", name: "numbers", channel: "sms" };
  const configured_at = new Date().toISOString();
  await world.appendPlatform(streamOf("pool", pool_id), "any", "SenderPoolConfigured", {
    ...pool,
    partner_id: partner().id,
    senders: inboxes,
    inboxes,
    default: false,
    configured_at,
  });
  const first = await asked({ pool: pool_id, to: inboxes[1]! });
  const same = { contact: first.contact, from: first.from, pool: pool_id };
  expect((await asked({ ...same, to: inboxes[2]! })).at).toBe(first.at);
  // Nobody of the pool has written to the person yet: it is the number that was written to.
  const answer = async () =>
    (await call("POST", `${first.at}/messages`, { text: "Today." })).body.from as string;
  expect(await answer()).toBe(inboxes[1]);
  const body = { channel: "sms", to: first.from, text: "News.", sender_pool: "numbers" };
  const sent = await call("POST", "/messages", { ...body, from: inboxes[0] });
  expect(sent.body).toMatchObject({ from: inboxes[1], sender_pool: { pool_id } });
  const removed = { pool_id, environment: "sandbox", partner_id: partner().id };
  const gone = { ...removed, removed_at: configured_at };
  await world.appendPlatform(streamOf("pool", pool_id), "any", "SenderPoolRemoved", gone);
  const { status, body: last } = await call("POST", `${first.at}/messages`, { text: "Soon." });
  expect([status, last.sender_pool]).toEqual([202, undefined]);
  expect(await messageOf(last.id)).toMatchObject({ from: inboxes[1] });
});

it("A reply is an ordinary message to the exact address the inbound came from, with its live status", async () => {
  const { at, from, contact } = await asked();
  const { status, body, headers } = await call("POST", `${at}/messages`, { text: "Today." });
  expect(status).toBe(202);
  expect(body).toMatchObject({
    id: expect.stringMatching(/^msg_/),
    conversation_id: at.slice("/conversations/".length),
    status: "queued",
    channel: "sms",
  });
  expect(headers.get("log-position")).toMatch(/^\d{16}$/);
  expect(await messageOf(body.id)).toMatchObject({
    conversation_id: body.conversation_id,
    contact_id: contact,
    from: "+15550109999",
  });
  const { body: page } = await call("GET", `${at}/messages`);
  expect(page.data.map(({ direction, text }: Record<string, string>) => [direction, text])).toEqual(
    [
      ["inbound", "Where is my order?"],
      ["outbound", "Today."],
    ],
  );
  await until(async () => {
    const { body: now } = await call("GET", `${at}/messages`);
    return now.data[1].status === "delivered";
  });
  const { body: shown } = await call("GET", at);
  expect(shown).toMatchObject({
    unread: 1,
    last_message: { id: body.id, direction: "outbound", text: "Today." },
    address: { id: from },
  });
  const { body: history } = await call("GET", `/contacts/${contact}/messages`, undefined, {
    "min-log-position": headers.get("log-position")!,
  });
  expect(history.data.map(({ direction }: Record<string, string>) => direction)).toEqual([
    "outbound",
    "inbound",
  ]);
});

it("A reply waits for its outcome where that is preferred, and a repetition does not", async () => {
  const { at } = await asked();
  const waits = { prefer: "wait=20", "idempotency-key": "waits" };
  const { status, body, headers } = await call("POST", `${at}/messages`, { text: "Today." }, waits);
  expect([status, headers.get("preference-applied")]).toEqual([200, "wait"]);
  expect(body).toMatchObject({
    conversation_id: at.slice("/conversations/".length),
    content: { text: "Today." },
    provider: { message_id: expect.any(String) },
  });
  // What is read with its position has the reply in its thread.
  const seen = { "min-log-position": headers.get("log-position")! };
  const { body: page } = await call("GET", `${at}/messages`, undefined, seen);
  expect(page.data[1]).toMatchObject({ id: body.id });
  const again = await call("POST", `${at}/messages`, { text: "Today." }, waits);
  expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([202, "true"]);

  const failing = await asked({ from: "+15551240003" });
  const failed = await call(
    "POST",
    `${failing.at}/messages`,
    { text: "No" },
    { prefer: "wait=20" },
  );
  expect(failed.body).toMatchObject({ status: "failed" });
});

it("A reply is sent once for its key, also when a newer message has come, and in each conversation its own", async () => {
  const [one, other] = [await asked(), await asked()];
  const key = { "idempotency-key": "same" };
  const first = await call("POST", `${one.at}/messages`, { text: "Once" }, key);
  const again = await call("POST", `${one.at}/messages`, { text: "Once" }, key);
  expect(again.body).toEqual(first.body);
  expect(again.headers.get("idempotent-replayed")).toBe("true");
  // Whoever reads with it sees the thread with the reply in it.
  const [after, behind] = [first, again].map(({ headers }) => headers.get("log-position")!);
  expect(behind! >= after!).toBe(true);
  const elsewhere = await call("POST", `${other.at}/messages`, { text: "Once" }, key);
  expect(elsewhere.body.id).not.toBe(first.body.id);
  const another = await call("POST", `${one.at}/messages`, { text: "Other" }, key);
  expect(another.body.code).toBe("idempotency_key_reused");
  const { body } = await call("GET", `${one.at}/timeline`);
  const replied = body.data.filter(({ type }: { type: string }) => type === "ConversationReplied");
  expect(replied).toHaveLength(1);
});

it("The window counts the wrong side: only an inbound opens WhatsApp's 24 hours", async () => {
  const ago = new Date(Date.now() - 25 * hourMs).toISOString();
  const { at, from, contact } = await asked({ channel: "whatsapp", at: ago });
  await call("POST", "/templates", {
    slug: "order_update",
    channel: "whatsapp",
    languages: { en: { text: "Your order is on its way." } },
  });
  await call("POST", `${at}/notes`, { text: "A note opens nothing" });
  const template = await call("POST", `${at}/messages`, { template: "order_update" });
  expect(template.status).toBe(202);
  await until(async () => {
    const { body } = await call("GET", `${at}/messages`);
    return body.data.at(-1).status === "delivered";
  });
  const closed = await call("POST", `${at}/messages`, { text: "Are you there?" });
  expect(closed).toMatchObject({ status: 422, body: { code: "session_window_closed" } });
  const id = partner().id;
  const again = { partner: id, contact, from, channel: "whatsapp", text: "Yes" } as const;
  await placed(context(), await say(context(), again));
  expect((await call("POST", `${at}/messages`, { text: "Good." })).status).toBe(202);
});

it("WhatsApp's window is a number's: words go from the one that was written to last, whichever of the pool the person has", async () => {
  const pool_id = newId("spl");
  const inboxes = ["+15550100031", "+15550100032", "+15550100033"];
  await world.appendPlatform(streamOf("pool", pool_id), "any", "SenderPoolConfigured", {
    pool_id,
    environment: "sandbox",
    name: "whatsapp",
    channel: "whatsapp",
    partner_id: partner().id,
    senders: inboxes,
    inboxes,
    default: false,
    configured_at: new Date().toISOString(),
  });
  const whatsapp = { channel: "whatsapp", pool: pool_id } as const;
  const first = await asked({ ...whatsapp, to: inboxes[0]! });
  const shop = { channel: "whatsapp", to: first.from, sender_pool: pool_id };
  const sent = await call("POST", "/messages", { ...shop, text: "x", from: inboxes[1] });
  expect(sent.body.from).toBe(inboxes[1]);
  const reply = async (body: object) =>
    (await call("POST", `${first.at}/messages`, body)).body.from as string;
  expect(await reply({ text: "Today." })).toBe(inboxes[0]);
  const same = { contact: first.contact, from: first.from, ...whatsapp };
  expect((await asked({ ...same, to: inboxes[2]! })).at).toBe(first.at);
  expect(await reply({ text: "Tomorrow." })).toBe(inboxes[2]);
  // What needs no window goes on from what the person has by now.
  await call("POST", "/templates", {
    slug: "on_its_way",
    channel: "whatsapp",
    languages: { en: { text: "Your order is on its way." } },
  });
  expect(await reply({ template: "on_its_way" })).toBe(inboxes[2]);
});

it("A mail answers the mail it answers: Broken threading headers", async () => {
  const { at } = await asked({
    channel: "email",
    from: "ann@shop.example",
    to: "help@shop.example",
    subject: "Order 7",
    providerId: "<first.part\r\n second@mail.example>",
  });
  const { body } = await call("POST", `${at}/messages`, { text: "On its way." });
  expect(await messageOf(body.id)).toMatchObject({
    from: "help@shop.example",
    in_reply_to: "<first.partsecond@mail.example>",
    content: { subject: "Re: Order 7" },
  });
  const own = await call("POST", `${at}/messages`, { html: "<p>x</p>", subject: "Another" });
  expect(await messageOf(own.body.id)).toMatchObject({ content: { subject: "Another" } });
});

it("A robot meets the target: a template is no answer, words are", async () => {
  const { at } = await asked();
  await call("POST", "/templates", {
    slug: "received",
    channel: "sms",
    languages: { en: { text: "We have it." } },
  });
  await call("POST", `${at}/messages`, { template: "received" });
  await call("POST", `${at}/messages`, { text: "It leaves today." });
  const { body } = await call("GET", `${at}/timeline`);
  const replied = body.data.filter(({ type }: { type: string }) => type === "ConversationReplied");
  expect(replied.map(({ data }: { data: { answers: boolean } }) => data.answers)).toEqual([
    false,
    true,
  ]);
});

it("Whoever finds an accepted reply that its thread does not tell of writes it there, and gives the conversation to its agent", async () => {
  const { at, contact } = await asked();
  const { body } = await call("POST", `${at}/messages`, { text: "Mine" });
  const request = await messageOf(body.id);
  // As after a crash between the two appends: the message alone is there.
  const id = newId("msg");
  const by = { id: newId("agt"), name: "Ben" };
  const reply = { ...request, message_id: id, contact_id: contact, reply: { by, answers: true } };
  await appendTo(context(), streamOf("message", id), "MessageRequested", reply, partner().id);
  const shown = await until(async () => {
    const { body: now } = await call("GET", at);
    return now.last_message.id === id && now;
  });
  expect(shown.assignee).toEqual(by);
  const { body: timeline } = await call("GET", `${at}/timeline`);
  expect(timeline.data.map(({ type }: { type: string }) => type).slice(-2)).toEqual([
    "ConversationReplied",
    "ConversationAssigned",
  ]);
});

it("A reply to an erased contact is refused, also by its key", async () => {
  const { at, contact } = await asked();
  const key = { "idempotency-key": "before-erasure" };
  expect((await call("POST", `${at}/messages`, { text: "Before" }, key)).status).toBe(202);
  const data = {
    contact_id: contact,
    erasure_id: newId("ers"),
    requested_at: new Date().toISOString(),
  };
  const stream = streamOf("contact", contact);
  await appendTo(context(), stream, "ContactErasureRequested", data, partner().id);
  for (const headers of [{}, key])
    expect(await call("POST", `${at}/messages`, { text: "Before" }, headers)).toMatchObject({
      status: 410,
      body: { code: "contact_erased" },
    });
});

it("What a send is refused for, a reply is refused for", async () => {
  const { at } = await asked();
  for (const [body, path] of [
    [{}, "text"],
    [{ text: "x", html: "<p>x</p>" }, "html"],
    [{ text: "x", to: "+15551230000" }, "to"],
    [{ text: "x".repeat(2_000) }, "text"],
  ] as const)
    expect((await call("POST", `${at}/messages`, body)).body.errors[0].path).toBe(path);
  const elsewhere = "/conversations/cnv_00000000000000000000000000/messages";
  expect((await call("POST", elsewhere, { text: "x" })).status).toBe(404);
});
