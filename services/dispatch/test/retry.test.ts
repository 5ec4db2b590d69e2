import { readFileSync } from "node:fs";
import type { Failure } from "@heliograph/contracts";
import type { Throttles } from "@heliograph/gateways";
import { expect, test } from "vitest";
import {
  backoffMs,
  decideRetry,
  deferred,
  nothingSpent,
  ordinary,
  scheduleOf,
  spend,
  tellsOfAbsence,
  tellsOfFault,
  type Spent,
} from "../src/retry.ts";

const failure = (changes: Partial<Failure> = {}): Failure => ({
  code: "x",
  class: "provider",
  permanent: false,
  ...changes,
});
const at = { now: 1_000, random: 0.5, scale: 1 };
const after = (failures: number, schedule = ordinary): Spent =>
  Array.from({ length: failures }).reduce<Spent>((spent) => spend(spent, schedule), nothingSpent);
const waits = (schedule: typeof ordinary, random: number, scale = 1) =>
  schedule.delaysMs.map((_, index) => backoffMs(schedule, index + 1, random, scale));

test("the documented table is the schedule", () => {
  const page = readFileSync(new URL("../../../docs/reference/retries.md", import.meta.url), "utf8");
  const units = { s: 1_000, min: 60_000, h: 3_600_000 };
  for (const { name, delaysMs, mostFailures } of [ordinary, deferred]) {
    const row = page.split("\n").find((line) => line.startsWith(`| ${name} |`))!;
    const documented = row.split("|")[3]!.split(", and so on")[0]!.split(",");
    expect(
      documented.map((wait) => {
        const [number, unit] = wait.trim().split(" ");
        return Number(number) * units[unit as keyof typeof units];
      }),
    ).toEqual(delaysMs);
    expect(page).toContain(
      name === "ordinary" ? `${mostFailures} failures` : `${mostFailures} tries`,
    );
  }
});

test("an ordinary failure has five retries within ten minutes, each with a floor, and outlasts a provider that is away for minutes", () => {
  expect(ordinary.mostFailures).toBe(6);
  const sum = (items: readonly number[]) => items.reduce((total, item) => total + item, 0);
  expect(sum(waits(ordinary, 1))).toBeLessThanOrEqual(600_000);
  expect(sum(waits(ordinary, 0))).toBeGreaterThan(120_000);
  expect(waits(ordinary, 0)).toEqual([1_000, 5_000, 15_000, 30_000, 90_000]);
  expect(backoffMs(ordinary, 50, 0, 1)).toBe(90_000);
});

test("the breaker counts what is the gateway's own fault, and no recipients whom their server refuses", () => {
  const error = failure({ code: "policy_rejected", permanent: true });
  expect(tellsOfFault({ type: "rejected", error })).toBe(true);
  expect(tellsOfFault({ type: "rejected", error, thisRecipient: true })).toBe(false);
  expect(tellsOfFault({ type: "rejected", error: failure({ class: "recipient" }) })).toBe(false);
  expect(tellsOfFault({ type: "unavailable", error })).toBe(true);
  expect(tellsOfFault({ type: "uncertain", cause: "timeout" })).toBe(true);
  // One chat of Telegram that has had enough is no reason to keep everybody from the gateway.
  const throttled = (whom: Throttles) => ({ type: "unavailable", error, throttles: whom }) as const;
  expect(tellsOfFault(throttled("gateway"))).toBe(true);
  expect([tellsOfFault(throttled("recipient")), tellsOfFault(throttled("unknown"))]).toEqual([
    false,
    false,
  ]);
  expect(tellsOfAbsence(throttled("gateway"))).toBe(false);
  expect(tellsOfAbsence({ type: "unavailable", error })).toBe(true);
  expect(tellsOfFault({ type: "accepted", providerMessageId: "p", status: "accepted" })).toBe(
    false,
  );
});

test("the scale multiplies floors too", () => {
  for (const random of [0, 1])
    expect(waits(ordinary, random, 0.01)).toEqual(
      waits(ordinary, random).map((delayMs) => expect.closeTo(delayMs / 100, 6)),
    );
});

test("a recipient's server that asks for a later try is asked again for hours, others are not", () => {
  for (const code of ["greylisted", "recipient_deferred"])
    expect(scheduleOf(failure({ code, class: "recipient" }))).toBe(deferred);
  for (const code of ["recipient_unavailable", "provider_unavailable", "content_deferred"])
    expect(scheduleOf(failure({ code }))).toBe(ordinary);
  const greylisted = failure({ code: "greylisted", class: "recipient" });
  expect(decideRetry(greylisted, after(0, deferred), 1, at)).toMatchObject({
    next: "retry",
    retryAt: 1_000 + 90_000,
  });
  // Two days of it, the validity of most messages.
  let waited = 0;
  let failures = 0;
  while (waited < 172_800_000) {
    const decision = decideRetry(greylisted, after(failures++, deferred), 0, { ...at, random: 0 });
    if (decision.next !== "retry") throw new Error(decision.reason);
    waited += decision.retryAt - at.now;
  }
  expect(failures).toBeLessThan(40);
  expect(decideRetry(greylisted, after(99, deferred), 0, at)).toMatchObject({ next: "give_up" });
});

test("what one kind of failure has spent is not missing for the other", () => {
  expect(decideRetry(failure(), after(20, deferred), 0, at)).toMatchObject({
    next: "retry",
    retryAt: 1_000 + 1_500,
  });
});

test("a failure is retried, taken elsewhere or given up by its class, its permanence and the budget", () => {
  expect(decideRetry(failure(), after(0), 0, at)).toMatchObject({ next: "retry", retryAt: 2_500 });
  expect(decideRetry(failure(), after(0), 1, at)).toMatchObject({ next: "failover" });
  expect(decideRetry(failure({ class: "recipient" }), after(0), 1, at)).toMatchObject({
    next: "retry",
  });
  expect(decideRetry(failure({ permanent: true }), after(0), 1, at)).toMatchObject({
    next: "give_up",
  });
  expect(decideRetry(failure(), after(4), 0, at)).toMatchObject({ next: "retry" });
  expect(decideRetry(failure(), after(5), 1, at)).toMatchObject({ next: "give_up" });
});
