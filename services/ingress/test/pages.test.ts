import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { services } from "../src/index.ts";
import { sms } from "./sending.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld({ services });
});
afterAll(() => world.close());

test("prices are shown, and a first 402 says how to top up", async () => {
  const poor = await world.addPartner({ funds: "0.001" });
  const prices = await world.call("GET", "/api/v1/prices", { key: poor.key });
  expect(prices.body.entries).toContainEqual({
    channel: "sms",
    prefix: "1",
    per_segment: "0.0079",
  });
  const refused = await world.call("POST", "/api/v1/messages", { key: poor.key, body: sms });
  expect([refused.status, refused.body.cost]).toEqual([402, "0.0079"]);
  expect(refused.body.detail).toContain("POST /api/v1/wallet/topups");
});

test("a channel without a gateway names the setting that an operator has to make", async () => {
  const { id } = await world.addPartner();
  const key = await world.addKey(id, { environment: "live" });
  const refused = await world.call("POST", "/api/v1/messages", { key, body: sms });
  expect(refused.body).toMatchObject({
    code: "channel_not_enabled",
    errors: [{ path: "channel" }],
  });
  expect(refused.body.detail).toContain("HELIOGRAPH_LOG_GATEWAY_CHANNELS=sms");
});

test("metrics tell how many requests there were, how long they took and which build answers", async () => {
  const { key } = await world.addPartner();
  await world.call("GET", "/api/v1/balance", { key });
  await world.call("GET", "/api/v1/no-such-thing", { key });
  const { text } = await world.call("GET", "/metrics");
  expect(text).toMatch(
    /heliograph_http_request_seconds_count\{method="GET",route="\/balance",status="200"\} [1-9]/,
  );
  // Addresses from outside are one line, however many there are.
  expect(text).toMatch(
    /heliograph_http_request_seconds_count\{method="",route="",status="404"\} [1-9]/,
  );
  expect(text).not.toContain("no-such-thing");
  expect(text).toMatch(/heliograph_build_info\{version="[\d.]+",node="[\d.]+"\} 1/);
});
