import { newId } from "@heliograph/contracts";
import { until, webhookSink, type WebhookSink } from "@heliograph/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, onTestFinished, vi } from "vitest";
import { prune } from "../src/prune.ts";
import { openStore } from "../src/store.ts";
import { openHarness, type Harness } from "./harness.ts";

let h: Harness;
let sink: WebhookSink;
beforeAll(async () => {
  // The second attempt of a schedule is five seconds away, the third five minutes: none of them comes by itself here.
  h = await openHarness({ retryScale: 1, resolve: async () => ["127.0.0.1"] });
  await h.start();
});
afterAll(() => h.close());
beforeEach(async () => {
  sink = await webhookSink();
  h.newPartner();
});
afterEach(() => sink.close());

const retry = (endpointId: string, deliveryId: string, metadata: object = {}) =>
  h.endpointEvent(endpointId, "WebhookRetryRequested", { delivery_id: deliveryId }, metadata);
/** Lets the next request wait for its answer. */
function held(status: number): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  sink.behave(async () => {
    await promise;
    return { type: "answer", status };
  });
  return resolve;
}
const codes = async (endpointId: string) =>
  (await h.deliveries(endpointId)).map(({ attempts }) =>
    attempts.map(({ status_code }) => status_code),
  );

it("a retry that is asked for while an attempt is in the air is made at once when that fails, and its time is told apart", async () => {
  sink.behave({ type: "answer", status: 500 });
  const { id } = await h.endpoint(`http://receiver.example:${sink.port}/`);
  await h.event();
  const [delivery] = await h.settled(id, "pending");
  const answer = held(503);
  await retry(id, delivery!.id);
  await until(() => sink.requests.length === 2);
  await retry(id, delivery!.id);
  await h.caughtUp();
  sink.behave({ type: "answer" });
  answer();
  const [ended] = await h.settled(id, "delivered", 1, 3_000);
  expect(ended!.attempts.map(({ status_code }) => status_code)).toEqual([500, 503, 200]);
  const [first, second] = ended!.attempts.map(({ timing }) => Object.keys(timing!));
  expect(first).toEqual(["dns_ms", "connect_ms", "first_byte_ms"]);
  expect(second).toEqual(["first_byte_ms"]);
});

it("no attempt is lost where one ends while the next is made ready", async () => {
  const { id } = await h.endpoint(sink.url);
  await h.event();
  const [delivery] = await h.settled(id, "delivered");
  const answer = held(500);
  await retry(id, delivery!.id);
  await until(() => sink.requests.length === 2);
  // Its body is built from the log again, which takes its time.
  const { promise, resolve } = Promise.withResolvers<void>();
  const readAt = h.log.readAt.bind(h.log);
  let asked = false;
  h.log.readAt = async (position) => {
    asked = true;
    await promise;
    return readAt(position);
  };
  await retry(id, delivery!.id);
  await until(() => asked);
  sink.behave({ type: "answer" });
  answer();
  await until(async () => (await codes(id))[0]!.length === 2);
  resolve();
  h.log.readAt = readAt;
  await until(async () => (await codes(id))[0]!.length === 3);
  expect(await codes(id)).toEqual([[200, 500, 200]]);
});

it.each([
  ["one by one", {}],
  ["in batches", { batch: { max_events: 2, max_wait_ms: 50 } }],
])(
  "a replay that is canceled sends no more, %s, and what it was to repeat is what it was",
  async (_, more) => {
    const { id } = await h.endpoint(sink.url, { concurrency_limit: 1, ...more });
    for (let at = 0; at < 6; at++) await h.event();
    const deliveries = await h.settled(id, "delivered", 6);
    const before = sink.requests.length;
    const answer = held(200);
    const correlation = newId("rpl");
    for (const delivery of deliveries) await retry(id, delivery.id, { correlation });
    await until(() => sink.requests.length === before + 1);
    await h.endpointEvent(id, "WebhookReplayCanceled", { replay_id: correlation });
    await h.caughtUp();
    answer();
    await h.settled(id, "delivered", 6);
    expect(sink.requests).toHaveLength(before + 1);
    const repeated = (await codes(id)).filter((each) => each.length > 1);
    expect(repeated.length).toBeLessThanOrEqual("batch" in more ? 2 : 1);

    // What waits in the table, after a failure.
    sink.behave({ type: "answer", status: 500 });
    const second = newId("rpl");
    await retry(id, deliveries[0]!.id, { correlation: second });
    await until(async () => (await h.deliveries(id)).some(({ status }) => status === "pending"));
    await h.endpointEvent(id, "WebhookReplayCanceled", { replay_id: second });
    await h.settled(id, "delivered", 6);

    // What is in the air, and fails.
    const fails = held(500);
    const third = newId("rpl");
    const attempts = async () => (await codes(id)).flat().length;
    const [sent, ended] = [sink.requests.length, await attempts()];
    await retry(id, deliveries[0]!.id, { correlation: third });
    await until(() => sink.requests.length === sent + 1);
    await h.endpointEvent(id, "WebhookReplayCanceled", { replay_id: third });
    await h.caughtUp();
    fails();
    await until(async () => (await attempts()) === ended + 1);
    await h.settled(id, "delivered", 6);
  },
);

