import { services } from "@heliograph/ingress";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, it, vi } from "vitest";

// Each waits for several turns of all consumers, which take seconds on a busy machine.
vi.setConfig({ testTimeout: 90_000 });

let world: World;
beforeAll(async () => {
  world = await openWorld({
    services,
    consumers: "run",
    partners: [{}],
    env: { HELIOGRAPH_RETRY_SCALE: "0.01" },
  });
  await post("/wallet/topups", { amount: "10" });
}, 60_000);
afterAll(() => world.close());

const key = () => world.partners[0]!.key;
const post = (path: string, body: object, headers = {}) =>
  world.call("POST", `/api/v1${path}`, { key: key(), body, headers });
const get = async (path: string) =>
  (await world.call("GET", `/api/v1${path}`, { key: key() })).body;
const advance = (seconds: number) => post("/sandbox/clock/advance", { seconds });

async function send(body: object): Promise<string> {
  const sent = await post("/messages", { text: "Hello", ...body });
  expect(sent.status, sent.text).toBe(202);
  return sent.body.id;
}
const shows = (id: string, what: object) =>
  until(async () => {
    const message = await get(`/messages/${id}`);
    const isThere = Object.entries(what).every(([field, value]) => message[field] === value);
    return isThere ? message : undefined;
  });
const timeline = async (id: string): Promise<readonly Entry[]> =>
  (await get(`/messages/${id}/timeline`)).data;
type Entry = {
  readonly type: string;
  readonly position: string;
  readonly data: { readonly quiet_hours?: { readonly zones: string[]; readonly found: string } };
};
const typesOf = async (id: string) => (await timeline(id)).map(({ type }) => type);
const nothingHeld = () =>
  until(async () => ((await get("/balance")).held === "0" ? true : undefined));
/** By the list of the sandbox. */
const price = { whatsapp: "0.012", sms: "0.0079", email: "0.0004" };
const mail = { from: "a@example.org", subject: "Hello" };
const byWhatsApp = (digits: string, ...failover: object[]) => ({
  channel: "whatsapp",
  to: `+1555013${digits}`,
  failover,
});

it("Without a receipt in time the next channel is tried: one message, charged once, for the channel that delivered", async () => {
  const before = (await get("/balance")).available;
  const step = { channel: "sms", to: "+15550130001", on: ["no_receipt"], after_seconds: 10 };
  const id = await send(byWhatsApp("0002", step));
  await shows(id, { status: "sent", channel: "whatsapp" });
  expect((await get("/balance")).held).toBe(price.whatsapp);
  await advance(9);
  expect(await typesOf(id)).not.toContain("FailoverStarted");
  await advance(2);
  const message = await shows(id, { status: "delivered", channel: "sms" });
  expect(message).toMatchObject({
    cost: price.sms,
    cost_estimate: price.whatsapp,
    to: "+15550130001",
    attempts: 2,
    failover: [
      { step: 0, channel: "whatsapp", status: "sent" },
      { step: 1, channel: "sms", status: "delivered", trigger: "no_receipt" },
    ],
  });
  await nothingHeld();
  const spent = Number(before) - Number((await get("/balance")).available);
  expect(spent.toFixed(4)).toBe(price.sms);
  const entries = await timeline(id);
  expect(entries.find(({ type }) => type === "FailoverStarted")).toMatchObject({
    reason: "no receipt came within 10 s",
    data: { step: 1, trigger: "no_receipt" },
  });
  const before1 = entries.find(({ type }) => type === "FailoverStarted")!.position;
  const then = await get(`/messages/${id}?as_of=${before1}`);
  expect([then.channel, then.status, then.cost]).toEqual(["sms", "sent", "0"]);

  // The first channel's receipt is late: it is evidence, and nothing else.
  await post("/sandbox/receipts", { message_id: id, status: "delivered", channel: "whatsapp" });
  await until(async () => {
    const types = await typesOf(id);
    return types.filter((type) => type === "ReceiptReceived").length === 2 ? true : undefined;
  });
  expect(await get(`/messages/${id}`)).toMatchObject({ channel: "sms", cost: price.sms });
});

