import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deterministicId, streamOf, uuid7 } from "@heliograph/contracts";
import { services } from "@heliograph/ingress";
import { rebuildProjector } from "@heliograph/runtime";
import { spawnService, until, webhookSink } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { decideReset, evolveResets } from "../src/decide-reset.ts";
import { furnish } from "../src/next-space.ts";

const entry = fileURLToPath(new URL("../../ingress/src/main.ts", import.meta.url));
let world: World;
let sink: Awaited<ReturnType<typeof webhookSink>>;
let dataDir: string;
beforeAll(async () => {
  sink = await webhookSink();
  dataDir = await mkdtemp(join(tmpdir(), "heliograph-"));
  world = await openWorld({
    services,
    consumers: "run",
    partners: [{}, {}, {}, {}, {}, {}],
    env: {
      HELIOGRAPH_DATA_DIR: dataDir,
      HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "127.0.0.0/8",
      HELIOGRAPH_RETRY_SCALE: "0.01",
    },
  });
  for (const { key } of world.partners)
    await world.call("POST", "/api/v1/wallet/topups", { key, body: { amount: "10" } });
}, 60_000);
afterAll(async () => {
  await world.close();
  await sink.close();
  await rm(dataDir, { recursive: true, force: true });
});

const caller = (partner: number) => {
  const { key } = world.partners[partner]!;
  return {
    post: (path: string, body: object = {}, headers: Record<string, string> = {}) =>
      world.call("POST", `/api/v1${path}`, { key, body, headers }),
    get: async (path: string) => (await world.call("GET", `/api/v1${path}`, { key })).body,
    status: async (path: string) => (await world.call("GET", `/api/v1${path}`, { key })).status,
  };
};
const sms = { channel: "sms", to: "+15550110001", text: "Hello" };
const resetsOf = async (partner: number) =>
  (
    await world.platform.platformLog.readStream(streamOf("sandbox", world.partners[partner]!.id))
  ).map(({ data }) => (data as { resets: number }).resets);

/** What a partner may have in its sandbox. */
async function use(partner: number) {
  const { post, get } = caller(partner);
  const sent = await post("/messages", sms, { "idempotency-key": "order-1" });
  await until(async () => (await get(`/messages/${sent.body.id}`)).status === "delivered");
  const send_at = new Date(Date.now() + 3_600_000).toISOString();
  const later = await post("/messages", { ...sms, send_at });
  await post("/contacts", { name: "Ada", external_ids: [{ source: "crm", id: "c-1" }] });
  await post("/suppressions", { channel: "sms", to: "+15550199999" });
  await post("/sandbox/inbound", { channel: "sms", from: "+15550138001", text: "Where is it?" });
  await until(async () => (await get("/conversations")).data[0]);
  await until(async () => (await get("/suppressions")).data[0]);
  // A list may be a moment behind what was accepted.
  await until(async () => (await get("/messages")).data.length === 2);
  return { sent: sent.body.id as string, later: later.body.id as string };
}
const lists = ["/messages", "/contacts", "/conversations", "/suppressions"];

