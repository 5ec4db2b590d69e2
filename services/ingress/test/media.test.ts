import { mkdtemp, readdir, rm } from "node:fs/promises";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { service as agents } from "@heliograph/agents";
import { attachmentsIn, sweepAttachments } from "@heliograph/attachments";
import { service as contacts } from "@heliograph/contacts";
import { service as conversations } from "@heliograph/conversations";
import { newId, PublicError, streamOf } from "@heliograph/contracts";
import { service as delivery } from "@heliograph/delivery";
import { service as dispatch } from "@heliograph/dispatch";
import { service as mobile } from "@heliograph/mobile";
import { until } from "@heliograph/testkit";
import { addContact, placed, say } from "@heliograph/testkit/people";
import { openWorld, type World } from "@heliograph/testkit/world";
import { service as wallet } from "@heliograph/wallet";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { service as ingress } from "../src/index.ts";
import type { Item } from "../src/messages/item.ts";
import { addKept, explained, sendFetched, type How } from "./fetched.ts";

const png = Buffer.from("\x89PNG\r\n\x1a\nthe rest", "latin1");
let world: World;
let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "heliograph-"));
  world = await openWorld({
    services: [ingress, wallet, dispatch, delivery, conversations, mobile, agents, contacts],
    consumers: "run",
    partners: [{}, {}],
    env: { HELIOGRAPH_DATA_DIR: dataDir },
  });
});
afterAll(async () => {
  await world.close();
  await rm(dataDir, { recursive: true, force: true });
});

const context = () => world.platform.contexts.sandbox;
const call = (method: string, path: string, body?: object, headers: Record<string, string> = {}) =>
  world.call(method, `/api/v1${path}`, {
    key: world.partners[0]!.key,
    headers,
    ...(body !== undefined && { body }),
  });
/** An agent who has signed in on a phone: an access token. */
async function agentOf(name: string): Promise<string> {
  const person = { email: `${name}@example.org`, password: "correct horse battery" };
  await call("POST", "/agents", { ...person, name, role: "agent" });
  const device = { name: "phone", platform: "android" };
  const { body } = await world.call("POST", "/api/v1/mobile/sessions", {
    body: { ...person, environment: "sandbox", device },
  });
  return body.access_token;
}
/** A conversation that somebody has begun on WhatsApp. */
async function asked(from: string) {
  const partner = world.partners[0]!.id;
  const contact = await addContact(context(), partner);
  const said = { partner, contact, from, channel: "whatsapp", text: "A photo?" } as const;
  const { data } = await placed(context(), await say(context(), said));
  return { partner, contact, at: `/conversations/${String(data.conversation_id)}` };
}
const syncOf = (key: string, query = "") =>
  world.call("GET", `/api/v1/mobile/sync${query}`, { key });

async function stored({ partner = 0, query = "?name=invoice.png" } = {}): Promise<string> {
  const { status, body } = await world.call("POST", `/api/v1/attachments${query}`, {
    key: world.partners[partner]!.key,
    raw: new Uint8Array(png),
    headers: { "content-type": "image/png" },
  });
  expect(status).toBe(201);
  return body.id;
}
const mail = { channel: "email", to: "ada@example.com", subject: "Hi", text: "See below." };
const chat = { channel: "telegram", to: "88112233", text: "See here." };
const eventOf = async (id: string) =>
  (await context().log.readStream(streamOf("message", id)))[0]!.data as {
    content: { media: Record<string, unknown>[] };
  };

it("a send names an attachment and an address; the event holds the reference, and it is delivered", async () => {
  const attachment = await stored();
  const link = { url: "https://cdn.example/a.jpg?token=1", type: "image/jpeg", caption: "A" };
  const media = [{ attachment_id: attachment }, link];
  const { status, body } = await call("POST", "/messages", { ...chat, media });
  expect(status).toBe(202);
  const said = [
    { attachment_id: attachment, type: "image/png", bytes: png.length, name: "invoice.png" },
    link,
  ];
  expect((await eventOf(body.id)).content.media).toEqual(said);
  await until(async () => {
    const { body: message } = await call("GET", `/messages/${body.id}`);
    return message.status === "delivered";
  });
  const { body: message } = await call("GET", `/messages/${body.id}`);
  expect(message.content.media).toEqual(said);
});