it("a replay that is canceled is not brought back from the table, however much of it waits there", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  sink.behave(async ({ path }) => {
    if (path === "/moved") await promise;
    return { type: path === "/slow" ? "hang" : "answer" };
  });
  const { id } = await h.endpoint(sink.url, { concurrency_limit: 1 });
  await h.event();
  const [delivery] = await h.settled(id, "delivered");
  const replay = newId("rpl");
  // More than are read at once.
  await h.pool.query(
    `insert into webhooks.deliveries (id, endpoint_id, partner, event_id, type, position, sequence, status, attempts, next_attempt_at, body, created_at, replay, before)
      select id || n, endpoint_id, partner, event_id, type, position, sequence, 'pending', '[]', 0, '{}', created_at, $2, 'discarded'
      from webhooks.deliveries, generate_series(1, 300) n where id = $1`,
    [delivery!.id, replay],
  );
  const count = async (status: string) =>
    (await h.deliveries(id)).filter((each) => each.status === status).length;
  await h.endpointEvent(id, "WebhookEndpointUpdated", {
    url: `${sink.url}/moved`,
    status: "enabled",
    concurrency_limit: 1,
  });
  await until(() => sink.requests.length === 2);
  // The delivery that gets no answer holds up the write that ends what waits in the table.
  await h.endpoint(`${sink.url}/slow`);
  await h.event();
  await h.endpointEvent(id, "WebhookReplayCanceled", { replay_id: replay });
  await until(async () => (await count("discarded")) > 0);
  resolve();
  await until(async () => (await count("pending")) === 0 && (await count("delivered")) >= 3);
  const replayed = sink.requests.filter(({ headers }) => headers["heliograph-replay"] === replay);
  expect(replayed).toHaveLength(1);
  expect([await count("discarded"), await count("delivered")]).toEqual([299, 3]);
});

it("a replay that is canceled while its endpoint is being disabled, which fails, is over", async () => {
  const { id } = await h.endpoint(sink.url);
  await h.event();
  const [delivery] = await h.settled(id, "delivered");
  sink.behave({ type: "answer", status: 410 });
  const { promise, reject } = Promise.withResolvers<never>();
  const append = h.log.append.bind(h.log);
  let asked = false;
  h.log.append = (appends) => {
    const disables = appends.some(({ events }) =>
      events.some(({ type }) => type === "WebhookEndpointDisabled"),
    );
    asked ||= disables;
    return disables ? promise : append(appends);
  };
  const correlation = newId("rpl");
  await retry(id, delivery!.id, { correlation });
  await until(() => asked);
  await h.endpointEvent(id, "WebhookReplayCanceled", { replay_id: correlation });
  await h.caughtUp();
  reject(new Error("the log is away"));
  await until(async () => (await codes(id))[0]!.length === 2);
  h.log.append = append;
  await h.settled(id, "delivered");
});

it("what a replay that is canceled stood before is sent, in the order of its subject and for another replay", async () => {
  const ordered = await h.endpoint(sink.url, { ordering: "per_subject" });
  const subject = newId("msg");
  await h.eventOf(subject);
  const [delivery] = await h.settled(ordered.id, "delivered");
  sink.behave({ type: "answer", status: 500 });
  const correlation = newId("rpl");
  await retry(ordered.id, delivery!.id, { correlation });
  await until(async () => (await h.deliveries(ordered.id))[0]!.status === "pending");
  await h.eventOf(subject);
  await until(async () => (await h.deliveries(ordered.id)).length === 2);
  sink.behave({ type: "answer" });
  await h.endpointEvent(ordered.id, "WebhookReplayCanceled", { replay_id: correlation });
  await h.settled(ordered.id, "delivered", 2, 3_000);
  await h.endpointEvent(ordered.id, "WebhookEndpointDeleted");

  const { id } = await h.endpoint(sink.url, { concurrency_limit: 1 });
  await h.event();
  await h.event();
  const deliveries = await h.settled(id, "delivered", 2);
  const before = sink.requests.length;
  const answer = held(200);
  const [first, second] = [newId("rpl"), newId("rpl")];
  for (const each of deliveries) await retry(id, each.id, { correlation: first });
  await until(() => sink.requests.length === before + 1);
  await retry(id, deliveries[1]!.id, { correlation: second });
  await h.endpointEvent(id, "WebhookReplayCanceled", { replay_id: first });
  await h.caughtUp();
  answer();
  await until(() => sink.requests.length === before + 2);
  expect(sink.requests.at(-1)!.headers["heliograph-replay"]).toBe(second);
  await h.settled(id, "delivered", 2);
});

