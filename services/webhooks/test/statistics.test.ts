import fc from "fast-check";
import { readSketch } from "@heliograph/domain";
import { expect, test } from "vitest";
import { statisticsView } from "../src/api/statistics.ts";
import { failure, outcomeOf, type Result } from "../src/result.ts";
import { hourOf, Tally } from "../src/tally.ts";
import { attemptOutcomes, type HourCounts } from "../src/tables/statistics.ts";

const hourMs = 3_600_000;
const id = "whe_1";

/** The table, as far as the tally's writes go: rows by their key, written whole. */
function table() {
  const rows = new Map<string, HourCounts>();
  return {
    rows,
    take(tally: Tally, now: number): void {
      for (const { name, values } of tally.take(now, now)) {
        if (name !== "hours") continue;
        const [ids, hours, parts, outcomes, durations] = values as [
          string[],
          string,
          string,
          Buffer[],
          Buffer[],
        ];
        const numbers = (text: string) => text.slice(1, -1).split(",").map(Number);
        for (const [at, endpoint] of ids.entries())
          rows.set(`${endpoint} ${numbers(hours)[at]} ${numbers(parts)[at]}`, {
            hour: numbers(hours)[at]!,
            outcomes: readSketch(outcomes[at]!),
            durations: readSketch(durations[at]!),
          });
      }
    },
  };
}
const nothing = { count: 0, oldest: null, next: null };
type View = {
  windows: {
    window: string;
    attempts: number;
    delivered: number;
    success_rate: number | null;
    errors: object;
    duration_ms: { p50: number | null; p95: number | null };
  }[];
};
const shown = (rows: Iterable<HourCounts>, now: number): View =>
  statisticsView(id, [...rows], nothing, now) as View;

test("Statistics are those of the attempts, whenever they were written and however often the process began anew", () => {
  const attempt = fc.record({
    outcome: fc.constantFrom(...attemptOutcomes),
    durationMs: fc.integer({ min: 0, max: 15_000 }),
    after: fc.integer({ min: 0, max: 40 * hourMs }),
    next: fc.constantFrom("go on", "write", "restart"),
  });
  fc.assert(
    fc.property(fc.array(attempt, { maxLength: 40 }), (attempts) => {
      const { rows, take } = table();
      let tally = new Tally();
      let now = 1_800_000_000_000;
      const made = attempts.map((each) => {
        now += each.after;
        tally.count(id, each.outcome, each.durationMs, now);
        if (each.next !== "go on") take(tally, now);
        if (each.next === "restart") tally = new Tally();
        return { ...each, hour: hourOf(now) };
      });
      take(tally, now);
      for (const [at, hours] of [1, 24, 168, 720].entries()) {
        const inside = made.filter(({ hour }) => hour >= hourOf(now - hours * hourMs));
        const good = inside.filter(({ outcome }) => outcome === "delivered").length;
        const window = shown(rows.values(), now).windows[at]!;
        expect([window.attempts, window.delivered]).toEqual([inside.length, good]);
        for (const name of attemptOutcomes.slice(1))
          expect((window.errors as Record<string, number>)[name] ?? 0).toBe(
            inside.filter(({ outcome }) => outcome === name).length,
          );
      }
    }),
    { numRuns: 30 },
  );
});

test("Percentiles are of all attempts of a window, within 5 %", () => {
  const { rows, take } = table();
  const tally = new Tally();
  const now = 1_800_000_000_000;
  for (let at = 1; at <= 100; at++) {
    tally.count(id, at > 90 ? "timeout" : "delivered", at > 90 ? 15_000 : at * 10, now);
    if (at % 7 === 0) take(tally, now);
  }
  take(tally, now);
  const [hour] = shown(rows.values(), now).windows;
  expect(hour).toMatchObject({ success_rate: 0.9, errors: { timeout: 10 } });
  expect(Math.abs(hour!.duration_ms.p50! - 500)).toBeLessThanOrEqual(27);
  expect(Math.abs(hour!.duration_ms.p95! - 15_000)).toBeLessThanOrEqual(750);
  expect(shown([], now).windows[0]).toMatchObject({ attempts: 0, success_rate: null, errors: {} });
});

test("A busy endpoint has one row an hour, and what is older than a month goes when an hour begins", () => {
  const { rows, take } = table();
  const tally = new Tally();
  const now = 1_800_000_000_000;
  for (let at = 0; at < 1_000; at++) {
    tally.count(id, "delivered", 5, now + at);
    take(tally, now + at);
  }
  expect(rows.size).toBe(1);
  tally.count(id, "delivered", 5, now + hourMs);
  const forgets = tally.take(now + hourMs, 0).find(({ name }) => name === "forget_hours");
  expect(forgets?.values).toEqual([[id], hourOf(now + hourMs) - 31 * 24]);
  expect(tally.take(now + hourMs, 0)).toEqual([]);
});

test("What a receiver makes an error say can be kept, wherever it is cut", () => {
  const long = failure(new Error(`${"x".repeat(299)}😀`));
  expect(long).toMatchObject({ message: `${"x".repeat(299)}\u{fffd}` });
  expect(failure(new Error("a\0b"))).toMatchObject({ message: "a\u{fffd}b" });
});

test.each<[Result, string | undefined]>([
  [{ type: "answer", status: 204, excerpt: "", retryAfterMs: undefined }, "delivered"],
  [{ type: "answer", status: 302, excerpt: "", retryAfterMs: undefined }, "redirect_not_followed"],
  [{ type: "answer", status: 429, excerpt: "", retryAfterMs: undefined }, "status_4xx"],
  [{ type: "answer", status: 503, excerpt: "", retryAfterMs: undefined }, "status_5xx"],
  [{ type: "error", code: "dns_failed", message: "" }, "dns_failed"],
  [{ type: "error", code: "shutdown", message: "" }, undefined],
  [{ type: "error", code: "endpoint_closed", message: "" }, undefined],
])("%j counts as %s", (result, outcome) => expect(outcomeOf(result)).toBe(outcome));