it("what cannot go along is refused, naming what it is: the channel, the count, the form, the attachment", async () => {
  const own = { attachment_id: await stored() };
  const phone = { to: "+15551234567", text: "See here." };
  const url = "https://cdn.example/a.jpg";
  const cases = [
    [{ ...phone, channel: "sms", media: [own] }, "media"],
    [{ ...phone, channel: "whatsapp", media: [own, own] }, "media"],
    [
      { ...chat, media: [{ attachment_id: await stored({ partner: 1 }) }] },
      "media.0.attachment_id",
    ],
    [{ ...chat, media: [own, { attachment_id: newId("att") }] }, "media.1.attachment_id"],
    [{ ...chat, media: [{ url: "http://cdn.example/a.jpg" }] }, "media.0"],
    [{ ...chat, media: [{ url: `${url}?${"x".repeat(2_000)}` }] }, "media.0"],
    [{ ...chat, media: [{ url, ...own }] }, "media.0"],
    [{ ...chat, media: [{}] }, "media.0"],
    [{ ...mail, media: [{ ...own, name: "invoice.PDF.exe" }] }, "media.0"],
    [{ ...mail, media: [own, { url: "https://127.0.0.1:1/a.pdf" }] }, "media.1.url"],
    [{ ...mail, media: [own, { url: "https://[" }] }, "media.1.url"],
    [{ ...mail, to: "nobody", media: [{ url: "https://127.0.0.1:1/a.pdf" }] }, "to"],
    [
      { channel: "push", to: "token-0001", text: "Hi", media: [{ url, type: "video/mp4" }] },
      "media.0",
    ],
  ] as const;
  for (const [body, path] of cases) {
    const answer = await call("POST", "/messages", body);
    expect(answer).toMatchObject({ status: 422, body: { code: "invalid_request" } });
    expect(answer.body.errors[0].path.startsWith(path)).toBe(true);
  }
});

describe("what e-mails name by addresses", () => {
  const asked: string[] = [];
  const server = createServer(({ url }, response) => {
    asked.push(url!);
    if (url === "/gone") response.statusCode = 404;
    response.end("%PDF-1.7");
  });
  let at: string;
  beforeAll(async () => {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    server.close();
    server.closeAllConnections();
  });
  const itemOf = (...urls: string[]): Item => ({
    body: { ...mail, media: urls.map((url) => ({ url: at + url, caption: "one" })) } as never,
    keyParts: ["k"],
  });
  const fetched = (items: readonly Item[], how?: How) =>
    sendFetched(context(), world.partners[0]!.id, items, how);
  const idOf = ({ body }: Item) => (body.media as [{ attachment_id: string }])[0].attachment_id;
  const spooled = () => readdir(attachmentsIn(context().settings).spool).catch(() => []);

  it("is fetched once, however often and by however many of a request it is named, and not again for a repetition", async () => {
    const items = [itemOf("/a.pdf", "/a.pdf"), itemOf("/a.pdf"), itemOf("/gone")];
    const ids = items.map(() => newId("msg"));
    const [one, two, three] = await fetched(items, { ids });
    const id = idOf(one!);
    expect(one!.body.media).toEqual(Array(2).fill({ attachment_id: id, caption: "one" }));
    expect([two!.body.media, two!.asked]).toEqual([[one!.body.media![0]], items[1]!.body]);
    expect(three!.refusal).toMatchObject({
      errors: [{ path: "media.0.url", code: "unreachable" }],
    });
    const { body } = await call("GET", `/attachments/${id}`);
    expect(body).toMatchObject({ name: "a.pdf", type: "application/pdf", bytes: 8 });
    expect((await fetched(items, { ids }))[0]!.body).toEqual(one!.body);
    expect(asked.filter((url) => url === "/a.pdf")).toHaveLength(1);
  });

  it("refuses alone the send whose address is none or whose file the store does not take", async () => {
    const none = { body: { ...mail, media: [{ url: "https://[" }] }, keyParts: undefined } as never;
    const [one, two] = await fetched([itemOf("/b.pdf"), none]);
    expect([one!.refusal, two!.refusal]).toMatchObject([
      undefined,
      { errors: [{ path: "media.0.url", code: "unreachable" }] },
    ]);
    const { store } = attachmentsIn(context().settings);
    const put = () => Promise.reject(new Error("the storage is away"));
    const given = { store: { ...store, put } };
    const refused = await fetched([itemOf("/c.pdf"), itemOf("/d.pdf")], { given });
    expect(refused.map(({ refusal }) => refusal!.code)).toEqual(Array(2).fill("internal"));
    expect(await spooled()).toEqual([]);
  });

  it("leaves nothing on the disk where the quota is full", async () => {
    const [one] = await fetched([itemOf("/e.pdf")], { given: { quotaBytes: 1 } });
    expect([one!.refusal!.code, await spooled()]).toEqual(["attachment_quota_exceeded", []]);
  });

  it("is not fetched for a send that is refused anyway, and given up at once where all that name it are refused", async () => {
    const refusal = new PublicError("insufficient_funds", "There is no money.");
    const check = async ({ body }: Item) => {
      if (JSON.stringify(body).includes("/f.pdf")) throw refusal;
    };
    const [first, second] = await fetched([itemOf("/f.pdf"), itemOf("/g.pdf")], { check });
    expect([first!.refusal, asked.includes("/f.pdf")]).toEqual([refusal, false]);
    const usage = "select bytes::int from mobile_attachments.usage where partner = $1";
    const charged = async () =>
      (await context().pool.query(usage, [world.partners[0]!.id])).rows[0].bytes;
    const before = await charged();
    const ids = [newId("msg")];
    const [again] = await fetched([itemOf("/g.pdf")], { ids, kind: "refused" });
    const statusOf = async (item: Item) => (await call("GET", `/attachments/${idOf(item)}`)).status;
    expect([await statusOf(second!), await statusOf(again!)]).toEqual([200, 404]);
    expect(await charged()).toBe(before);
    // The same key once more: what was given up is fetched anew.
    const [last] = await fetched([itemOf("/g.pdf")], { ids });
    expect([idOf(last!), await statusOf(last!)]).toEqual([idOf(again!), 200]);
    const made = "select fetched from mobile_attachments.attachments where id = $1";
    const { rows } = await context().pool.query(made, [idOf(last!)]);
    expect(rows).toEqual([{ fetched: true }]);
  });
});

