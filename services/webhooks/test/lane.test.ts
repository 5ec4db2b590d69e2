import { randomBytes } from "node:crypto";
import { evolveEndpoint, type Endpoint } from "@heliograph/domain";
import { describe, expect, it } from "vitest";
import { Connections } from "../src/connections.ts";
import type { Job } from "../src/job.ts";
import { Lanes } from "../src/lanes.ts";
import {
  failed,
  gate,
  isHealthy,
  newLane,
  setBack,
  succeeded,
  type Lane,
  waitsLong,
} from "../src/lane.ts";

const endpoint = evolveEndpoint(undefined, {
  type: "WebhookEndpointCreated",
  data: { endpoint_id: "whe_1", url: "https://a.example/", secret: "none", created_at: "" },
  metadata: { partner: "ptn_1" },
  recordedAt: 0,
})!;
const laneOf = (more: Partial<Endpoint> = {}): Lane =>
  newLane({ ...endpoint, ...more }, randomBytes(32), 0);
/** An attempt that began at a time and failed 10 ms later. */
const fail = (lane: Lane, startedAt: number): void =>
  failed(lane, startedAt, startedAt + 10, 0.5, 1);

describe("how much an endpoint is trusted", () => {
  it("grows by one request with each success that used all there were", () => {
    const lane = laneOf();
    expect(lane.limit).toBe(4);
    lane.active = 4;
    succeeded(lane);
    expect(lane.limit).toBe(5);
    lane.active = 1;
    succeeded(lane);
    expect(lane.limit).toBe(5);
    for (let index = 0; index < 50; index++) {
      lane.active = lane.limit;
      succeeded(lane);
    }
    expect(lane.limit).toBe(32);
  });

  it("is halved by each failure, down to one request", () => {
    const lane = laneOf();
    lane.limit = 32;
    const limits = Array.from({ length: 7 }, (_, index) => {
      fail(lane, index * 100);
      return lane.limit;
    });
    expect(limits).toEqual([16, 8, 4, 2, 1, 1, 1]);
  });

  it("is left to cool no longer nor its table unread, when the clock is set back by an hour", () => {
    const lane = laneOf({ rate_limit: 10 });
    const hourMs = 3_600_000;
    for (const startedAt of [0, 100, 200]) fail(lane, hourMs + startedAt);
    expect(lane.waitUntil).toBe(hourMs + 210 + 5_000);
    lane.nextDue = hourMs + 300_000;
    setBack(lane, hourMs);
    expect(lane.nextDue).toBe(300_000);
    expect(gate(lane, 5_209)).toBe("time");
    expect(gate(lane, 5_210)).toBe("open");
    fail(lane, 5_210);
    expect(lane.failures).toBe(4);
  });

  it("takes failures that were in the air together for one", () => {
    const lane = laneOf();
    fail(lane, 100); // failed at 110
    for (let index = 0; index < 5; index++) failed(lane, 109, 500 + index, 0.5, 1);
    expect(lane.failures).toBe(1);
    fail(lane, 110); // began when the first had failed
    expect(lane.failures).toBe(2);
    expect(isHealthy(lane)).toBe(true);
    expect(gate(lane, 120)).toBe("open");
    fail(lane, 200);
    expect(isHealthy(lane)).toBe(false);
    expect(lane.waitUntil).toBe(210 + 5_000);
    expect(gate(lane, 5_209)).toBe("time");
    expect(gate(lane, 5_210)).toBe("open");
    lane.active = 1; // the probe
    expect(gate(lane, 5_210)).toBe("busy");
    expect(waitsLong(lane, 5_210)).toBe(true);
    lane.active = 0;
    succeeded(lane);
    expect([isHealthy(lane), waitsLong(lane, 5_210)]).toEqual([true, false]);
  });

  it("is bounded by the endpoint's rate, a tenth of a second's requests at once", () => {
    const lane = laneOf({ rate_limit: 50 });
    const sentAt = (now: number): number => {
      let sent = 0;
      for (; gate(lane, now) === "open"; lane.tokens--) sent++;
      return sent;
    };
    expect(sentAt(0)).toBe(1);
    expect(sentAt(1_000)).toBe(5);
    expect(sentAt(1_019)).toBe(0);
    expect(sentAt(1_020)).toBe(1);
  });
});

describe("the limits that an owner sets", () => {
  it("let no more requests be in the air than allowed, and none of the trust be lost meanwhile", () => {
    const lane = laneOf({ concurrency_limit: 2 });
    expect(gate(lane, 0)).toBe("open");
    lane.active = 1;
    expect(gate(lane, 0)).toBe("open");
    lane.active = 2;
    expect(gate(lane, 0)).toBe("busy");
    lane.urgent.push({} as Job);
    expect(gate(lane, 0)).toBe("busy");
    succeeded(lane);
    expect(lane.limit).toBe(4);
    lane.endpoint = { ...lane.endpoint, concurrency_limit: 32 };
    expect(gate(lane, 0)).toBe("open");
    lane.active = 4; // more than trust has grown to is not allowed by a limit
    expect(gate(lane, 0)).toBe("busy");
  });

  it("let no second, wherever it begins, have more requests than the rate and a tenth", () => {
    for (const rate of [1, 7, 50]) {
      const lane = laneOf({ rate_limit: rate });
      const sentAt: number[] = [];
      // Idle, then as much as goes, then idle, and so on: the edges are where a limit lets twice as many by.
      for (let now = 0; now < 20_000; now++) {
        if (now % 3_000 < 950) continue;
        for (; gate(lane, now) === "open"; lane.tokens--) sentAt.push(now);
      }
      const most = Math.max(
        ...sentAt.map((from) => sentAt.filter((at) => at >= from && at < from + 1_000).length),
      );
      expect(most).toBeLessThanOrEqual(rate + Math.max(1, rate / 10));
      expect(sentAt.length).toBeGreaterThan(rate * 12);
    }
  });
});

describe("a request by hand", () => {
  it("is let through while the endpoint waits, within its limits", () => {
    const lane = laneOf();
    lane.waitUntil = 1_000;
    expect(gate(lane, 0)).toBe("time");
    lane.urgent.push({} as Job);
    expect(gate(lane, 0)).toBe("open");
    lane.active = lane.limit;
    expect(gate(lane, 0)).toBe("busy");
  });
});

it("opens its connections anew when HTTP/2 is switched on, and trusts the receiver as before", () => {
  const lanes = new Lanes(randomBytes(32), [endpoint]);
  const lane = lanes.lane(endpoint.id, 0)!;
  const nowhere = { host: "", port: 0, secure: true };
  lane.connections = new Connections(() => Promise.reject(new Error("nowhere")), nowhere);
  lane.limit = 9;
  lanes.set({ ...endpoint, description: "changed" });
  expect(lane.connections).toBeDefined();
  lanes.set({ ...endpoint, secrets: [], http2: true });
  expect(lane.connections).toBeUndefined();
  expect(lane.target.dial).toMatchObject({ host: "a.example", http2: true });
  expect(lane.limit).toBe(9);
});