it("A late receipt of the first channel settles the message there, at its price, and stops what is not sent yet", async () => {
  const steps = [
    { channel: "sms", to: "+15550130002", on: ["no_receipt"], after_seconds: 10 },
    {
      channel: "email",
      to: "a@example.org",
      ...mail,
      text: "Hi",
      on: ["no_receipt"],
      after_seconds: 60,
    },
  ];
  const id = await send(byWhatsApp("0002", ...steps));
  await shows(id, { status: "sent" });
  await advance(11);
  await shows(id, { status: "sent", channel: "sms" });
  await until(async () =>
    (await typesOf(id)).filter((type) => type === "MessageSent").length === 2 ? true : undefined,
  );
  await post("/sandbox/receipts", { message_id: id, status: "delivered", channel: "whatsapp" });
  await shows(id, { status: "delivered", channel: "whatsapp", cost: price.whatsapp });
  await nothingHeld();
  await advance(120);
  await nothingHeld();
  const types = await typesOf(id);
  expect(types.filter((type) => type === "FailoverStarted")).toHaveLength(1);
  expect(types.filter((type) => type === "FundsCaptured")).toHaveLength(1);
});

it("A late receipt of a dearer channel is charged what that costs, and a cheaper one gives the rest back", async () => {
  const sms = { channel: "sms", to: "+15550130002", on: ["no_receipt"], after_seconds: 10 };
  const dearer = await send(byWhatsApp("0002", sms));
  const cheaper = await send({
    channel: "sms",
    to: "+15550130002",
    failover: [{ channel: "whatsapp", on: ["no_receipt"], after_seconds: 10 }],
  });
  await Promise.all([shows(dearer, { status: "sent" }), shows(cheaper, { status: "sent" })]);
  await advance(11);
  // Nothing may follow the last step: it is charged when it is sent.
  await shows(dearer, { channel: "sms", cost: price.sms });
  await shows(cheaper, { channel: "whatsapp", cost: price.whatsapp });
  await post("/sandbox/receipts", { message_id: dearer, status: "delivered", channel: "whatsapp" });
  await post("/sandbox/receipts", { message_id: cheaper, status: "delivered", channel: "sms" });
  await shows(dearer, { status: "delivered", cost: price.whatsapp });
  await shows(cheaper, { status: "delivered", cost: price.sms });
  await until(async () => ((await typesOf(dearer)).includes("FundsSurcharged") ? true : undefined));
  await until(async () => ((await typesOf(cheaper)).includes("FundsRebated") ? true : undefined));
  expect(await get("/wallet/proof")).toMatchObject({ matches: true, holds_open: 0 });
});

it("A step that fails, is reported lost or is not taken in time is followed by the one that names it", async () => {
  const next = { channel: "email", to: "delivered@example.org", ...mail };
  const failed = await send(byWhatsApp("0003", { ...next, on: ["failed"] }));
  const lost = await send(byWhatsApp("0006", { ...next, on: ["failed", "expired"] }));
  const expired = await send({
    ...byWhatsApp("0013", { ...next, on: ["expired"] }),
    validity_seconds: 10,
  });
  const done = { status: "delivered", channel: "email", cost: price.email };
  expect(await shows(failed, done)).toMatchObject({
    failover: [{ status: "failed", error: { permanent: true } }, { trigger: "failed" }],
  });
  expect(await shows(lost, done)).toMatchObject({ failover: [{ status: "failed" }, {}] });
  await advance(11);
  expect(await shows(expired, done)).toMatchObject({ failover: [{ status: "expired" }, {}] });
  await nothingHeld();
});

it("Where the last step fails, an earlier one that was sent counts, and without one the message fails with its money back", async () => {
  const dead = { channel: "sms", to: "+15550130003" };
  const left = await send(byWhatsApp("0002", { ...dead, on: ["no_receipt"], after_seconds: 10 }));
  const none = await send(byWhatsApp("0003", { ...dead, on: ["failed"] }));
  const other = await send(
    byWhatsApp("0003", { ...dead, on: ["no_receipt", "expired"], after_seconds: 10 }),
  );
  expect(await shows(none, { status: "failed", cost: "0" })).toMatchObject({
    refund: { amount: price.whatsapp },
  });
  expect((await shows(other, { status: "failed" })).failover[1]).toMatchObject({
    status: "waiting",
  });
  await shows(left, { status: "sent", channel: "whatsapp" });
  await advance(11);
  await until(async () => ((await typesOf(left)).includes("MessageSettled") ? true : undefined));
  expect(await get(`/messages/${left}`)).toMatchObject({
    status: "sent",
    channel: "whatsapp",
    cost: price.whatsapp,
    failover: [{ status: "sent" }, { status: "failed" }],
  });
  await nothingHeld();
  // Its own channel reports it lost after all.
  await post("/sandbox/receipts", { message_id: left, status: "undelivered", channel: "whatsapp" });
  await shows(left, { status: "failed", cost: "0" });
  expect(await get("/wallet/proof")).toMatchObject({ matches: true, holds_open: 0 });
});

