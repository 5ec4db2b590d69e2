import type { Failure } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import { expect, test } from "vitest";
import { createBreaker } from "../src/breaker.ts";
import { createBucket } from "../src/bucket.ts";
import { choose, type Candidate } from "../src/choose.ts";
import { decideStep } from "../src/decide.ts";
import { createFloor } from "../src/floor.ts";
import { backoffMs, decideRetry, MAX_CALLS } from "../src/retry.ts";
import { fold } from "../src/state.ts";

const failure = (changes: Partial<Failure> = {}): Failure => ({
  code: "x",
  class: "provider",
  permanent: false,
  ...changes,
});
const at = { now: 1_000, random: 0.5, scale: 1 };

test("back-off doubles from one second to a minute, with full jitter, times the scale", () => {
  expect([1, 2, 3, 4, 5, 6, 7, 50].map((failures) => backoffMs(failures, 1, 1))).toEqual([
    1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000,
  ]);
  expect(backoffMs(3, 0.25, 1)).toBe(1_000);
  expect(backoffMs(3, 1, 0.01)).toBe(40);
});

test("a failure is retried, taken elsewhere or given up by its class, its permanence and the budget", () => {
  expect(decideRetry(failure(), 1, 0, at)).toMatchObject({ next: "retry", retryAt: 1_500 });
  expect(decideRetry(failure(), 1, 1, at)).toMatchObject({ next: "failover" });
  expect(decideRetry(failure({ class: "recipient" }), 1, 1, at)).toMatchObject({ next: "retry" });
  expect(decideRetry(failure({ permanent: true }), 1, 1, at)).toMatchObject({ next: "give_up" });
  expect(decideRetry(failure(), MAX_CALLS - 1, 0, at)).toMatchObject({ next: "retry" });
  expect(decideRetry(failure(), MAX_CALLS, 1, at)).toMatchObject({ next: "give_up" });
});

const gateway = (name: string, changes: Partial<Candidate> = {}): Candidate => ({
  name,
  weight: 1,
  unhealthy: undefined,
  full: false,
  ...changes,
});

test("gateways are drawn by weight from the healthy ones with room that have not just failed", () => {
  const two = [gateway("a", { weight: 30 }), gateway("b", { weight: 70 })];
  const drawn = Array.from({ length: 100 }, (_, index) => choose(two, [], index / 100)).filter(
    (item) => item.type === "chosen" && item.candidate.name === "a",
  );
  expect(drawn).toHaveLength(30);
  expect(choose(two, ["b"], 0.99)).toMatchObject({ type: "chosen", candidate: { name: "a" } });
  // When all have failed, they are tried again rather than none.
  expect(choose(two, ["a", "b"], 0)).toMatchObject({ type: "chosen" });
  expect(choose([gateway("a", { unhealthy: "open" }), gateway("b")], ["b"], 0)).toMatchObject({
    candidate: { name: "b" },
  });
  expect(choose([gateway("a", { full: true })], [], 0)).toEqual({ type: "wait" });
  expect(
    choose([gateway("a", { unhealthy: "open" }), gateway("b", { full: true })], [], 0),
  ).toEqual({ type: "wait" });
  expect(choose([], [], 0)).toEqual({ type: "none" });
});

test("the breaker opens at half of at least five, lets one probe through, and doubles its pause while probes fail", () => {
  const breaker = createBreaker(1);
  for (const fault of [true, true, false, true]) breaker.record(fault, 0);
  expect(breaker.state(0)).toBe("closed");
  breaker.record(true, 0);
  expect([
    breaker.state(0),
    breaker.admits(4_999),
    breaker.state(5_000),
    breaker.admits(5_000),
  ]).toEqual(["open", false, "half_open", true]);
  breaker.began(5_000);
  expect(breaker.admits(5_000)).toBe(false);
  breaker.record(true, 5_100);
  expect([breaker.admits(15_000), breaker.admits(15_100)]).toEqual([false, true]);
  breaker.began(15_100);
  breaker.record(false, 15_200);
  expect(breaker.state(15_200)).toBe("closed");
});

test("a bucket gives its rate and a tenth of a second's burst, also when the clock jumps", () => {
  const bucket = createBucket(50, 0);
  let given = 0;
  for (let now = 0; now <= 1_000; now += 5) for (; bucket.has(now); given++) bucket.take();
  expect(given).toBe(55);
  expect(bucket.nextAt(1_000)).toBeGreaterThan(1_000);
  expect(bucket.has(-3_600_000)).toBe(false);
  expect(bucket.has(3_600_000)).toBe(true);
  for (let index = 0; index < 5; index++) bucket.take();
  expect(bucket.has(3_600_000)).toBe(false);
});

test("the floor never passes what is open, in whatever order batches and jobs end", () => {
  const floor = createFloor(10n);
  const first = floor.begin();
  floor.hold(first);
  floor.end(first, 20n);
  const second = floor.begin();
  floor.hold(second);
  floor.end(second, 30n);
  expect(floor.position()).toBe(10n);
  floor.release(second);
  expect(floor.position()).toBe(10n);
  floor.release(first);
  expect(floor.position()).toBe(30n);
});

