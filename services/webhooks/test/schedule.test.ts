import { describe, expect, it } from "vitest";
import { attemptDelaysMs, coolingMs, judge } from "../src/schedule.ts";
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
          attemptDelaysMs[attempts]! * factor,
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

  it("reads Retry-After as seconds or as a date", () => {
    const now = Date.UTC(2026, 0, 1);
    expect(retryAfter("120", now)).toBe(120_000);
    expect(retryAfter("Thu, 01 Jan 2026 00:01:00 GMT", now)).toBe(60_000);
    expect(retryAfter("Wed, 31 Dec 2025 00:00:00 GMT", now)).toBe(0);
    for (const nonsense of ["soon", "-5", "", undefined])
      expect(retryAfter(nonsense, now)).toBeUndefined();
  });

  it("cools an endpoint after three failures in a row, for 5 s doubling up to a minute", () => {
    expect([1, 2, 3, 4, 5, 6, 7, 1_000].map((failures) => coolingMs(failures, 0.5, 1))).toEqual([
      0, 0, 5_000, 10_000, 20_000, 40_000, 60_000, 60_000,
    ]);
    expect(coolingMs(9, 0.5, 0)).toBe(0);
  });
});
