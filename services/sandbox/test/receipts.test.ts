import { receiptStatuses } from "@heliograph/contracts";
import { services } from "@heliograph/ingress";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, it } from "vitest";

let world: World;
beforeAll(async () => {
  world = await openWorld({
    services,
    consumers: "run",
    partners: [{}, {}],
    env: { HELIOGRAPH_RETRY_SCALE: "0.01" },
  });
  for (const { key } of world.partners)
    await world.call("POST", "/api/v1/wallet/topups", { key, body: { amount: "10" } });
}, 60_000);
afterAll(() => world.close());

const keyOf = (partner: number) => world.partners[partner]!.key;
const post = (path: string, body: object, { key = keyOf(0), headers = {} } = {}) =>
  world.call("POST", `/api/v1${path}`, { key, body, headers });
const get = async (path: string, key = keyOf(0)) =>
  (await world.call("GET", `/api/v1${path}`, { key })).body;
const play = (message_id: string, status: string, more: object = {}, options = {}) =>
  post("/sandbox/receipts", { message_id, status, ...more }, options);

async function send(body: object, key = keyOf(0)): Promise<string> {
  const sent = await post("/messages", { text: "Hello", ...body }, { key });
  expect(sent.status).toBe(202);
  return sent.body.id;
}
const reached = (id: string, status: string) =>
  until(async () => {
    const message = await get(`/messages/${id}`);
    return message.status === status ? message : undefined;
  });
/** Nobody reports on it but the test. */
const quiet = { channel: "sms", to: "+15550100002" };
const quietMail = {
  channel: "email",
  to: "sent-only@example.org",
  from: "a@example.org",
  subject: "x",
};

it("Receipts that are played take a message through its states, in any order and number", async () => {
  const id = await send(quiet);
  await reached(id, "sent");
  const at = new Date(Date.now() - 5_000).toISOString();
  const first = await play(id, "read", { at });
  expect([first.status, first.body]).toEqual([202, { message_id: id, status: "read" }]);
  expect(await reached(id, "read")).toMatchObject({ read_at: at, delivered_at: at });
  for (const status of ["delivered", "sent", "undelivered", "delivered", "read"])
    expect((await play(id, status, { code: "30003" })).status).toBe(202);
  const told = await until(async () => {
    const { data } = await get(`/messages/${id}/timeline`);
    const receipts = data.filter(({ type }: { type: string }) => type === "ReceiptReceived");
    return receipts.length === 5 ? receipts : undefined;
  });
  expect(told.map(({ data }: { data: { status: string } }) => data.status).toSorted()).toEqual([
    "delivered",
    "read",
    "read",
    "sent",
    "undelivered",
  ]);
  expect((await get(`/messages/${id}`)).status).toBe("read");
});

it("Bad news has the provider's code, and the money back unless the provider charges for it", async () => {
  const [failing, bouncing, filtered] = [
    await send(quiet),
    await send(quietMail),
    await send(quiet),
  ];
  await Promise.all([failing, bouncing, filtered].map((id) => reached(id, "sent")));
  await play(filtered, "undelivered", { code: "30007", billable: true });
  await play(failing, "undelivered", { code: "30003" });
  await play(bouncing, "bounced", { code: "5.1.1" });
  expect(await reached(failing, "failed")).toMatchObject({
    cost: "0",
    error: { code: "30003", permanent: true, provider: { name: "sim-sms", code: "30003" } },
    refund: { currency: "USD" },
  });
  const billed = await reached(filtered, "failed");
  expect(billed).toMatchObject({
    cost: billed.cost_estimate,
    error: { code: "30007", billable: true },
    refund: { amount: "0" },
  });
  const { data } = await get("/wallet/transactions?limit=100");
  const own = data.filter((one: { message_id?: string }) => one.message_id === filtered);
  expect(own.map(({ kind }: { kind: string }) => kind).toSorted()).toEqual(["capture", "hold"]);
  expect(own.map(({ id }: { id: string }) => id)).toContain(billed.refund.transaction_id);
  expect(await get("/wallet/proof")).toMatchObject({ matches: true, holds_open: 0 });
  const shown = (await get(`/messages/${filtered}/timeline`)).data;
  expect(shown.map(({ type }: { type: string }) => type)).toContain("FundsKept");
  expect(await reached(bouncing, "bounced")).toMatchObject({
    bounce: { diagnostic: "bounced: 5.1.1" },
  });
});

