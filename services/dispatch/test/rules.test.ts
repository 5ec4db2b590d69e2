import { loosely } from "@heliograph/testkit";
import type { Failure } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import { expect, test } from "vitest";
import type { GatewayConfig } from "@heliograph/runtime";
import { createBucket } from "../src/bucket.ts";
import { choose, type Candidate } from "../src/choose.ts";
import { decideStep, decideUnknown } from "../src/decide.ts";
import { createFloor } from "../src/floor.ts";
import { type Routed, routeOf, rulesByChannel } from "../src/routing.ts";
import { fold } from "../src/state.ts";
import { gateway, route } from "./candidates.ts";

const failure = (changes: Partial<Failure> = {}): Failure => ({
  code: "x",
  class: "provider",
  permanent: false,
  ...changes,
});
test("gateways are drawn by weight from the healthy ones with room that have not just failed", () => {
  const two = route([gateway("a", { weight: 30 }), gateway("b", { weight: 70 })]);
  const drawn = Array.from({ length: 100 }, (_, index) => choose(two, [], index / 100)).filter(
    (item) => item.type === "chosen" && item.candidate.name === "a",
  );
  expect(drawn).toHaveLength(30);
  expect(choose(two, ["b"], 0.99)).toMatchObject({ type: "chosen", candidate: { name: "a" } });
  // A weight of 0 is for who is taken where no other can be; of several the last.
  const last = [gateway("a", { weight: 0 }), gateway("b", { weight: 0 })];
  for (const random of [0, 0.5, 0.99]) {
    expect(choose(route(last), [], random)).toMatchObject({ candidate: { name: "b" } });
    expect(choose(route([gateway("c", { weight: 1 }), ...last]), [], random)).toMatchObject({
      candidate: { name: "c" },
    });
  }
  // When all have failed, they are tried again rather than none.
  expect(choose(two, ["a", "b"], 0)).toMatchObject({ type: "chosen" });
  const oneHealthy = route([gateway("a", { unhealthy: "open" }), gateway("b")]);
  expect(choose(oneHealthy, ["b"], 0)).toMatchObject({ candidate: { name: "b" } });
  expect(choose(route([gateway("a", { full: true })]), [], 0)).toEqual({ type: "wait" });
  const none = route([gateway("a", { unhealthy: "open" }), gateway("b", { full: true })]);
  expect(choose(none, [], 0)).toEqual({ type: "wait" });
  expect(choose(route([]), [], 0)).toEqual({ type: "none" });
});

const chosen = (choice: ReturnType<typeof choose<Candidate>>) =>
  choice.type === "chosen" ? [choice.candidate.name, choice.choice.reason] : choice.type;

test("a rule's first gateway, or its cheapest, is taken while it can be; another only where fail-over is allowed", () => {
  const [a, b, c] = [gateway("a"), gateway("b", { cost: "0.02" }), gateway("c", { cost: "0.01" })];
  const first = { policy: "priority", rule: 2 } as const;
  expect(chosen(choose(route([a, b, c], first), [], 0.9))).toEqual([
    "a",
    "rule 2: the first of 3 usable gateways",
  ]);
  expect(chosen(choose(route([a, b, c], first), ["a"], 0.9))).toEqual([
    "b",
    "rule 2: fail-over from a",
  ]);
  const cheap = { policy: "least_cost", rule: 1 } as const;
  expect(chosen(choose(route([a, b, c], cheap), [], 0))).toEqual([
    "c",
    "rule 1: the cheapest of 3 usable gateways",
  ]);
  // As numbers: 9.5 is less than 10, and what costs nothing is the cheapest; of whom that is not known is not.
  const costs = ["10", "9.5", undefined, "0"].map((cost, index) => gateway(`${index}`, { cost }));
  expect(chosen(choose(route(costs, cheap), ["3"], 0))[0]).toBe("1");
  expect(chosen(choose(route(costs, cheap), [], 0))[0]).toBe("3");
  const full = gateway("c", { cost: "0.01", full: true });
  expect(chosen(choose(route([a, b, full], cheap), [], 0))[0]).toBe("b");
  expect(choose(route([a, b, full], { ...cheap, failover: false }), ["c"], 0)).toEqual({
    type: "wait",
  });
  // A gateway that asks its copies for room is waited for, and nobody goes elsewhere meanwhile.
  const asking = { ...full, asking: true };
  expect(choose(route([a, b, asking], cheap), [], 0)).toEqual({ type: "wait" });
  // Nobody else is named, so that nobody else is asked when it fails.
  expect(choose(route([a, b], { failover: false }), [], 0.9)).toMatchObject({
    choice: { considered: [{ gateway: "b", verdict: "chosen" }] },
  });
  expect(choose(route([a], first), [], 0)).toMatchObject({
    choice: {
      reason: "rule 2: the only gateway for the message",
      considered: [{ gateway: "a", verdict: "chosen" }],
    },
  });
});