it("what came from outside goes once it is old, but not while a message waits to send it, and what was fetched a week after that; a sweep looks at nothing that stays", async () => {
  const { pool, settings } = context();
  const [waiting, other] = [await stored(), await stored()];
  const sendAt = new Date(Date.now() + 20 * 86_400_000).toISOString();
  const media = [{ attachment_id: waiting }];
  const sent = await call("POST", "/messages", { ...chat, media, send_at: sendAt });
  expect(sent.status).toBe(202);
  const row = "mobile_attachments.attachments";
  await pool.query(`update ${row} set received_at = now() - interval '9 days' where id = any($1)`, [
    [waiting, other],
  ]);
  const [brief, recent] = [await stored(), await stored()];
  const lived = `update ${row} set received_at = now() - interval '9 days', fetched = true, sent_at = now(), needed_until = now() - $2::interval where id = $1`;
  await pool.query(lived, [brief, "8 days"]);
  await pool.query(lived, [recent, "6 days"]);
  await addKept(pool, row);
  const { plans, looked } = explained(pool, "received_at");
  const sweep = (days: number, kept: number) =>
    sweepAttachments(
      [{ ...context(), pool: looked }],
      attachmentsIn(settings),
      Date.now() + days * 86_400_000,
      kept,
    );
  const statuses = () =>
    Promise.all(
      [waiting, other, brief, recent].map(
        async (id) => (await call("GET", `/attachments/${id}`)).status,
      ),
    );
  await sweep(0, 30);
  expect(await statuses()).toEqual([200, 404, 404, 200]);
  expect(plans.map((plan) => /"Index Name":"(attachments_\w+)"/.exec(plan)?.[1])).toEqual([
    "attachments_unowned",
    "attachments_received",
    "attachments_fetched",
  ]);
  await pool.query(`delete from ${row} where partner = 'nobody'`);
  await sweep(0, 1);
  expect(await statuses()).toEqual([200, 404, 404, 404]);
  await sweep(25, 1);
  expect(await statuses()).toEqual([404, 404, 404, 404]);
});

it("an e-mail with a file is delivered, and its event holds the reference", async () => {
  const media = [{ attachment_id: await stored() }];
  const { status, body } = await call("POST", "/messages", { ...mail, media });
  expect(status).toBe(202);
  expect((await eventOf(body.id)).content.media).toMatchObject([
    { ...media[0], type: "image/png" },
  ]);
});

