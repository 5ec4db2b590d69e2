import { randomBytes } from "node:crypto";
import { attachmentTables } from "@heliograph/attachments";
import { makeKey, newId, streamOf } from "@heliograph/contracts";
import { parseInbound } from "@heliograph/gateways";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, it } from "vitest";
import { service } from "../src/index.ts";

let world: World;
// Gateways are seeded where messages are taken or sent.
beforeAll(async () => {
  world = await openWorld({
    services: [{ name: "dispatch" }, { name: "mobile", tables: [attachmentTables] }, service],
    partners: [{}, {}],
  });
});
afterAll(() => world.close());

const post = (body: object, { key = world.partners[0]!.key, headers = {} } = {}) =>
  world.call("POST", "/api/v1/sandbox/inbound", { key, body, headers });
const said = { channel: "sms", from: "+15551234567", text: "Where is my order?" };

async function received(): Promise<readonly { stream: string; data: Record<string, unknown> }[]> {
  const { log } = world.platform.contexts.sandbox;
  const { events } = await log.readAll({ after: 0n, limit: 1_000, types: ["InboundReceived"] });
  return events;
}
const eventOf = async (messageId: string) =>
  (await received()).find(({ data }) => data["message_id"] === messageId);

it("An inbound message is stored sealed, and the parser reads from it what was sent", async () => {
  const { status, body, headers } = await post({ ...said, profile_name: "Ada" });
  expect(status).toBe(202);
  expect(headers.get("log-position")).toMatch(/^\d{16}$/);
  const event = await eventOf(body.message_id);
  expect(event).toMatchObject({
    stream: streamOf("inbound", String(event?.data["inbound_id"])),
    data: { channel: "sms", partner_id: world.partners[0]!.id, encoding: "text" },
  });
  expect(JSON.stringify(event?.data)).not.toMatch(/order|5551234567/);
  const open = await world.platform.contexts.sandbox.vault.open(world.partners[0]!.id, event);
  const { raw } = open(event!).data as { raw: string };
  const gateway = { name: "sim-sms", channel: "sms" } as const;
  const request = { raw: Buffer.from(raw), contentType: "application/json", gateway };
  expect(await parseInbound("simulator", request)).toMatchObject({
    from: "+15551234567",
    to: "+15550109999",
    text: "Where is my order?",
    profileName: "Ada",
    kind: "message",
  });
});

it("A file of the partner's stands for what a person sent, as those that are kept do; nobody else's does", async () => {
  const { id: own } = world.partners[0]!;
  const { pool, vault } = world.platform.contexts.sandbox;
  const id = newId("att");
  const seal = await vault.seal({ partner: own, subject: id });
  await pool.query(
    `insert into mobile_attachments.attachments (id, partner, status, object, key, name, type, bytes, charged)
      values ($1, $2, 'ready', 'o', $3, $4, 'application/pdf', 9, 4096)`,
    [id, own, seal(randomBytes(32).toString("base64url")), seal("bill.pdf")],
  );
  const media = [{ attachment_id: id }, { url: "https://files.example/a.png" }];
  const { status, body } = await post({ channel: "whatsapp", from: "+15551234567", media });
  expect(status).toBe(202);
  const event = await eventOf(body.message_id);
  const opened = (await vault.open(own, event))(event!);
  expect(opened.data["files"]).toEqual([
    { attachment_id: id, name: "bill.pdf", type: "application/pdf", bytes: 9 },
  ]);
  expect(JSON.parse(opened.data["raw"] as string).media).toEqual([media[1]]);
  const theirs = await post({ ...said, media: [media[0]] }, { key: world.partners[1]!.key });
  expect([theirs.status, theirs.body.errors[0].path]).toEqual([422, "media.0.attachment_id"]);
});

it("A key of ours that a person sends along is masked before it is stored", async () => {
  const lost = makeKey("live", randomBytes);
  const { status, body } = await post({ ...said, text: `It is ${lost}, is it not?` });
  expect(status).toBe(202);
  const event = await eventOf(body.message_id);
  const open = await world.platform.contexts.sandbox.vault.open(world.partners[0]!.id, event);
  expect(JSON.parse((open(event!).data as { raw: string }).raw)).toMatchObject({
    text: `It is ${lost.slice(0, 12).padEnd(lost.length, "*")}, is it not?`,
  });
});

