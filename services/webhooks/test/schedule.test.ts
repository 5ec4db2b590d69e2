import { webhookDelaysMs } from "@heliograph/contracts";
import { describe, expect, it } from "vitest";
import { coolingMs, judge } from "../src/schedule.ts";
import { retryAfter, type Result } from "../src/result.ts";

const answer = (status: number, retryAfterMs?: number): Result => ({
  type: "answer",
  status,
  excerpt: "",
  retryAfterMs,
});
const reset: Result = { type: "error", code: "connection_failed", message: "reset" };

describe("what follows an attempt", () => {
  it("takes 2xx alone for success", () => {
    for (const status of [200, 201, 204, 299])
      expect(judge(answer(status), 1, 0, 0.5, 1).type).toBe("delivered");
    for (const status of [300, 301, 400, 404, 500])
      expect(judge(answer(status), 1, 0, 0.5, 1).type).toBe("retry");
    expect(judge(answer(410), 1, 0, 0.5, 1).type).toBe("gone");
    expect(judge(reset, 1, 0, 0.5, 1).type).toBe("retry");
  });

  it("spaces ten attempts by the schedule, ±20 %, and then gives up", () => {
    for (let attempts = 1; attempts < 10; attempts++)
      for (const [random, factor] of [
        [0, 0.8],
        [0.5, 1],
        [0.999999, 1.2],
      ] as const) {
        const verdict = judge(reset, attempts, 1_000, random, 1);
        expect(verdict.type === "retry" && verdict.at - 1_000).toBeCloseTo(
          webhookDelaysMs[attempts]! * factor,
          -3,
        );
      }
    expect(judge(reset, 10, 0, 0.5, 1).type).toBe("failed");
  });

  it("honours Retry-After unscaled, never sooner than the schedule and never for more than a day", () => {
    expect(judge(answer(429, 60_000), 1, 0, 0.5, 0.001)).toEqual({
      type: "retry",
      at: 60_000,
      endpointWaitsUntil: 60_000,
    });
    expect(judge(answer(503, 1_000), 2, 0, 0.5, 1)).toMatchObject({ at: 300_000 });
    expect(judge(answer(503, 1e12), 1, 0, 0.5, 1)).toMatchObject({ at: 86_400_000 });
  });

  it("reads Retry-After as seconds, however many digits", () => {
    const now = Date.UTC(2026, 0, 1);
    expect(retryAfter("120", now)).toBe(120_000);
    for (const long of ["1000000000", "9".repeat(400)])
      expect(judge(answer(429, retryAfter(long, now)), 1, 0, 0.5, 1)).toMatchObject({
        at: 86_400_000,
      });
    for (const nonsense of ["soon", "-5", "+5", "1.5", "1e3", "0x10", "", undefined])
      expect(retryAfter(nonsense, now)).toBeUndefined();
  });

  it("reads the three forms of HTTP dates as UTC, whatever the zone of this machine, and no other", () => {
    const now = Date.UTC(2026, 10, 28, 14, 33, 9);
    const zone = process.env["TZ"];
    try {
      for (const local of ["America/New_York", "Asia/Tokyo", "UTC"]) {
        process.env["TZ"] = local;
        for (const soon of [
          "Sat, 28 Nov 2026 14:33:15 GMT",
          "Saturday, 28-Nov-26 14:33:15 GMT",
          "Sat Nov 28 14:33:15 2026",
        ])
          expect(retryAfter(soon, now), `${soon} in ${local}`).toBe(6_000);
        expect(retryAfter("Tue Dec  1 14:33:09 2026", now)).toBe(3 * 86_400_000);
        expect(retryAfter("Sunday, 06-Nov-94 08:49:37 GMT", now)).toBe(0);
        expect(retryAfter("Wed, 31 Dec 2025 00:00:00 GMT", now)).toBe(0);
        for (const other of [
          "Sat, 28 Nov 2026 14:33:15",
          "Sat, 28 Nov 2026 14:33:15 EST",
          "Sat, 28 Nov 2026 14:33:15 +0000",
          "28 Nov 2026 14:33:15 GMT",
          "Mon, 30 Feb 2027 00:00:00 GMT",
          "Sat, 28 Nov 2026 24:33:15 GMT",
          "Sep 2027",
          "Jan 1 2030",
          "2026-11-28T14:33:15Z",
        ])
          expect(retryAfter(other, now), other).toBeUndefined();
      }
    } finally {
      if (zone === undefined) delete process.env["TZ"];
      else process.env["TZ"] = zone;
    }
  });

  it("cools an endpoint after three failures in a row, for 5 s doubling up to a minute", () => {
    expect([1, 2, 3, 4, 5, 6, 7, 1_000].map((failures) => coolingMs(failures, 0.5, 1))).toEqual([
      0, 0, 5_000, 10_000, 20_000, 40_000, 60_000, 60_000,
    ]);
    expect(coolingMs(9, 0.5, 0)).toBe(0);
  });
});