it("a repetition is answered as before although the attachment is gone, and other media are another request", async () => {
  const attachment = await stored();
  const key = { "idempotency-key": newId("msg") };
  const body = { ...chat, media: [{ attachment_id: attachment }] };
  const first = await call("POST", "/messages", body, key);
  const refused = await call("DELETE", `/attachments/${attachment}`);
  expect([refused.status, refused.body.code]).toEqual([409, "attachment_in_use"]);
  expect((await call("GET", `/attachments/${attachment}`)).status, "it is as it was").toBe(200);
  const deleted = await call("DELETE", `/attachments/${attachment}?even_if_sent=true`);
  expect(deleted.status).toBe(204);
  expect((await call("POST", "/messages", body, key)).body).toEqual(first.body);
  const other = { ...chat, media: [{ url: "https://cdn.example/a.jpg" }] };
  expect((await call("POST", "/messages", other, key)).body.code).toBe("idempotency_key_reused");
});

it("a reply's attachment is in the history with a fresh link, sealed in the log, and nobody gets a link once the contact is erased", async () => {
  const { partner, contact, at: conversation } = await asked("+15551249901");
  const at = `${conversation}/messages`;
  const attachment = await stored({ query: `?name=invoice.png&contact_id=${contact}` });
  const reply = { text: "Here.", media: [{ attachment_id: attachment, caption: "Yours" }] };
  const { status, body } = await call("POST", at, reply);
  expect(status).toBe(202);
  const event = JSON.stringify(await eventOf(body.id));
  for (const personal of [attachment, "invoice", "Yours"]) expect(event).not.toContain(personal);
  const history = async () => (await call("GET", at)).body.data.at(-1);
  const [shown] = (await history()).media;
  expect(shown).toEqual({
    attachment_id: attachment,
    url: expect.stringContaining(`/api/v1/attachments/${attachment}/content?`),
    type: "image/png",
    name: "invoice.png",
    bytes: png.length,
  });
  expect(Buffer.from(await (await fetch(shown.url)).arrayBuffer())).toEqual(png);
  await until(async () => (await history()).status === "delivered");
  await context().vault.destroy(partner, [contact]);
  expect(JSON.stringify(await history())).not.toMatch(/attachments|invoice/);
  expect((await fetch(shown.url)).status).toBe(410);
  const again = await call("POST", "/messages", {
    ...chat,
    media: [{ attachment_id: attachment }],
  });
  expect(again.body.errors[0].path).toBe("media.0.attachment_id");
});

it("of a send and a deletion at once one is refused, and a dry run or a refused send keeps nothing from being deleted", async () => {
  const tried = await stored();
  const body = { ...chat, media: [{ attachment_id: tried }] };
  expect((await call("POST", "/messages?dry_run=true", body)).status).toBe(202);
  expect((await call("POST", "/messages", { ...body, to: "88110011" })).status).toBe(422);
  expect((await call("DELETE", `/attachments/${tried}`)).status).toBe(204);
  for (let time = 0; time < 6; time++) {
    const attachment = await stored();
    const send = { ...chat, media: [{ attachment_id: attachment }] };
    const [first, second, deletion] = await Promise.all([
      call("POST", "/messages", send),
      call("POST", "/messages", send),
      call("DELETE", `/attachments/${attachment}`),
    ]);
    const sent = [first, second].filter(({ status }) => status === 202).length;
    // Both or none: whichever came first settles it for all.
    expect([sent, deletion.status]).toEqual(deletion.status === 204 ? [0, 204] : [2, 409]);
    for (const { status, body: said } of [first, second])
      if (status !== 202) expect(said.errors[0].path).toBe("media.0.attachment_id");
  }
});

it("a reply's attachment is in the sync of the agent who has the conversation, with a link that opens it", async () => {
  const { at } = await asked("+15551249902");
  const key = await agentOf("mia");
  const attachment = await stored();
  const { body: sent } = await world.call("POST", `/api/v1${at}/messages`, {
    key,
    body: { text: "Here.", media: [{ attachment_id: attachment }] },
  });
  const message = await until(async () => {
    const { body } = await syncOf(key);
    return (body.messages as { id: string; media: { url: string }[] }[]).find(
      ({ id }) => id === sent.id,
    );
  });
  expect(message.media).toMatchObject([
    { type: "image/png", name: "invoice.png", bytes: png.length },
  ]);
  const file = await fetch(message.media[0]!.url);
  expect([file.status, Buffer.from(await file.arrayBuffer())]).toEqual([200, png]);
});