const message = {
  message_id: "msg_1",
  channel: "sms",
  to: "+1",
  expires_at: new Date(100_000).toISOString(),
};
let revision = 0;
const event = (type: string, data: object = {}, recordedAt = 0): RecordedEvent => ({
  position: 1n,
  id: `${type}-${revision}`,
  stream: "message-1",
  revision: revision++,
  type,
  version: 1,
  data,
  metadata: {},
  recordedAt,
});
const step = (
  events: readonly RecordedEvent[],
  changes: Partial<Parameters<typeof decideStep>[1]> = {},
) => decideStep(fold(events), { now: 1_000, due: false, random: 0.5, scale: 1, ...changes });
const requested = (changes: object = {}) => event("MessageRequested", { ...message, ...changes });
const failed = (attempt: number, next: string, retryAt?: number) =>
  event("DispatchAttemptFailed", {
    attempt,
    next,
    gateway: "a",
    error: failure(),
    ...(retryAt === undefined ? {} : { retry_at: new Date(retryAt).toISOString() }),
  });
const sent = (attempt: number, type = "MessageSent") =>
  event(type, { attempt, provider: { message_id: "p" } });

test("the fold alone decides the next step", () => {
  expect(step([])).toEqual({ type: "nothing" });
  expect(step([requested()])).toEqual({ type: "call", attempt: 1 });
  expect(step([requested()], { now: 100_000 })).toEqual({ type: "expire" });
  const scheduled = requested({ send_at: new Date(50_000).toISOString() });
  expect(step([scheduled])).toEqual({ type: "wait", at: 50_000, why: "schedule" });
  expect(step([scheduled], { now: 50_000 })).toEqual({ type: "queue" });
  expect(step([scheduled, event("MessageQueued")], { now: 50_000 })).toEqual({
    type: "call",
    attempt: 1,
  });
  expect(step([scheduled, event("MessageCanceled")], { now: 50_000 })).toEqual({ type: "nothing" });
  expect(step([requested(), failed(1, "retry", 5_000)])).toEqual({
    type: "wait",
    at: 5_000,
    why: "retry",
  });
  expect(step([requested(), failed(1, "retry", 5_000)], { due: true })).toEqual({
    type: "call",
    attempt: 2,
  });
  expect(step([requested(), failed(1, "retry", 500_000)])).toMatchObject({
    type: "wait",
    at: 100_000,
  });
  expect(step([requested(), sent(1)])).toEqual({ type: "nothing" });
  expect(step([requested(), sent(1), event("MessageDelivered")])).toEqual({ type: "nothing" });
});

test("a transient bounce feeds the retry budget, a late one of an earlier attempt does not", () => {
  const bounce = (attempt: number) => event("BounceDeferred", { attempt, error: failure() });
  expect(step([requested(), sent(1), bounce(1)])).toMatchObject({ type: "wait", why: "retry" });
  expect(step([requested(), sent(1), bounce(1)], { due: true })).toEqual({
    type: "call",
    attempt: 2,
  });
  expect(
    step([requested(), sent(1), bounce(1), sent(2, "MessageResent"), bounce(1)], { due: true }),
  ).toEqual({ type: "nothing" });
  const many = [
    requested(),
    ...[1, 2, 3, 4, 5, 6].flatMap((attempt) => [
      sent(attempt, attempt === 1 ? "MessageSent" : "MessageResent"),
      bounce(attempt),
    ]),
  ];
  expect(step(many, { due: true })).toMatchObject({ type: "exhaust" });
  // Sent once, it can no longer expire: the money was charged.
  expect(step([requested(), sent(1), bounce(1)], { now: 200_000, due: true })).toMatchObject({
    type: "exhaust",
  });
});

test("what follows an uncertain attempt is the gateway's policy, and ends", () => {
  const doubt = (policy: string, attempt = 1) =>
    event("DispatchUncertain", { attempt, gateway: "a", policy }, 1_000);
  expect(step([requested(), doubt("ask_provider")])).toMatchObject({
    type: "ask",
    attempt: 1,
    gateway: "a",
  });
  expect(step([requested(), doubt("at_least_once")])).toEqual({ type: "call", attempt: 1 });
  expect(
    step([requested(), ...Array.from({ length: 6 }, () => doubt("at_least_once"))]),
  ).toMatchObject({ type: "exhaust", error: { code: "uncertain" } });
  expect(step([requested(), doubt("at_least_once")], { now: 100_000 })).toMatchObject({
    type: "exhaust",
  });
  expect(step([requested(), doubt("at_most_once")])).toMatchObject({
    type: "seek_evidence",
    otherwise: { type: "wait" },
  });
  expect(step([requested(), doubt("at_most_once")], { now: 601_000 })).toMatchObject({
    type: "seek_evidence",
    otherwise: { type: "exhaust" },
  });
});