it("A sandbox that is reset is empty and begins with its first funds; keys, endpoints, templates and settings stay", async () => {
  const { post, get, status } = caller(0);
  const endpoint = (await post("/webhook-endpoints", { url: `${sink.url}/hook` })).body;
  const template = { slug: "hi", channel: "sms", languages: { en: { text: "Hi" } }, variables: {} };
  expect((await post("/templates", template)).status).toBe(201);
  const settings = { key: world.partners[0]!.key, body: { low_balance_threshold: "1" } };
  await world.call("PUT", "/api/v1/wallet/settings", settings);
  const { sent, later } = await use(0);
  await post("/sandbox/clock/advance", { seconds: 600 });
  const opened = (await get("/wallet/transactions?limit=100")).data.at(-1);
  const { next_after: before } = await get("/events?limit=200");
  const limits = await get("/limits");

  const reset = await post("/sandbox/reset");
  expect(reset.status).toBe(202);
  expect(Math.abs(Date.parse(reset.body.reset_at) - Date.now())).toBeLessThan(60_000);

  for (const path of lists) expect((await get(path)).data, path).toEqual([]);
  for (const path of [`/messages/${sent}`, `/messages/${later}`, `/messages/${sent}/timeline`])
    expect(await status(path), path).toBe(404);
  expect((await get("/usage")).data).toEqual([]);
  const balance = await until(async () => {
    const shown = await get("/balance");
    return shown.available === opened.amount ? shown : undefined;
  });
  expect(balance).toMatchObject({ held: "0" });
  const { data: booked } = await get("/wallet/transactions");
  expect(booked).toHaveLength(1);
  expect(booked[0]).toMatchObject({ kind: opened.kind, amount: opened.amount });
  expect(booked[0].id).not.toBe(opened.id);
  const shown = (await post("/sandbox/clock/advance", { seconds: 0 })).body.now;
  expect(Math.abs(Date.parse(shown) - Date.now())).toBeLessThan(60_000);

  expect((await get("/webhook-endpoints")).data).toMatchObject([{ id: endpoint.id }]);
  expect((await get("/templates")).data).toMatchObject([{ slug: "hi" }]);
  expect(await get("/wallet/settings")).toMatchObject({ low_balance_threshold: "1" });
  expect((await get("/keys")).data).toHaveLength(1);
  expect(Object.keys(await get("/limits"))).toEqual(Object.keys(limits));

  // The key of before is free, and makes another message.
  const again = await post("/messages", sms, { "idempotency-key": "order-1" });
  expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([202, null]);
  expect(again.body.id).not.toBe(sent);
  const by = { channel: "sms", to: sms.to, template: "hi", language: "en" };
  expect((await post("/messages", by)).status).toBe(202);
  await until(async () => (await get(`/messages/${again.body.id}`)).status === "delivered");

  // A reader of the feed goes on where it was, and is told of what is new alone.
  const { data: told } = await get(`/events?after=${before}&limit=200`);
  expect(told[0]).toMatchObject({ type: "message.queued", data: { message_id: again.body.id } });
  expect(told[0].sequence).toBeGreaterThan(before);
  const hooked = () => sink.requests.map(({ body }) => JSON.parse(String(body)));
  await until(() => hooked().some(({ data }) => data.message_id === again.body.id));
});

it("Nothing of before is sent, charged or told afterwards, not even what becomes due", async () => {
  const { post, get } = caller(1);
  await post("/webhook-endpoints", { url: `${sink.url}/later` });
  const { later: before } = await use(1);
  const told = (id: string) =>
    sink.requests
      .filter(({ path, body }) => path === "/later" && String(body).includes(`"${id}"`))
      .map(({ body }) => JSON.parse(String(body)).type);
  await until(() => told(before).length > 0);
  expect((await post("/sandbox/reset")).status).toBe(202);
  const opened = Number((await get("/balance")).available);
  // A call that had begun before sets the clock of before forward.
  const { id } = world.partners[1]!;
  const from = new Date().toISOString();
  const to = new Date(Date.now() + 7_200_000).toISOString();
  const late = { partner_id: id, seconds: 7_200, ahead_seconds: 7_200, from, to };
  await world.appendPlatform(streamOf("clock", id), "any", "SandboxClockAdvanced", late);
  const send_at = new Date(Date.now() + 3_600_000).toISOString();
  const after = (await post("/messages", { ...sms, send_at })).body.id;
  await post("/sandbox/clock/advance", { seconds: 7_200 });
  await until(() => told(after).includes("message.delivered"));
  expect(told(before)).toEqual(["message.scheduled"]);
  const { log } = world.platform.contexts.sandbox;
  const events = await log.readStream(streamOf("message", before));
  expect(events.map(({ type }) => type)).toEqual(["MessageRequested"]);
  const settled = await until(async () => {
    const balance = await get("/balance");
    return balance.held === "0" ? balance : undefined;
  });
  const { cost } = await get(`/messages/${after}`);
  expect(opened - Number(settled.available)).toBeCloseTo(Number(cost), 6);
});

