import { newId } from "@heliograph/contracts";
import { until, webhookSink, type WebhookSink } from "@heliograph/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
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
  },
);

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
