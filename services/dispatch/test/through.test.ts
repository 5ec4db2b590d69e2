import type { GatewayConfig } from "@heliograph/gateways";
import { deterministicId } from "@heliograph/contracts";
import { expect, test } from "vitest";
import { createBucket, noBucket } from "../src/bucket.ts";
import type { Connection } from "../src/connections.ts";
import { choose } from "../src/choose.ts";
import { explained, healthNow, withRoom } from "../src/explained.ts";
import { simulator } from "./harness.ts";
import { loneConnections } from "./lone-connections.ts";

const via: GatewayConfig = {
  ...simulator("telegram"),
  gateway_id: deterministicId("gtw", "via"),
  environment: "live",
  name: "via",
  kind: "log",
  max_per_second: 5,
};
const news: GatewayConfig = {
  ...via,
  gateway_id: deterministicId("gtw", "news"),
  name: "news",
  channel: "broadcast",
  kind: "broadcast",
  max_per_second: 100,
  settings: { via: via.gateway_id, per_second: 50 },
};

test("what goes through another gateway has the rates of both, and is a call of that one too", async () => {
  let now = 0;
  const connections = loneConnections({
    environment: "live",
    now: () => now,
    bucketOf: ({ max_per_second: rate }) => (rate === undefined ? noBucket : createBucket(rate, 0)),
  });
  connections.reconcile([news, via], []);
  const [one, other] = ["news", "via"].map((name) => connections.byName(name)!) as [
    Connection,
    Connection,
  ];
  expect(one.config.max_per_second).toBe(50);
  one.bucket.take();
  expect([one.full, other.full]).toEqual([true, true]);
  // Its own next permit is there, and the one of the other is not.
  now = 20;
  expect([one.full, one.bucket.nextAt(now)]).toEqual([true, 200]);
  now = 220;
  expect([one.full, other.full]).toEqual([false, false]);
  other.bucket.take();
  expect(one.full).toBe(true);

  const attempt = {
    attemptId: "atp_1",
    messageId: "msg_1",
    attempt: 1,
    channel: "broadcast",
    to: "spring-news",
    content: { text: "Hello" },
    partner: "ptn_one",
  } as const;
  const send = () => one.gateway.send(attempt, new AbortController().signal);
  const sent = send();
  expect(other.open).toBe(1);
  expect((await sent).type).toBe("accepted");
  expect(other.open).toBe(0);

  other.rest.throttled({ to: "1", throttles: "gateway", retryAfterMs: 60_000 }, now);
  expect([other.unhealthy, other.nextAt()]).toEqual([
    "throttled by its provider until 1970-01-01T00:01:00.220Z",
    60_220,
  ]);

  connections.reconcile([news, { ...via, enabled: false }], []);
  expect((await send()).type).toBe("unavailable");
  expect(one.bucket.nextAt(now)).toBe(now);
  await connections.close();
});

test("an explanation takes no gateway whose own one is disabled or gone, and says so", () => {
  const explain = (
    gateways: readonly GatewayConfig[],
    breaker: "closed" | "open" = "closed",
    slow: string | null = null,
    until: Date | null = null,
  ) => {
    const candidates = [
      withRoom(news, healthNow(news, gateways, { breaker, slow, throttled_until: until }, 1_000)),
    ];
    const found = { candidates, policy: "priority", failover: false } as const;
    return explained(found as never, choose(found as never, [], 0));
  };
  expect(explain([news, via])).toMatchObject({ gateway: "news" });
  expect(explain([news, via], "open")).toMatchObject({
    gateway: null,
    considered: [{ gateway: "news", verdict: "its circuit breaker is open" }],
  });
  expect(explain([news, via], "open", "it is slow"), "there is no other").toMatchObject({
    gateway: "news",
    reason: "the only gateway of the channel, although it is slow",
  });
  expect(explain([news, { ...via, enabled: false }])).toMatchObject({
    gateway: null,
    considered: [{ gateway: "news", verdict: "via is disabled" }],
  });
  expect(explain([news])).toMatchObject({ gateway: null });
  expect(explain([news, via], "closed", null, new Date(1_000))).toMatchObject({ gateway: "news" });
  const verdict = "throttled by its provider until 1970-01-01T00:00:01.001Z";
  expect(explain([news, via], "open", null, new Date(1_001))).toMatchObject({
    gateway: null,
    considered: [{ gateway: "news", verdict }],
  });
});