it("A deferral is tried again, a complaint starts a suppression, as real ones do", async () => {
  const [deferred, unwanted] = [
    await send(quietMail),
    await send({ channel: "sms", to: "+15550170002" }),
  ];
  await Promise.all([deferred, unwanted].map((id) => reached(id, "sent")));
  await play(deferred, "deferred", { code: "4.2.2" });
  await until(async () => (await get(`/messages/${deferred}`)).attempts === 2);
  await play(unwanted, "complained");
  const periods = await until(async () => {
    const { data } = await get(`/suppressions?to=${encodeURIComponent("+15550170002")}`);
    return data.length > 0 ? data : undefined;
  });
  expect(periods[0]).toMatchObject({ reason: "complaint" });
});

it("A receipt that comes before its message is sent waits for it", async () => {
  const send_at = new Date(Date.now() + 3_600_000).toISOString();
  const id = await send({ ...quiet, send_at });
  expect((await play(id, "undelivered", { code: "early" })).status).toBe(202);
  expect((await get(`/messages/${id}`)).status).toBe("scheduled");
});

it("Only own messages of the sandbox have receipts to play", async () => {
  const heads = await world.heads();
  const theirs = await send(quiet, keyOf(1));
  const partner = world.partners[0]!.id;
  const live = await world.addKey(partner, { environment: "live" });
  const unsent = "msg_01HNQX2P8Y9R3T4V5W6Z7A8B9C";
  for (const id of [theirs, unsent, "msg_1", "../1"])
    expect([(await play(id, "delivered")).body.code, id]).toEqual(["not_found", id]);
  expect((await play(theirs, "delivered", {}, { key: live })).body.code).toBe("insufficient_scope");
  const narrow = await world.addKey(partner, { scopes: ["messages:write"] });
  expect((await play(theirs, "delivered", {}, { key: narrow })).body.required_scope).toBe(
    "sandbox:write",
  );
  const { log } = world.platform.contexts.sandbox;
  const { events } = await log.readAll({
    after: BigInt(heads.split(",")[1]!),
    limit: 1_000,
    types: ["ReceiptReceived"],
  });
  expect(events).toEqual([]);
});

it.each([
  ["a status that no provider reports", { status: "lost" }, "status"],
  ["no status", { status: undefined }, "status"],
  ["a code that is none", { code: "no blanks" }, "code"],
  ["a time that is none", { at: "yesterday" }, "at"],
  ["a time that has not come", { at: "2999-01-01T00:00:00Z" }, "at"],
  ["an unknown field", { colour: "red" }, "colour"],
])("%s is refused", async (_, change, path) => {
  const id = await send(quiet);
  const { status, body } = await post("/sandbox/receipts", {
    message_id: id,
    status: "delivered",
    ...change,
  });
  expect([status, body.errors[0].path]).toEqual([422, path]);
});

it("A repeated key plays once, every status is taken", async () => {
  const id = await send(quiet);
  await reached(id, "sent");
  const headers = { "idempotency-key": "r-1" };
  const [one, other] = [
    await play(id, "sent", {}, { headers }),
    await play(id, "sent", {}, { headers }),
  ];
  expect(other.body).toEqual(one.body);
  expect((await play(id, "read", {}, { headers })).body.code).toBe("idempotency_key_reused");
  for (const status of receiptStatuses) expect((await play(id, status)).status).toBe(202);
});