it("The same key is the same message, a dry run tells what is held, and usage has the channel that was charged", async () => {
  const step = { channel: "sms", to: "+15550130001", on: ["failed"] };
  const body = { text: "Hello", ...byWhatsApp("0003", step) };
  const dry = await post("/messages?dry_run=true", body);
  expect(dry.body).toMatchObject({ cost_estimate: price.whatsapp, channel: "whatsapp" });
  const answers = [];
  for (let time = 0; time < 2; time++)
    answers.push(await post("/messages", body, { "Idempotency-Key": "failover-once" }));
  expect(answers[1]!.text).toBe(answers[0]!.text);
  const id = answers[0]!.body.id;
  await shows(id, { status: "delivered", channel: "sms" });
  expect((await typesOf(id)).filter((type) => type === "FailoverStarted")).toHaveLength(1);
  const tagged = await send({ ...byWhatsApp("0003", step), tags: ["fo"] });
  await shows(tagged, { status: "delivered", channel: "sms" });
  const row = await until(async () => {
    const { data } = await get("/usage?group_by=tag,channel,status");
    return data.find(
      (each: Record<string, string>) => each["tag"] === "fo" && each["status"] === "delivered",
    );
  });
  expect(row).toMatchObject({ channel: "sms", cost: price.sms });
});

const clock = async (): Promise<number> => Date.parse((await advance(0)).body.now);
const timeOfDay = (atMs: number): string => new Date(atMs).toISOString().slice(11, 16);
const quietBetween = (fromMs: number, toMs: number) => ({
  quiet_hours: { from: timeOfDay(fromMs), to: timeOfDay(toMs), policy: "delay", zone: "UTC" },
});
const hourMs = 3_600_000;

it("What is due in quiet hours waits for their end, a step as the message itself, and is charged once", async () => {
  const now = await clock();
  const end = Math.floor((now + hourMs) / 60_000) * 60_000;
  const sms = { channel: "sms", to: "+15550130001" };
  const held = await send({ ...sms, ...quietBetween(now - hourMs, end) });
  expect(await get(`/messages/${held}`)).toMatchObject({
    status: "scheduled",
    send_at: new Date(end).toISOString(),
  });
  expect((await timeline(held))[0]).toMatchObject({
    type: "MessageRequested",
    reason: `it is due in quiet hours, which last until ${new Date(end).toISOString()}`,
  });
  await advance(hourMs / 1_000);
  await shows(held, { status: "delivered", cost: price.sms });

  // Its second step is due in the middle of them.
  const later = await clock();
  const quiet = quietBetween(later + 5 * 60_000, later + 2 * hourMs);
  const step = { ...sms, on: ["no_receipt"], after_seconds: 600 };
  const id = await send({ ...byWhatsApp("0002", step), ...quiet });
  await shows(id, { status: "sent" });
  await advance(601);
  const delay = await until(async () =>
    (await timeline(id)).find(({ type }) => type === "SendDelayed"),
  );
  expect(delay).toMatchObject({ reason: expect.stringContaining("quiet hours") });
  expect((await get(`/messages/${id}`)).failover[1]).toMatchObject({ status: "under_way" });
  await advance(2 * 3_600);
  await shows(id, { status: "delivered", channel: "sms", cost: price.sms });
  expect((await typesOf(id)).filter((type) => type === "SendDelayed")).toHaveLength(1);
  await nothingHeld();
});

it("The contact's own zone decides, else those of the number's country", async () => {
  const to = "+4915112340001";
  const person = { external_ids: [{ source: "sms", id: to }], time_zone: "Asia/Tokyo" };
  expect((await post("/contacts", person)).status).toBe(201);
  const quiet_hours = { from: "02:00", to: "02:01", policy: "delay" };
  const zonesOf = async (to: string) => {
    const id = await send({ channel: "sms", to, quiet_hours });
    const { zones, found } = (await timeline(id))[0]!.data.quiet_hours!;
    return [found, zones];
  };
  expect(await zonesOf(to)).toEqual(["contact", ["Asia/Tokyo"]]);
  const [found, zones] = await zonesOf("+4915112340002");
  expect([found, zones]).toEqual(["number", expect.arrayContaining(["Europe/Berlin"])]);
});
