import { newId, streamOf, uuid7 } from "@heliograph/contracts";
import { recordMove } from "@heliograph/gateways";
import { services } from "@heliograph/ingress";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";

let world: World;
let key: string;
let partner: string;
beforeAll(async () => {
  world = await openWorld({ services, consumers: "run" });
  ({ key, id: partner } = await world.addPartner());
  await world.call("POST", "/api/v1/wallet/topups", { key, body: { amount: "10" } });
}, 60_000);
afterAll(() => world.close());

const get = async (path: string) => (await world.call("GET", `/api/v1${path}`, { key })).body;
const post = (path: string, body: object) => world.call("POST", `/api/v1${path}`, { key, body });
const says = (body: object) => post("/sandbox/inbound", { channel: "sms", ...body });
const found = async <Item>(of: () => Promise<readonly Item[]>, count = 1) =>
  until(
    async () => {
      const items = await of();
      return items.length >= count ? items : undefined;
    },
    { timeoutMs: 20_000 },
  );
type Period = { readonly id: string; readonly to: string; readonly reason: string };
const periods = async (to: string): Promise<readonly Period[]> =>
  (await get(`/suppressions?to=${encodeURIComponent(to)}`)).data;

test("What a person writes to the sandbox stops, is told in the conversation as no agent's answer, and outlives the contact", async () => {
  const from = "+15550917101";
  const said = { from, text: "Stop.", provider_message_id: "twice" };
  const first = await says(said);
  const again = await says(said);
  expect([first.status, again.body.message_id]).toEqual([202, first.body.message_id]);
  const [period] = await found(() => periods(from));
  expect(period).toMatchObject({
    to: from,
    reason: "keyword",
    evidence: { message_id: first.body.message_id, text: "Stop." },
  });
  const [conversation] = await found<Record<string, string>>(
    async () => (await get("/conversations")).data,
  );
  const messages = await found<Record<string, string>>(
    async () => (await get(`/conversations/${conversation!["id"]}/messages`)).data,
    2,
  );
  expect(messages).toMatchObject([
    { direction: "inbound", text: "Stop." },
    { direction: "outbound", text: expect.stringContaining("Reply START") },
  ]);
  expect(await periods(from), "posted twice, it is one").toHaveLength(1);
  expect((await post("/messages", { channel: "sms", to: from, text: "x" })).body.code).toBe(
    "recipient_suppressed",
  );
  const reply = await post(`/conversations/${conversation!["id"]}/messages`, { text: "x" });
  expect(reply.body.code, "an agent's reply too").toBe("recipient_suppressed");

  const contact = (await get(`/contacts/by-external-id/sms/${encodeURIComponent(from)}`)).id;
  const erasing = await world.call("DELETE", `/api/v1/contacts/${contact}`, { key });
  expect(erasing.status).toBe(202);
  await until(
    async () => (await get(`/contacts/${contact}/erasure`)).key_destroyed_at !== undefined,
    { timeoutMs: 20_000 },
  );
  const [erased] = await until(async () => {
    const now = await periods(from);
    return now[0]?.to === "[erased]" ? now : undefined;
  });
  expect(erased).toMatchObject({ to: "[erased]", evidence: { text: "[erased]" }, ended_at: null });
  expect((await post("/messages", { channel: "sms", to: from, text: "x" })).body.code).toBe(
    "recipient_suppressed",
  );
}, 60_000);

test("A suppression stays with its address whoever has it: through a merge, an unmerge and the other's erasure", async () => {
  const [own, other] = ["+15550917111", "+15550917112"];
  const make = async (id: string) => {
    const made = await post("/contacts", { name: id, external_ids: [{ source: "sms", id }] });
    return made.body.id as string;
  };
  const [from, into] = [await make(own), await make(other)];
  await says({ from: own, text: "Stop" });
  const [stopped] = await found(() => periods(own));
  const answers = async () => {
    const sends = [own, other].map((to) => post("/messages", { channel: "sms", to, text: "x" }));
    return (await Promise.all(sends)).map(({ status, body }) => [
      status,
      body.suppression_id ?? "sent",
    ]);
  };
  const expected = [
    [422, stopped!.id],
    [202, "sent"],
  ];
  expect(await answers()).toEqual(expected);

  const merged = await post(`/contacts/${from}/merge`, { into });
  expect(merged.status).toBe(200);
  expect(await answers(), "after the merge").toEqual(expected);
  const held = (await get(`/conversations?contact=${into}`)).data as { id: string }[];
  expect(held).toHaveLength(1);
  const reply = await post(`/conversations/${held[0]!.id}/messages`, { text: "x" });
  expect(reply.body.code, "a reply that the survivor would get").toBe("recipient_suppressed");
  // What begins while they are one is the address's too.
  const manual = await post("/suppressions", { channel: "sms", to: own, note: "by phone" });
  expect(manual.status).toBe(201);

  const { merge_id } = merged.body;
  expect((await post(`/contacts/${into}/unmerge`, { merge_id })).status).toBe(200);
  expect(await answers(), "after the unmerge").toEqual(expected);
  const both = await found(() => periods(own), 2);
  expect(both.map(({ reason }) => reason).toSorted()).toEqual(["keyword", "manual"]);
  expect(await periods(other)).toEqual([]);

  await world.call("DELETE", `/api/v1/contacts/${into}`, { key });
  await until(async () => (await get(`/contacts/${into}/erasure`)).status === "completed", {
    timeoutMs: 20_000,
  });
  expect(await periods(own), "the other's erasure takes nothing of it").toEqual(both);
  expect((await answers())[0]).toEqual(expected[0]);
}, 60_000);

