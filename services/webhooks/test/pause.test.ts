import { newId } from "@heliograph/contracts";
import { afterEach, beforeEach, expect, it } from "vitest";
import { until, webhookSink, type WebhookSink } from "@heliograph/testkit";
import { openHarness, type Harness } from "./harness.ts";

let h: Harness;
let first: WebhookSink;
let second: WebhookSink;
beforeEach(async () => {
  [first, second] = [await webhookSink(), await webhookSink()];
  h = await openHarness({ retryScale: 1 });
  await h.start();
});
afterEach(async () => {
  await h.close();
  await first.close();
  await second.close();
});

/** An endpoint whose receiver asked for an hour, with one delivery that was tried and two that wait in the table. */
async function paused(): Promise<{ id: string; firstDelivery: string }> {
  first.behave({ type: "answer", status: 503, headers: { "retry-after": "3600" } });
  const { id } = await h.endpoint(first.url);
  await h.event();
  const tried = await until(
    async () => (await h.deliveries(id))[0]?.attempts.length === 1 && h.deliveries(id),
  );
  await h.event();
  await h.event();
  for (const { next_attempt_at } of await h.settled(id, "pending", 3))
    expect(Date.parse(next_attempt_at!) - Date.now()).toBeGreaterThan(3_500_000);
  expect(first.requests).toHaveLength(1);
  return { id, firstDelivery: tried[0]!.id };
}

it("sends what is asked for by hand although the receiver asked for time, and nothing else", async () => {
  const { id, firstDelivery } = await paused();
  first.behave({ type: "answer", status: 200 });
  await h.endpointEvent(id, "WebhookRetryRequested", { delivery_id: firstDelivery });
  await until(() => first.requests.length === 2);
  const test = newId("whd");
  await h.endpointEvent(id, "WebhookTestRequested", { delivery_id: test, type: "message.sent" });
  await until(() => first.requests.length === 3);
  await until(
    async () =>
      (await h.deliveries(id)).filter(({ status }) => status === "delivered").length === 2,
  );
  // A replay asks for many: it keeps to the pause, as the two that wait do.
  await h.endpointEvent(
    id,
    "WebhookRetryRequested",
    { delivery_id: firstDelivery },
    { correlation: newId("rpl") },
  );
  await until(
    async () => (await h.deliveries(id)).filter(({ status }) => status === "pending").length === 3,
  );
  expect(first.requests).toHaveLength(3);
});

it("ends a pause with the URL of the receiver that asked for it", async () => {
  const { id } = await paused();
  await h.endpointEvent(id, "WebhookEndpointUpdated", { url: second.url, status: "enabled" });
  await h.event();
  await h.settled(id, "delivered", 4);
  expect(second.requests).toHaveLength(4);
  expect(first.requests).toHaveLength(1);
});

it("keeps a pause when something else of the endpoint is changed", async () => {
  const { id } = await paused();
  await h.endpointEvent(id, "WebhookEndpointUpdated", {
    url: first.url,
    description: "another",
    status: "enabled",
  });
  await h.event();
  await h.settled(id, "pending", 4);
  expect(first.requests).toHaveLength(1);
});

it("does not read from the table what waits in memory for a receiver that never answers", async () => {
  const rows: number[] = [];
  const query = h.pool.query.bind(h.pool) as (...args: unknown[]) => Promise<{ rows: unknown[] }>;
  h.pool.query = (async (...args: unknown[]) => {
    const result = await query(...args);
    if ((args[0] as { name?: string }).name?.startsWith("webhooks_pending"))
      rows.push(result.rows.length);
    return result;
  }) as typeof h.pool.query;
  first.behave({ type: "hang" });
  const { id } = await h.endpoint(first.url);
  for (let index = 0; index < 300; index++) await h.event();
  await h.settled(id, "pending", 300); // spilled, and still in memory
  await h.event();
  await h.settled(id, "pending", 301);
  expect(rows.reduce((sum, count) => sum + count, 0)).toBeLessThan(300);
});