it("what two agents answer at once, each twice by its key, is there once, in one order in list, timeline and sync", async () => {
  const { at } = await asked("+15551249903");
  const people = [
    { name: "ada", key: await agentOf("ada") },
    { name: "ben", key: await agentOf("ben") },
  ];
  const answer = ({ name, key }: (typeof people)[number]) =>
    world.call("POST", `/api/v1${at}/messages`, {
      key,
      headers: { "idempotency-key": `${name}-1` },
      body: { text: `It is ${name}.` },
    });
  const answers = await Promise.all([...people, ...people, ...people].map(answer));
  // One that meets its own twin is told to ask again.
  for (const { status, body } of answers)
    expect(status === 202 || body.code === "idempotency_in_progress", body.code).toBe(true);
  const again = await Promise.all(people.map(answer));
  const ids = again.map(({ body }) => body.id as string);
  for (const { status, body } of answers) if (status === 202) expect(ids).toContain(body.id);
  const list = (await call("GET", `${at}/messages`)).body.data as Record<string, unknown>[];
  const replies = list.filter(({ direction }) => direction === "outbound");
  const order = replies.map(({ id }) => id);
  expect([order.length, new Set(order)]).toEqual([ids.length, new Set(ids)]);
  for (const [index, { name }] of people.entries())
    expect(replies.find(({ id }) => id === ids[index])).toMatchObject({
      text: `It is ${name}.`,
      agent: { name },
    });
  const timeline = (await call("GET", `${at}/timeline`)).body.data as {
    type: string;
    data: Record<string, unknown>;
  }[];
  const told = timeline.filter(({ type }) => type === "ConversationReplied");
  expect(told.map(({ data }) => data["message_id"])).toEqual(order);
  const assigned = timeline.filter(({ type }) => type === "ConversationAssigned");
  expect(assigned, "the first who answered has it").toMatchObject([
    { data: { agent: replies[0]!["agent"] } },
  ]);
  const synced = await until(async () => {
    const { body } = await syncOf(world.partners[0]!.key);
    const all = (body.messages as { id: string }[]).map(({ id }) => id);
    const found = all.filter((id) => ids.includes(id));
    return found.length >= ids.length ? found : undefined;
  });
  expect(synced).toEqual(order);
});

it("a file that was uploaded for nobody is erased with the last of those it was sent to, and stays where one of them is no contact", async () => {
  const [ada, ben] = [await asked("+15551249904"), await asked("+15551249905")];
  const { body: eve } = await call("POST", "/contacts", {
    external_ids: [{ source: "telegram", id: "88114455" }],
  });
  const send = async (path: string, body: object, attachment: string) => {
    const media = [{ attachment_id: attachment }];
    expect((await call("POST", path, { ...body, media })).status).toBe(202);
  };
  const files = [await stored(), await stored(), await stored(), await stored()] as const;
  const [own, both, brochure, byAddress] = files;
  for (const file of [own, both, brochure]) await send(`${ada.at}/messages`, { text: "x" }, file);
  await send(`${ben.at}/messages`, { text: "x" }, both);
  await send("/messages", { ...chat, to: "88119999" }, brochure);
  await send("/messages", { ...chat, to: "88114455" }, byAddress);
  const { url } = (await call("GET", `/attachments/${own}`)).body;
  expect((await fetch(url)).status).toBe(200);
  const statuses = () =>
    Promise.all(files.map(async (id) => (await call("GET", `/attachments/${id}`)).status));
  const erase = async (id: string) => {
    expect((await call("DELETE", `/contacts/${id}`)).status).toBe(202);
    const erasure = async () => (await call("GET", `/contacts/${id}/erasure`)).body.status;
    await until(async () => (await erasure()) === "completed");
  };
  const ready =
    "select from mobile_attachments.attachments where id = any($1) and status = 'ready'";
  const removed = (count: number) =>
    until(async () => {
      const { rowCount } = await context().pool.query(ready, [files]);
      return rowCount === files.length - count;
    });
  await erase(ada.contact);
  await removed(1);
  expect(await statuses()).toEqual([404, 200, 200, 200]);
  expect([404, 410]).toContain((await fetch(url)).status);
  await erase(ben.contact);
  await erase(eve.id);
  await removed(3);
  expect(await statuses()).toEqual([404, 404, 200, 404]);
});