test("a push goes to the provider that gave its token, and to any where none did", () => {
  const of = (name: string, kind: string) => ({
    name,
    config: { gateway_id: name, channel: "push", kind } as GatewayConfig,
  });
  const [fcm, apns, other] = [of("one", "fcm"), of("two", "apns"), of("three", "http")];
  const found = (to: string, all = [fcm, apns]) => {
    const message = {
      channel: "push",
      to,
      from: undefined,
      partner: "ptn_a",
      country: "",
    } as const;
    return routeOf(new Map(), all, message).candidates.map(({ name }) => name);
  };
  const tokens = ["fMEP0vJqS0:APA91bHqX-device", "0a".repeat(32)] as const;
  expect(tokens.map((to) => found(to))).toEqual([["one"], ["two"]]);
  expect(tokens.map((to) => found(to, [apns, other]))).toEqual([["three"], ["two", "three"]]);
  expect(found(tokens[1], [fcm, fcm])).toEqual(["one", "one"]);
});

test("the first rule that matches says where a message may go; who cannot carry it is not among them", () => {
  const of = (id: string, more: Partial<GatewayConfig> = {}) => ({
    config: { gateway_id: id, channel: "sms", ...more } as GatewayConfig,
  });
  const all = [
    of("gtw_1"),
    of("gtw_2", { countries: ["PL"] }),
    of("gtw_3", { partner_id: "ptn_b" }),
  ];
  const message = {
    channel: "sms",
    to: "+48500600700",
    from: "Shop",
    category: "marketing",
    partner: "ptn_a",
    country: "PL",
  } as const;
  const rule = (match: object, gateways: readonly string[]) => ({
    match,
    gateways: [...gateways],
    policy: "priority" as const,
    failover: true,
  });
  const found = (rules: Parameters<typeof rulesByChannel>[0], more: Partial<Routed> = {}) => {
    const { rule: number, candidates } = routeOf(
      rulesByChannel(
        rules,
        all.map(({ config }) => config),
      ),
      all,
      { ...message, ...more },
    );
    return [number, candidates.map(({ config }) => config.gateway_id)];
  };
  expect(found([])).toEqual([undefined, ["gtw_1", "gtw_2"]]);
  expect(found([], { partner: "ptn_b", country: "DE" })).toEqual([undefined, ["gtw_1", "gtw_3"]]);
  const rules = [
    rule({ country_prefix: "49" }, ["gtw_3"]),
    rule({ country_prefix: "485", category: "marketing" }, ["gtw_2", "gtw_1"]),
    rule({ sender: "Shop" }, ["gtw_1", "gtw_9"]),
    rule({ channel: "email" }, ["gtw_2"]),
  ];
  expect(found(rules)).toEqual([2, ["gtw_2", "gtw_1"]]);
  expect(found(rules, { category: "authentication" })).toEqual([3, ["gtw_1"]]);
  expect(found(rules, { to: "+49170", country: "DE" })).toEqual([1, []]);
  expect(found(rules, { category: "authentication", from: undefined })[0]).toBeUndefined();
  expect(found([rule({ partner: "ptn_b" }, ["gtw_3"])], { partner: "ptn_b" })).toEqual([
    1,
    ["gtw_3"],
  ]);
  // One without a channel is for those of its gateways: mail of the same partner is not its concern.
  expect(found([rule({ partner: "ptn_a" }, ["gtw_2"])], { channel: "email" })[0]).toBeUndefined();
});