it("A key resets once, two at once are one reset, and one that was killed halfway is completed by the next", async () => {
  const { post, get } = caller(2);
  await use(2);
  const { id } = world.partners[2]!;
  const { log } = world.platform.contexts.sandbox;
  const openings = async (): Promise<number> =>
    (await get("/wallet/transactions?limit=50")).data.filter(isOpening).length;
  // All but the event: nothing has happened yet.
  const half = { log, from: id, to: `${id}~1`, currencies: ["USD"], actor: "test" };
  await furnish({ ...half, at: new Date().toISOString() });
  expect((await get("/messages")).data).toHaveLength(2);
  const headers = { "idempotency-key": "clean" };
  const first = await post("/sandbox/reset", {}, headers);
  expect(first.status).toBe(202);
  const kept = (await post("/messages", sms)).body.id;
  const again = await post("/sandbox/reset", {}, headers);
  expect([again.text, again.headers.get("idempotent-replayed")]).toEqual([first.text, "true"]);
  expect(await resetsOf(2)).toEqual([1]);
  await until(async () => (await get("/messages")).data[0]?.id === kept);
  await until(async () => (await openings()) === 1);

  const answers = await Promise.all([1, 2, 3].map(() => post("/sandbox/reset")));
  expect(answers.map(({ status }) => status)).toEqual([202, 202, 202]);
  expect((await get("/messages")).data).toEqual([]);
  await until(async () => (await openings()) === 1);
});
const isOpening = ({ kind }: { kind: string }): boolean => kind === "topup";

