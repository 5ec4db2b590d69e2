import { services } from "@heliograph/ingress";
import { until, webhookSink } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, it } from "vitest";

let world: World;
let sink: Awaited<ReturnType<typeof webhookSink>>;
beforeAll(async () => {
  sink = await webhookSink();
  world = await openWorld({
    services,
    consumers: "run",
    partners: [{}, {}],
    env: { HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "127.0.0.0/8" },
  });
  for (const { key } of world.partners)
    await world.call("POST", "/api/v1/wallet/topups", { key, body: { amount: "10" } });
}, 60_000);
afterAll(async () => {
  await world.close();
  await sink.close();
});

type Entry = {
  readonly type: string;
  readonly timestamp: string;
  readonly data: Record<string, string>;
};
const keyOf = (partner: number) => world.partners[partner]!.key;
const post = (path: string, body: object, partner = 0) =>
  world.call("POST", `/api/v1${path}`, { key: keyOf(partner), body });
const get = async (path: string, partner = 0) =>
  (await world.call("GET", `/api/v1${path}`, { key: keyOf(partner) })).body;
const advance = async (seconds: number): Promise<number> =>
  Date.parse((await post("/sandbox/clock/advance", { seconds })).body.now);
const inSeconds = (fromMs: number, seconds: number): string =>
  new Date(fromMs + seconds * 1_000).toISOString();
async function send(body: object, partner = 0): Promise<string> {
  const sent = await post("/messages", { channel: "sms", text: "Hello", ...body }, partner);
  expect(sent.status, sent.text).toBe(202);
  return sent.body.id;
}
const reached = (id: string, status: string, partner = 0) =>
  until(async () => {
    const message = await get(`/messages/${id}`, partner);
    return message.status === status ? message : undefined;
  });
const timesOf = async (id: string, type: string): Promise<readonly number[]> =>
  (await get(`/messages/${id}/timeline`)).data
    .filter((entry: Entry) => entry.type === type)
    .map(({ timestamp }: Entry) => Date.parse(timestamp));

it("What an advance goes over happens in the order of its times, what follows from it too, each at its own instant", async () => {
  const endpoint = await post("/webhook-endpoints", { url: sink.url, types: ["message.sent"] });
  expect(endpoint.status, endpoint.text).toBe(201);
  const begun = await advance(0);
  const [late, flaky, waits] = [
    await send({ to: "+15550110001", send_at: inSeconds(begun, 90) }),
    await send({ to: "+15550110004", send_at: inSeconds(begun, 40) }),
    await send({ to: "+15550120001", send_at: inSeconds(begun, 50) }, 1),
  ];
  const now = await advance(120);
  expect(now - begun).toBeGreaterThanOrEqual(120_000);
  await Promise.all([reached(late, "delivered"), reached(flaky, "delivered")]);

  const sent = await until(async () => {
    const { data } = await get("/events?types=message.sent");
    return data.length >= 2 && (data as readonly (Entry & { sequence: number })[]);
  });
  expect(sent.map(({ data }) => data["message_id"])).toEqual([flaky, late]);
  expect(sent[1]!.timestamp).toBe(inSeconds(begun, 90));
  expect((await get(`/messages/${late}`)).sent_at).toBe(inSeconds(begun, 90));
  const failed = await timesOf(flaky, "DispatchAttemptFailed");
  expect(failed[0]).toBe(begun + 40_000);
  const tried = [...failed, Date.parse(sent[0]!.timestamp)].map((time) => time - begun - 40_000);
  expect(tried[1], "half of two seconds at least").toBeGreaterThanOrEqual(1_000);
  expect(tried[1]).toBeLessThanOrEqual(2_000);
  expect(tried[2]! - tried[1]!, "half of ten").toBeGreaterThanOrEqual(5_000);
  expect(tried[2]! - tried[1]!).toBeLessThanOrEqual(10_001);
  const [delivered] = await timesOf(late, "MessageDelivered");
  expect(delivered! - begun).toBeGreaterThan(90_000);
  expect(delivered! - begun).toBeLessThan(91_000);

  expect((await get(`/messages/${waits}`, 1)).status, "another partner's").toBe("scheduled");
  const [hook] = await until(() => (sink.requests.length >= 2 ? sink.requests : undefined));
  expect(JSON.parse(hook!.body.toString()).timestamp).toBe(sent[0]!.timestamp);
  const signedAt = Number(hook!.headers["webhook-timestamp"]) * 1_000;
  expect(Math.abs(signedAt - Date.now()), "signed in real time").toBeLessThan(60_000);
});

it("All retries of an advance end within it, and the refund too", async () => {
  const id = await send({ to: "+15550110005" });
  await until(async () => (await get(`/messages/${id}`)).attempts === 1);
  const accepted = Date.parse((await get(`/messages/${id}`)).created_at);
  await advance(600);
  const failed = await reached(id, "failed");
  expect(failed).toMatchObject({ attempts: 6, refund: { currency: "USD" } });
  const times = await timesOf(id, "DispatchAttemptFailed");
  expect(times.toSorted((one, other) => one - other)).toEqual(times);
  expect(times.at(-1)! - accepted).toBeGreaterThan(140_000);
  expect(times.at(-1)! - accepted).toBeLessThan(283_000);
});

it("A message is made, and expires, by the clock of its sandbox", async () => {
  const now = await advance(3_600);
  const id = await send({ to: "+15550110013", validity_seconds: 300 });
  const { created_at } = await get(`/messages/${id}`);
  expect(Date.parse(created_at)).toBeGreaterThanOrEqual(now);
  expect(Date.parse(created_at) - now).toBeLessThan(30_000);
  await until(async () => (await get(`/messages/${id}/timeline`)).data.length >= 2);
  await advance(299);
  expect((await get(`/messages/${id}`)).status).toBe("queued");
  await advance(10);
  await reached(id, "expired");
  expect(await timesOf(id, "MessageExpired")).toEqual([Date.parse(created_at) + 300_000]);
  expect((await get(`/messages/${id}`)).updated_at).toBe(inSeconds(Date.parse(created_at), 300));
});

it("What is scheduled is held against that clock too", async () => {
  const now = await advance(0);
  const soon = {
    channel: "sms",
    to: "+15550110001",
    text: "x",
    send_at: inSeconds(Date.now(), 60),
  };
  expect((await post("/messages", soon)).body.errors[0].path, "past there").toBe("send_at");
  const id = await send({ ...soon, send_at: inSeconds(now, 60) });
  expect((await get(`/messages/${id}`)).status).toBe("scheduled");
  await post(`/messages/${id}/cancel`, {});
  await advance(120);
  expect((await get(`/messages/${id}`)).status).toBe("canceled");
});

it("A conversation's rest ends when its time comes there", async () => {
  await post("/sandbox/inbound", { channel: "sms", from: "+15550137001", text: "Hi" });
  const { id } = await until(async () => (await get("/conversations")).data[0]);
  const rest = inSeconds(await advance(0), 7_200);
  expect((await post(`/conversations/${id}/snooze`, { until: rest })).status).toBe(200);
  await advance(7_100);
  expect((await get(`/conversations/${id}`)).status).toBe("snoozed");
  await advance(200);
  await until(async () => (await get(`/conversations/${id}`)).status === "open");
  const told = (await get(`/conversations/${id}/timeline`)).data;
  expect(told.at(-1)).toMatchObject({ type: "ConversationReopened", timestamp: rest });
});