it.each([
  ["Joe <joe@X.example>", {}, "Joe"],
  ['"Doe, Joe" <joe@x.example>', {}, "Doe, Joe"],
  ["joe@x.example", {}, undefined],
  ["Joe <joe@x.example>", { profile_name: "Joseph" }, "Joseph"],
])(
  "An e-mail from %s %j is from the address, and the person is called %s",
  async (from, more, name) => {
    const to = "Shop <shop@EXAMPLE.org>";
    const { status, body } = await post({ channel: "email", from, to, text: "Hi", ...more });
    expect(status).toBe(202);
    const event = await eventOf(body.message_id);
    const open = await world.platform.contexts.sandbox.vault.open(world.partners[0]!.id, event);
    const posted = JSON.parse((open(event!).data as { raw: string }).raw);
    expect(posted).toMatchObject({ from: "joe@x.example", to: "shop@example.org" });
    expect(posted.profile_name).toBe(name);
  },
);

it("What a provider posts twice is one message, also at the same time", async () => {
  const body = { ...said, provider_message_id: "twice" };
  const answers = await Promise.all([post(body), post(body), post({ ...body, text: "Again" })]);
  expect(new Set(answers.map((answer) => answer.body.message_id)).size).toBe(1);
  const all = await received();
  expect(all.filter(({ data }) => data["provider_message_id"] === "twice")).toHaveLength(1);
});

it("Two partners that use the same provider id have two messages", async () => {
  const body = { ...said, provider_message_id: "shared" };
  const [one, other] = [await post(body), await post(body, { key: world.partners[1]!.key })];
  expect(one.body.message_id).not.toBe(other.body.message_id);
});

it("A repeated key answers with the first message", async () => {
  const headers = { "idempotency-key": "in-1" };
  const [one, other] = [await post(said, { headers }), await post(said, { headers })];
  expect(other.body).toEqual(one.body);
  expect((await post({ ...said, text: "Other" }, { headers })).body.code).toBe(
    "idempotency_key_reused",
  );
});

it.each([
  ["a sender that is no number", { from: "nobody" }, "from"],
  ["an address of ours that is none", { to: "not an address at all" }, "to"],
  ["nothing said", { text: undefined }, "text"],
  ["a reaction to nothing", { kind: "reaction" }, "about"],
  ["a message about another", { about: "SM-1" }, "about"],
  ["an unknown field", { colour: "red" }, "colour"],
  [
    "media that are both",
    { media: [{ url: "https://a.example/b", attachment_id: "att_1" }] },
    "media.0",
  ],
  ["media that are no address", { media: [{ url: "file:///etc/passwd" }] }, "media.0.url"],
  ["a reference of what is no mail", { references: "<a@mail.example>" }, "references"],
  ["a broadcast", { channel: "broadcast", from: "everybody" }, "channel"],
])("%s is refused, and nothing is stored", async (_, change, path) => {
  const before = await world.heads();
  const { status, body } = await post({ ...said, ...change });
  expect(status).toBe(422);
  expect(body.errors[0].path).toBe(path);
  expect(await world.heads()).toBe(before);
});

it("A key that was used for another text, a day ago, makes another message", async () => {
  const headers = { "idempotency-key": "what-she-wrote" };
  const once = async (text: string): Promise<string> => {
    await world.platform.contexts.sandbox.pool.query("delete from ingress.idempotency");
    return (await post({ ...said, text }, { headers })).body.message_id;
  };
  const [first, second, again] = [await once("one"), await once("two"), await once("one")];
  expect(again).toBe(first);
  expect(await eventOf(second)).toBeDefined();
  expect(second).not.toBe(first);
});

it("A live key has no people to simulate, and a key without the scope neither", async () => {
  const id = world.partners[0]!.id;
  const live = await world.addKey(id, { environment: "live" });
  expect((await post(said, { key: live })).body.code).toBe("insufficient_scope");
  const narrow = await world.addKey(id, { scopes: ["messages:write"] });
  expect((await post(said, { key: narrow })).body.required_scope).toBe("sandbox:write");
});

it("An operator says whose messages to an address are, in its one form", async () => {
  const { directory } = world.platform;
  const [partner] = world.partners;
  const gateway_id = directory.gateways("sandbox", "email")[0]!.gateway_id;
  const admin = await world.addKey(partner!.id, { environment: "live", scopes: ["admin"] });
  const put = (body: object) => world.call("PUT", "/api/v1/admin/senders", { key: admin, body });
  const body = { gateway_id, address: "help@SHOP.example", partner_id: partner!.id };
  expect((await put(body)).body).toMatchObject({ ...body, address: "help@shop.example" });
  expect(directory.senderOf(gateway_id, "help@shop.example")).toBe(partner!.id);
  expect(directory.senderOf(gateway_id, "Help@shop.example")).toBeUndefined();
  for (const [path, value] of [
    ["gateway_id", "gtw_none"],
    ["partner_id", "ptn_none"],
    ["address", "!"],
  ])
    expect((await put({ ...body, [path!]: value })).body.errors[0].path).toBe(path);
  await world.call("PUT", "/api/v1/admin/senders", { key: partner!.key, body }).then((refused) => {
    expect(refused.body.required_scope).toBe("admin");
  });
});