test("Who tells the provider of a mail to get no more advertising gets none, once however often it is told", async () => {
  const to = "no-ads@example.com";
  const { body } = await post("/messages", { channel: "email", to, subject: "x", text: "x" });
  for (const code of ["unsubscribe", "group_unsubscribe"]) {
    const receipt = { message_id: body.id, status: "unsubscribed", code };
    expect((await post("/sandbox/receipts", receipt)).status).toBe(202);
  }
  await says({ from: "+15550917109", text: "STOP" });
  await found(() => periods("+15550917109"));
  expect(await found(() => periods(to))).toMatchObject([
    { reason: "unsubscribe", applies_to: "marketing", evidence: { message_id: body.id } },
  ]);
  const again = (category: string) =>
    post("/messages", { channel: "email", to, subject: "x", text: "x", category });
  expect((await again("marketing")).body.code).toBe("recipient_suppressed");
  expect((await again("transactional")).status).toBe(202);
});

test("START from the other form of a WhatsApp number ends what STOP from the first began", async () => {
  const [first, other] = ["+5511987654321", "+551187654321"];
  await says({ channel: "whatsapp", from: first, text: "STOP" });
  await found(() => periods(first!));
  await says({ channel: "whatsapp", from: other, text: "START" });
  const [ended] = await until(async () => {
    const all = (await get(`/suppressions?to=${encodeURIComponent(first!)}`)).data;
    return all[0]?.ended_at === null ? undefined : (all as readonly { ended_at: string }[]);
  });
  expect(ended!.ended_at).toMatch(/Z$/);
}, 60_000);

test("STOP with a number and a user id of WhatsApp's stops both, START with both ends both, and so does either alone of one who is known by both", async () => {
  const [number, user] = ["+4915550917120", "DE.917120"];
  const { log, vault } = world.platform.contexts.sandbox;
  const shown = { from: number!.slice(1) };
  const hidden = { from_user_id: user };
  const writes = async (body: string, who: object = { ...shown, ...hidden }) => {
    const inbound = newId("inb");
    const wamid = `wamid.${inbound}`;
    const message = { id: wamid, timestamp: "1700000000", type: "text", text: { body }, ...who };
    const seal = await vault.seal({ partner, subject: inbound });
    const data = {
      inbound_id: inbound,
      message_id: newId("msg"),
      gateway_id: newId("gtw"),
      gateway_kind: "whatsapp_cloud",
      channel: "whatsapp",
      provider_message_id: wamid,
      partner_id: partner,
      content_type: "application/json",
      raw: seal(JSON.stringify({ message, metadata: { display_phone_number: "+15550109999" } })),
      encoding: "text",
      received_at: new Date().toISOString(),
    };
    const event = { id: uuid7(), type: "InboundReceived", data, metadata: { partner } };
    const stream = streamOf("inbound", inbound);
    await log.append([{ stream, expected: "no_stream", events: [event] }]);
    return data.message_id;
  };
  const send = async (to: string) =>
    (await post("/messages", { channel: "whatsapp", to, text: "x" })).body.code;
  const stopped = await writes("STOP");
  for (const to of [user!, number!]) {
    const [period] = await found(() => periods(to));
    expect(period).toMatchObject({ to, reason: "keyword", evidence: { message_id: stopped } });
    await until(async () => (await send(to)) === "recipient_suppressed", { timeoutMs: 20_000 });
  }
  const goesOn = async () => {
    for (const to of [user!, number!])
      await until(async () => (await send(to)) === undefined, { timeoutMs: 20_000 });
  };
  await writes("START");
  await goesOn();
  for (const [stops, starts] of [
    [hidden, shown],
    [shown, hidden],
  ]) {
    await writes("STOP", stops);
    for (const to of [user!, number!])
      await until(async () => (await send(to)) === "recipient_suppressed", { timeoutMs: 20_000 });
    await writes("START", starts);
    await goesOn();
  }
}, 60_000);

test("a chat that moved stays stopped at either address, and START from the new one ends what STOP from the old one began", async () => {
  const [old, now] = ["-550000001", "-1001550000001"];
  const channel = "telegram";
  const stopped = async (): Promise<readonly { ended_at: string | null }[]> =>
    (await get(`/suppressions?channel=${channel}&to=${old}`)).data;
  const send = async (to: string) =>
    (await post("/messages", { channel, to, text: "x" })).body.code;
  await says({ channel, from: old, text: "STOP" });
  await found(stopped);
  const { log, vault } = world.platform.contexts.sandbox;
  await recordMove({ log, vault }, { partner, channel, from: old!, to: now! }, {});
  for (const to of [now, old])
    await until(async () => (await send(to!)) === "recipient_suppressed", { timeoutMs: 20_000 });
  await says({ channel, from: now, text: "START" });
  await until(async () => (await stopped())[0]?.ended_at !== null, { timeoutMs: 20_000 });
  expect([await send(now!), await send(old!)]).toEqual([undefined, undefined]);
}, 60_000);