it("what waits by itself goes on when a replay of it is canceled, and what was discarded is that again", async () => {
  const { id } = await h.endpoint(sink.url);
  await h.event();
  const [discarded] = await h.settled(id, "delivered");
  await h.pool.query("update webhooks.deliveries set status = 'discarded' where id = $1", [
    discarded!.id,
  ]);
  sink.behave({ type: "answer", status: 500 });
  await h.event();
  await until(async () => (await h.deliveries(id)).length === 2);
  const correlation = newId("rpl");
  for (const each of await h.deliveries(id)) await retry(id, each.id, { correlation });
  await until(async () => (await codes(id)).every(({ length }) => length === 2));
  await h.endpointEvent(id, "WebhookReplayCanceled", { replay_id: correlation });
  await until(async () => (await h.deliveries(id))[1]!.status === "discarded");
  const { rows } = await h.pool.query(
    "select status, next_attempt_at is not null as has_time from webhooks.deliveries where endpoint_id = $1 order by position",
    [id],
  );
  expect(rows).toEqual([
    { status: "discarded", has_time: false },
    { status: "pending", has_time: true },
  ]);
});

it("a replay sends what an endpoint missed while it was disabled", async () => {
  const { id } = await h.endpoint(sink.url);
  const data = { url: sink.url };
  await h.endpointEvent(id, "WebhookEndpointUpdated", { ...data, status: "disabled" });
  await h.event();
  const [missed] = await h.settled(id, "discarded");
  expect(missed!.attempts).toEqual([]);
  await h.endpointEvent(id, "WebhookEndpointUpdated", { ...data, status: "enabled" });
  await h.caughtUp();
  expect(sink.requests).toHaveLength(0);
  await retry(id, missed!.id, { correlation: newId("rpl") });
  const [sent] = await h.settled(id, "delivered");
  expect([sent!.id, sink.requests.length]).toEqual([missed!.id, 1]);
});

it("deliveries that are over go when they are old, and none that waits or that the checkpoint is not past", async () => {
  const { id } = await h.endpoint(sink.url);
  await h.event();
  await h.event();
  const [newest] = await h.settled(id, "delivered", 2);
  sink.behave({ type: "answer", status: 500 });
  await h.event();
  await until(async () => (await h.deliveries(id)).length === 3);
  const store = openStore(h.pool, "webhooks");
  const left = async (before: number, upTo: bigint) => {
    await prune(store, before, upTo);
    return (await h.deliveries(id)).map(({ status }) => status);
  };
  const [past, future] = [Date.now() - 60_000, Date.now() + 60_000];
  const all = ["pending", "delivered", "delivered"];
  expect(await left(past, 1_000_000n)).toEqual(all);
  expect(await left(future, BigInt(newest!.position) - 1n)).toEqual(["pending", "delivered"]);
  expect(await left(future, 1_000_000n)).toEqual(["pending"]);
});

it("a clock that is set back makes no retry wait for as long, also over a restart", async () => {
  const hourMs = 3_600_000;
  let backMs = 0;
  const now = Date.now;
  const clock = vi.spyOn(Date, "now").mockImplementation(() => now() - backMs);
  onTestFinished(() => clock.mockRestore());
  const { id } = await h.endpoint(sink.url);
  sink.behave({ type: "answer", status: 500 });
  await h.event();
  await h.settled(id, "pending");
  await until(async () => (await codes(id))[0]!.length === 1);
  backMs = hourMs;
  sink.behave({ type: "answer" });
  // Something happens, so it is noticed before the retry was due anyway.
  await h.event();
  await h.settled(id, "delivered", 2);

  // A wait that is longer than what the clock is set back by.
  const { id: long } = await h.endpoint(sink.url);
  const headers = { "retry-after": String((3 * hourMs) / 1_000) };
  sink.behave({ type: "answer", status: 503, headers });
  const waitLong = (count: number) =>
    until(async () => {
      const found = await h.deliveries(long);
      const waits = found.map((each) => Date.parse(each.next_attempt_at ?? "") - Date.now());
      return waits.filter((ms) => ms > 2.9 * hourMs && ms <= 3 * hourMs).length === count;
    });
  await h.event();
  await waitLong(1);
  backMs += hourMs;
  await h.event();
  await waitLong(2);
  // Nor over a restart, after which nobody knows what the clock was.
  await h.stop();
  backMs += hourMs;
  await h.start();
  await waitLong(2);
});