test("a bucket gives its rate and a tenth of a second's burst, also when the clock jumps", () => {
  const bucket = createBucket(50, 0);
  let given = 0;
  for (let now = 0; now <= 1_000; now += 5) for (; bucket.has(now); given++) bucket.take();
  // It begins with one token rather than with its burst.
  expect(given).toBe(51);
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
const event = (type: string, data: object = {}, recordedAt = 0): RecordedEvent =>
  loosely({
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
) => decideStep(fold(events), { now: 1_000, waited: -1, random: 0.5, scale: 1, ...changes });
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
  expect(step([requested(), failed(1, "retry", 5_000)], { waited: Infinity })).toEqual({
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

test("an attempt that is due in quiet hours waits for their end, which is recorded once, or ends the message", () => {
  const at = (time: string): number => Date.parse(`2026-01-10T${time}Z`);
  const night = { from: "21:00", to: "07:00", policy: "delay", zones: ["UTC"], found: "request" };
  const until = at("07:00:00");
  const expires_at = "2026-01-11T00:00:00.000Z";
  const quiet = requested({ expires_at, quiet_hours: night });
  expect(step([quiet], { now: at("06:59:00") })).toEqual({ type: "delay", until });
  expect(step([quiet], { now: until })).toEqual({ type: "call", attempt: 1 });
  const delayed = event("SendDelayed", { until: new Date(until).toISOString(), reason: "x" });
  const wait = { type: "wait", at: until, why: "quiet" };
  expect(step([quiet, delayed], { now: at("06:59:00") })).toEqual(wait);
  // A retry and a step as much as the first attempt.
  const retry = failed(1, "retry", at("05:00:00"));
  expect(step([quiet, retry, delayed], { now: at("06:00:00"), waited: Infinity })).toEqual(wait);
  expect(step([quiet, retry, delayed], { now: until })).toEqual({ type: "call", attempt: 2 });
  // The next night is another wait, and the validity ends in it.
  const later = step([quiet, delayed], { now: at("23:00:00") });
  expect(later).toEqual({ type: "delay", until: until + 86_400_000 });
  const again = event("SendDelayed", { until: new Date(until + 86_400_000).toISOString() });
  const over = { ...wait, at: Date.parse(expires_at) };
  expect(step([quiet, delayed, again], { now: at("23:00:00") })).toEqual(over);
  expect(step([quiet, again], { now: Date.parse(expires_at) })).toEqual({ type: "expire" });
  const strict = requested({ expires_at, quiet_hours: { ...night, policy: "reject" } });
  expect(step([strict], { now: at("23:00:00") })).toMatchObject({ type: "refuse" });
  // Made again, too, once the provider has said that it knows nothing of it.
  const doubt = event("DispatchUncertain", { attempt: 1, gateway: "a", policy: "ask_provider" });
  const unknown = (now: number) => decideUnknown(fold([quiet, doubt])!, now);
  expect(unknown(at("06:59:00"))).toEqual({ type: "delay", until });
  expect(unknown(until)).toEqual({ type: "call", attempt: 1 });
});

test("a message that a mail server put off is tried on after six failures, one that failed is not", () => {
  const off = (attempt: number, code: string) =>
    event("DispatchAttemptFailed", {
      attempt,
      next: "retry",
      gateway: "a",
      error: failure({ code, class: "recipient" }),
    });
  const six = [1, 2, 3, 4, 5, 6];
  const again = six.map((attempt) => off(attempt, "greylisted"));
  expect(step([requested(), ...again], { waited: Infinity })).toEqual({ type: "call", attempt: 7 });
  expect(step([requested(), ...again], { now: 100_000 })).toEqual({ type: "expire" });
  const busy = six.map((attempt) => off(attempt, "recipient_unavailable"));
  expect(step([requested(), ...busy], { waited: Infinity })).toMatchObject({ type: "exhaust" });
});

test("the first attempt that a server put off is known whatever comes before the mail is taken, and no longer", () => {
  const off = (attempt: number, gateway = "a") =>
    event("DispatchAttemptFailed", {
      attempt,
      next: "retry",
      gateway,
      error: failure({ code: "greylisted", class: "recipient" }),
    });
  const doubt = event("DispatchUncertain", { attempt: 3, gateway: "a", policy: "at_least_once" });
  const known = (...events: readonly RecordedEvent[]) => [
    ...fold([requested(), ...events])!.putOff,
  ];
  expect(known(failed(1, "retry"))).toEqual([]);
  expect(known(off(1), failed(2, "retry"), doubt)).toEqual([["a", 1]]);
  expect(known(failed(1, "retry"), off(2), failed(3, "retry"), off(4), off(5, "b"))).toEqual([
    ["a", 2],
    ["b", 5],
  ]);
  expect(known(off(1), sent(2))).toEqual([]);
  expect(known(off(1), sent(2), off(3))).toEqual([["a", 3]]);
});

test("a transient bounce feeds the retry budget, a late one of an earlier attempt does not", () => {
  const bounce = (attempt: number) => event("BounceDeferred", { attempt, error: failure() });
  expect(step([requested(), sent(1), bounce(1)])).toMatchObject({ type: "wait", why: "retry" });
  expect(step([requested(), sent(1), bounce(1)], { waited: Infinity })).toEqual({
    type: "call",
    attempt: 2,
  });
  expect(
    step([requested(), sent(1), bounce(1), sent(2, "MessageResent"), bounce(1)], {
      waited: Infinity,
    }),
  ).toEqual({ type: "nothing" });
  const many = [
    requested(),
    ...[1, 2, 3, 4, 5, 6].flatMap((attempt) => [
      sent(attempt, attempt === 1 ? "MessageSent" : "MessageResent"),
      bounce(attempt),
    ]),
  ];
  expect(step(many, { waited: Infinity })).toMatchObject({ type: "exhaust" });
  // Sent once, it can no longer expire: the money was charged.
  expect(step([requested(), sent(1), bounce(1)], { now: 200_000, waited: Infinity })).toMatchObject(
    {
      type: "exhaust",
    },
  );
});

test("what an owner of before is told late changes nothing about an end", () => {
  const doubt = event("DispatchUncertain", { attempt: 1, gateway: "a", policy: "at_least_once" });
  for (const late of [failed(1, "retry", 5_000), doubt, sent(1)])
    for (const end of ["DispatchExhausted", "MessageExpired"])
      expect(step([requested(), doubt, event(end), late], { now: 5_000 })).toEqual({
        type: "nothing",
      });
});

test("the row of a wait that was over before says nothing of the wait that follows", () => {
  const bounced = event("BounceDeferred", { attempt: 1, error: failure() });
  const doubt = event("DispatchUncertain", { attempt: 1, gateway: "a", policy: "ask_provider" });
  const inOrder = (...events: readonly RecordedEvent[]) =>
    events.map((each, revision) => ({ ...each, revision }));
  const again = inOrder(requested(), doubt, sent(1), bounced);
  for (const waited of [-1, 1, 2])
    expect(step(again, { waited })).toMatchObject({ type: "wait", why: "retry" });
  expect(step(again, { waited: 3 })).toEqual({ type: "call", attempt: 2 });
  const failing = inOrder(requested(), doubt, failed(1, "retry", 5_000));
  expect(step(failing, { waited: 1 })).toEqual({ type: "wait", at: 5_000, why: "retry" });
  expect(step(failing, { waited: 2 })).toEqual({ type: "call", attempt: 2 });
  // Its row is of the end of the validity, which a clock that was put back has not reached any more.
  const late = inOrder(requested(), failed(1, "retry", 500_000));
  expect(step(late, { waited: 1 })).toEqual({ type: "wait", at: 100_000, why: "retry" });
});

test("how long an uncertain attempt waits is decided by one clock, however far the log's is off", () => {
  const hour = 3_600_000;
  const doubt = { attempt: 1, gateway: "a", policy: "at_most_once", at: "1970-01-01T00:00:01Z" };
  for (const recordedAt of [1_000 - hour, 1_000, 1_000 + hour]) {
    const events = [requested(), event("DispatchUncertain", doubt, recordedAt)];
    expect(step(events, { now: 600_999 })).toMatchObject({ otherwise: { type: "wait" } });
    expect(step(events, { now: 601_000 })).toMatchObject({ otherwise: { type: "exhaust" } });
  }
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
  // Every fifteen seconds; a scale below 1 makes that shorter, one above leaves it.
  for (const [scale, at] of [
    [1, 16_000],
    [0.01, 1_150],
    [50, 16_000],
  ])
    expect(step([requested(), doubt("at_most_once")], { scale: scale! })).toMatchObject({
      otherwise: { type: "wait", at, why: "uncertain" },
    });
  expect(step([requested(), doubt("at_most_once")], { now: 601_000 })).toMatchObject({
    type: "seek_evidence",
    otherwise: { type: "exhaust" },
  });
});