/** Asks for a reset in a process of its own that is killed there. */
async function resetKilledAt(place: string, partner: number, key: string): Promise<void> {
  const child = spawnService(entry, {
    HELIOGRAPH_DATABASE_URL: world.databaseUrl,
    HELIOGRAPH_MASTER_KEY: world.platform.masterKey.toString("hex"),
    HELIOGRAPH_PORT: "0",
    HELIOGRAPH_FAILPOINT: `sandbox.${place}:kill`,
  });
  const [, port] = await child.outputMatching(/"port":(\d+),"msg":"listening"/);
  await fetch(`http://127.0.0.1:${port}/api/v1/sandbox/reset`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${world.partners[partner]!.key}`,
      "content-type": "application/json",
      "idempotency-key": key,
    },
    body: "{}",
  }).catch(() => undefined);
  const { signal } = await child.exited;
  if (signal !== "SIGKILL") throw new Error(`${place} was not passed:\n${child.output()}`);
}

it("A process that is killed in a reset has reset or it has not, and nothing of before comes after", async () => {
  const { post, get } = caller(4);
  const { id } = world.partners[4]!;
  await post("/webhook-endpoints", { url: `${sink.url}/killed` });
  const told = (message: string) =>
    sink.requests
      .filter(({ path, body }) => path === "/killed" && String(body).includes(`"${message}"`))
      .map(({ body }) => JSON.parse(String(body)).type);
  const { sent, later } = await use(4);
  await until(() => told(later).length > 0);

  await resetKilledAt("before_reset", 4, "first");
  expect(await resetsOf(4)).toEqual([]);
  expect((await get("/messages")).data.map((each: { id: string }) => each.id).toSorted()).toEqual(
    [sent, later].toSorted(),
  );
  const { amount } = (await get("/wallet/transactions?limit=100")).data.at(-1);

  await resetKilledAt("after_reset", 4, "second");
  expect(await resetsOf(4)).toEqual([1]);
  for (const path of lists) await until(async () => (await get(path)).data.length === 0);
  // Who asked and got no answer asks again, and it is the same reset; so is what was killed before.
  await world.platform.contexts.sandbox.pool.query(
    "update ingress.idempotency set lease_until = now() where not done",
  );
  const again = await post("/sandbox/reset", {}, { "idempotency-key": "second" });
  expect([again.status, await resetsOf(4)]).toEqual([202, [1]]);
  const opened = Number((await get("/balance")).available);
  expect(opened).toBe(Number(amount));

  await post("/sandbox/clock/advance", { seconds: 7_200 });
  const after = (await post("/messages", sms)).body.id;
  await until(() => told(after).includes("message.delivered"));
  expect(told(later)).toEqual(["message.scheduled"]);
  const { log } = world.platform.contexts.sandbox;
  const events = await log.readStream(streamOf("message", later));
  expect(events.map(({ type }) => type)).toEqual(["MessageRequested"]);
  const { cost } = await get(`/messages/${after}`);
  const settled = await until(async () => {
    const balance = await get("/balance");
    return balance.held === "0" && Number(balance.available) < opened ? balance : undefined;
  });
  expect(opened - Number(settled.available)).toBeCloseTo(Number(cost), 6);
  const opening = (await get("/wallet/transactions?limit=50")).data.filter(isOpening);
  expect(opening).toHaveLength(1);
  expect(await log.readStream(streamOf("wallet", `${id}~2`))).toEqual([]);
}, 60_000);

/** An agent who has signed in on a phone that is registered for pushes. */
async function newAgent(key: string) {
  const [email, password] = [`${uuid7()}@example.org`, "correct horse battery"];
  const agent = { name: "Ada", email, role: "agent", password };
  const made = await world.call("POST", "/api/v1/agents", { key, body: agent });
  const device = { name: "phone", platform: "android" };
  const login = { email, password, environment: "sandbox", device };
  const { body } = await world.call("POST", "/api/v1/mobile/sessions", { body: login });
  const token: string = body.access_token;
  const phone = { fcm_token: uuid7(), platform: "android" };
  await world.call("POST", "/api/v1/mobile/devices", { key: token, body: phone });
  return { id: made.body.id as string, token };
}

it("Agents, teams and devices stay; conversations, pushes, imports, files and deliveries of before are gone, and a phone begins anew", async () => {
  await world.appendPlatform(streamOf("gateway", "push"), "any", "GatewayConfigured", {
    gateway_id: deterministicId("gtw", "push"),
    environment: "sandbox",
    name: "sim-push",
    channel: "push",
    kind: "simulator",
    enabled: true,
    weight: 100,
    max_concurrent: 8,
    timeout_ms: 10_000,
    on_uncertain: "at_most_once",
    settings: {},
  });
  const { key, id: partner } = world.partners[5]!;
  const { post, get, status } = caller(5);
  const ada = await newAgent(key);
  const phone = async (path: string) =>
    (await world.call("GET", `/api/v1${path}`, { key: ada.token })).body;
  const front = { name: "Front", agent_ids: [ada.id], routing: "least_busy" };
  const team = (await post("/teams", front)).body.id;
  const endpoint = (await post("/webhook-endpoints", { url: `${sink.url}/desk` })).body.id;
  const upload = (path: string, type: string, raw: string) =>
    world.call("POST", `/api/v1${path}`, { key, raw, headers: { "content-type": type } });
  const imported = (await upload("/contact-imports", "text/csv", "name,phone\nAda,x\n")).body.id;
  const file = (await upload("/attachments", "text/plain", "of before")).body;
  const write = (text: string) =>
    post("/sandbox/inbound", { channel: "sms", from: "+15550138001", text });
  const told = async (kind: string) => {
    const { data } = await phone("/mobile/pushes");
    return data.some((push: Push) => push.kind === kind && push.status === "sent");
  };
  await write("Where is it?");
  const before = (await until(async () => (await get("/conversations")).data[0])).id;
  expect((await post(`/conversations/${before}/assign`, { agent_id: ada.id })).status).toBe(200);
  await until(() => told("assigned"));
  await write("Hello?");
  await until(() => told("message"));
  const deliveries = `/webhook-endpoints/${endpoint}/deliveries`;
  const delivered = await until(async () => (await get(deliveries)).data[0]);
  await until(async () => (await get(`/contact-imports/${imported}`)).finished_at);
  expect((await fetch(file.url)).status).toBe(200);
  const stays = async () => [
    (await get("/agents")).data,
    (await get("/teams")).data,
    (await phone("/mobile/devices")).data,
  ];
  const staying = await until(async () => {
    const all = await stays();
    return all.every(({ length }) => length === 1) && all;
  });
  const synced = await until(async () => {
    const page = await phone("/mobile/sync");
    return page.messages.length === 2 && page;
  });
  const waits = phone(`/mobile/sync?after=${synced.next_after}&wait=20`);
  const { log, pool } = world.platform.contexts.sandbox;

  expect((await post("/sandbox/reset")).status).toBe(202);
  expect(await stays()).toEqual(staying);
  expect((await waits).code).toBe("conflict");
  const ids = [
    `/conversations/${before}`,
    `/conversations/${before}/messages`,
    `/contact-imports/${imported}`,
    `/contact-imports/${imported}/errors`,
    `/attachments/${file.id}`,
  ];
  for (const path of ids) expect(await status(path), path).toBe(404);
  expect((await fetch(file.url)).status).toBe(404);
  for (const asked of [
    `/conversations/${before}/close`,
    `/webhook-deliveries/${delivered.id}/retry`,
  ])
    expect((await post(asked)).status, asked).toBe(404);
  expect((await get(deliveries)).data).toEqual([]);
  expect((await phone("/mobile/pushes")).data).toEqual([]);

  // Whoever sees all, and whoever sees a part, has conversations that are there no more.
  for (const token of [key, ada.token]) {
    const sync = async (query: string) =>
      (await world.call("GET", `/api/v1/mobile/sync${query}`, { key: token })).body;
    expect(await sync(`?after=${synced.next_after}`)).toMatchObject({ reset: true, messages: [] });
    const anew = await sync("");
    expect(anew).toMatchObject({ reset: false, conversations: [], messages: [], unread: 0 });
    const { next_after } = anew;
    expect(await sync(`?after=${next_after}`)).toMatchObject({ reset: false, next_after });
  }

  // What is still written of before tells nobody; the same person begins another conversation.
  const { events } = await log.readAll({
    after: 0n,
    limit: 1_000,
    types: ["ConversationAssigned"],
  });
  const { stream, type, data } = events.find((event) => event.metadata.partner === partner)!;
  const late = { id: uuid7(), type, data, metadata: { partner } };
  await log.append([{ stream, expected: "any", events: [late] }]);
  const pushes = async (space: string) =>
    (await pool.query("select from mobile_push.pushes where partner = $1", [space])).rowCount;
  await write("Somebody there?");
  const after = (await until(async () => (await get("/conversations")).data[0])).id;
  expect(after).not.toBe(before);
  await post(`/conversations/${after}/assign`, { agent_id: ada.id });
  await until(() => told("assigned"));
  await until(async () => (await pushes(partner)) === 0);
  const { next_after: seen } = await until(async () => {
    const page = await phone("/mobile/sync");
    return page.conversations[0]?.id === after && page;
  });
  const rename = { key, body: { agent_ids: [] } };
  expect((await world.call("PATCH", `/api/v1/teams/${team}`, rename)).status).toBe(200);
  await until(async () => (await phone(`/mobile/sync?after=${seen}`)).reset);
}, 30_000);
type Push = { readonly kind: string; readonly status: string };

it("Other partners and live stay as they are, and a rebuild gives the same rows", async () => {
  const { get } = caller(3);
  await use(3);
  const shown = () => Promise.all(lists.map((path) => get(path)));
  const before = await until(async () => {
    const all = await shown();
    return all[0].data.length === 2 && all;
  });
  expect((await caller(0).post("/sandbox/reset")).status).toBe(202);
  expect(await shown()).toEqual(before);
  const key = await world.addKey(world.partners[3]!.id, { environment: "live" });
  const live = await world.call("POST", "/api/v1/sandbox/reset", { key, body: {} });
  expect([live.status, live.body.code]).toEqual([403, "insufficient_scope"]);
  expect(await resetsOf(3)).toEqual([]);

  const context = world.platform.contexts.sandbox;
  const signal = AbortSignal.timeout(30_000);
  const projectors = services
    .flatMap(({ consumers }) => consumers?.(context) ?? [])
    .filter((consumer) => consumer.kind === "projector");
  for (const each of projectors) {
    const rebuilt = await rebuildProjector(context, each, { verifyOnly: true, signal });
    expect(rebuilt, each.name).toMatchObject({ equal: true });
  }
}, 30_000);

it("However many reset at once, each finds its own event, and the number only grows", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 20 }), (wishes) => {
      let resets = 0;
      for (const wanted of wishes) {
        const { events } = decideReset(resets, { partner_id: "ptn_1", wanted, at: "" });
        const after = evolveResets(resets, events[0] as never);
        expect(after).toBe(Math.max(resets, wanted));
        resets = after;
      }
    }),
  );
});
