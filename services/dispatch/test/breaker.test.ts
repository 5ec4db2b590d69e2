import { expect, test } from "vitest";
import { createBreaker, type Breaker } from "../src/breaker.ts";
import { choose, type Candidate } from "../src/choose.ts";
import { gateway, route } from "./candidates.ts";

const results = (breaker: Breaker, faults: readonly boolean[], now = 0) => {
  for (const fault of faults) breaker.record(breaker.begin(now), fault, now);
};
/** Open since 0, and half open from 5,000. */
function opened(): Breaker {
  const breaker = createBreaker(1);
  results(breaker, [true, true, true, true, true]);
  return breaker;
}

test("the breaker opens at half of at least five, lets one probe through, and doubles its pause while probes fail", () => {
  const breaker = createBreaker(1);
  results(breaker, [true, true, false, true]);
  expect(breaker.state(0)).toBe("closed");
  results(breaker, [true]);
  expect([
    breaker.state(0),
    breaker.admits(4_999),
    breaker.state(5_000),
    breaker.admits(5_000),
  ]).toEqual(["open", false, "half_open", true]);
  const probe = breaker.begin(5_000);
  expect(breaker.admits(5_000)).toBe(false);
  breaker.record(probe, true, 5_100);
  expect([breaker.admits(15_000), breaker.admits(15_100)]).toEqual([false, true]);
  breaker.record(breaker.begin(15_100), false, 15_200);
  expect(breaker.state(15_200)).toBe("closed");
});

test("it judges by the last twenty results, and by no older ones", () => {
  const breaker = createBreaker(1);
  // Ten faults among the first twenty would open it; of the last twenty only nine are faults until the last one.
  results(
    breaker,
    Array.from({ length: 20 }, () => false),
  );
  results(
    breaker,
    Array.from({ length: 9 }, () => true),
  );
  expect(breaker.state(0)).toBe("closed");
  results(breaker, [true]);
  expect(breaker.state(0)).toBe("open");
});

test("the late result of an older call, good or bad, is not taken for the probe's", () => {
  for (const fault of [true, false]) {
    const breaker = createBreaker(1);
    const old = breaker.begin(0);
    results(breaker, [true, true, true, true, true]);
    const probe = breaker.begin(5_000);
    breaker.record(old, fault, 5_001);
    expect(breaker.state(5_001)).toBe("half_open");
    expect(breaker.admits(5_001)).toBe(false);
    breaker.record(probe, false, 5_002);
    expect(breaker.state(5_002)).toBe("closed");
    // Nor is it counted among the results of the time after.
    for (let count = 0; count < 5; count++) breaker.record(old, true, 5_003);
    expect(breaker.state(5_003)).toBe("closed");
  }
});

test("a call that is given up frees the probe only if it was the probe", () => {
  const breaker = createBreaker(1);
  const old = breaker.begin(0);
  results(breaker, [true, true, true, true, true]);
  const probe = breaker.begin(5_000);
  breaker.abandoned(old);
  expect(breaker.admits(5_000)).toBe(false);
  breaker.abandoned(probe);
  expect(breaker.admits(5_000)).toBe(true);
  const second = breaker.begin(5_000);
  // The first probe's answer comes after all: the second one decides.
  breaker.record(probe, true, 5_001);
  expect(breaker.state(5_001)).toBe("half_open");
  breaker.record(second, false, 5_002);
  expect(breaker.state(5_002)).toBe("closed");
});

test("without a connection it opens at once, and a call from before changes nothing", () => {
  const breaker = createBreaker(1);
  const [first, second] = [breaker.begin(0), breaker.begin(0)];
  breaker.unreachable(first, 10);
  expect([breaker.state(10), breaker.opensAt]).toEqual(["open", 5_010]);
  breaker.unreachable(second, 4_000);
  expect(breaker.opensAt).toBe(5_010);
  breaker.unreachable(breaker.begin(5_010), 5_020);
  expect(breaker.opensAt).toBe(15_020);
});

test("a call that begins although the breaker is open, as after a clock was set back, counts for nothing", () => {
  const breaker = opened();
  const stray = breaker.begin(1_000);
  breaker.record(stray, false, 1_001);
  expect(breaker.state(1_001)).toBe("open");
  const probe = breaker.begin(5_000);
  breaker.record(stray, false, 5_001);
  expect(breaker.state(5_001)).toBe("half_open");
  breaker.record(probe, false, 5_002);
  expect(breaker.state(5_002)).toBe("closed");
});

test("a clock that is set back by an hour makes no pause an hour longer", () => {
  const breaker = opened();
  expect([breaker.admits(4_999), breaker.admits(0)]).toEqual([false, false]);
  expect([breaker.state(-3_600_000), breaker.admits(-3_600_000)]).toEqual(["half_open", true]);
  breaker.record(breaker.begin(-3_600_000), true, -3_600_000);
  expect([breaker.admits(-3_590_001), breaker.admits(-3_590_000)]).toEqual([false, true]);
});

test("it tells since when it is open, through probes that fail, why, and when it closed", () => {
  const breaker = createBreaker(1);
  expect(breaker.trouble).toBeUndefined();
  breaker.unreachable(breaker.begin(10), 10);
  breaker.record(breaker.begin(6_000), true, 6_000);
  expect(breaker.trouble).toEqual({ since: 10, reason: "unreachable" });
  breaker.record(breaker.begin(20_000), false, 20_001);
  expect(breaker.trouble).toEqual({ since: 10, reason: "unreachable", closedAt: 20_001 });
  results(breaker, [true, true, true, true, true], 30_000);
  expect(breaker.trouble).toEqual({ since: 30_000, reason: "failing" });
});

const bound = (boundMs: number, tookMs: number) => ({ tookMs, boundMs });
/** Calls one after the other, each of so many milliseconds. */
const calls = (breaker: Breaker, durations: readonly number[], now = 0, boundMs = 1_000) => {
  for (const tookMs of durations)
    breaker.record(breaker.begin(now), false, now, bound(boundMs, tookMs));
};

test("half of its calls at four times the usual and over the bound are slow: it opens, and goes on for what has no other way", () => {
  const breaker = createBreaker(1);
  calls(breaker, [300, 300, 1_199, 1_199, 1_199, 1_199, 999]);
  expect([breaker.state(0), breaker.slow(0)], "over the bound, and usual").toEqual([
    "closed",
    undefined,
  ]);
  const usual = createBreaker(1);
  calls(usual, [10, 10, 10, 2_000, 2_000]);
  expect(usual.state(0)).toBe("closed");
  calls(usual, [2_000]);
  expect([usual.state(0), usual.admits(0)]).toEqual(["open", true]);
  expect(usual.slow(0)).toEqual({ tookMs: 2_000, usualMs: expect.any(Number), boundMs: 1_000 });
  expect(Math.round(usual.slow(0)!.usualMs!)).toBe(10);
  expect(usual.trouble).toMatchObject({ since: 0, reason: "slow" });
  // Its own calls change nothing of that, and one of them is the probe once the pause is over.
  calls(usual, [5, 5, 5], 4_999);
  expect(usual.slow(4_999)).toBeDefined();
  const probe = usual.begin(5_000);
  expect([usual.slow(5_000) === undefined, usual.begin(5_000)]).toEqual([false, -1]);
  usual.record(probe, false, 6_500, bound(1_000, 1_500));
  expect([usual.state(16_499), usual.state(16_500)]).toEqual(["open", "half_open"]);
  expect(usual.slow(16_500), "the next one is let through").toBeUndefined();
  calls(usual, [20], 16_500);
  expect([usual.state(16_500), usual.slow(16_500), usual.admits(16_500)]).toEqual([
    "closed",
    undefined,
    true,
  ]);
});

test("a gateway of which nothing is known is slow by its bound alone, and what is slow is never usual", () => {
  const breaker = createBreaker(1);
  calls(breaker, [1_500, 1_500, 1_500, 1_500, 1_500]);
  expect(breaker.slow(0)).toEqual({ tookMs: 1_500, usualMs: undefined, boundMs: 1_000 });
  for (let now = 5_000; now < 1_000_000; now += 60_000) calls(breaker, [1_500], now);
  expect(breaker.state(1_000_000)).toBe("open");
});

test("of a slow gateway faults count on, and close it to all; calls that tell nothing of its pace are neither", () => {
  const breaker = createBreaker(1);
  calls(breaker, [2_000, 2_000, 2_000, 2_000, 2_000]);
  results(breaker, [true, true, true, true], 10);
  expect(breaker.admits(10)).toBe(true);
  results(breaker, [true], 11);
  expect([breaker.admits(11), breaker.slow(11)]).toEqual([false, undefined]);
  expect(breaker.trouble).toEqual({ since: 0, reason: "failing" });
  const cut = createBreaker(1);
  calls(cut, [2_000, 2_000, 2_000, 2_000, 2_000]);
  cut.unreachable(cut.begin(20), 20);
  expect([cut.admits(20), cut.trouble!.reason]).toEqual([false, "unreachable"]);
  const files = createBreaker(1);
  results(files, [false, false, false, false, false, false]);
  calls(files, [2_000, 2_000, 2_000, 2_000, 2_000]);
  expect(files.state(0)).toBe("closed");
});

const chosen = (choice: ReturnType<typeof choose<Candidate>>) =>
  choice.type === "chosen" ? [choice.candidate.name, choice.choice.reason] : choice.type;

test("a gateway that has become slow is passed over while another has room, and taken where none has", () => {
  const slow = "its calls have become slow: 900 ms";
  const [a, b] = [gateway("a", { slow }), gateway("b")];
  for (const policy of ["weighted", "priority", "least_cost"] as const)
    expect(choose(route([a, b], { policy }), [], 0), policy).toMatchObject({
      candidate: { name: "b" },
      choice: {
        considered: [
          { gateway: "a", verdict: slow },
          { gateway: "b", verdict: "chosen" },
        ],
      },
    });
  const though = `although ${slow}`;
  for (const [candidates, failed, reason] of [
    [[a], [], "the only gateway of the channel"],
    [[a, gateway("b", { full: true })], [], "weight 1 of 1 among 1 usable gateway"],
    [[a, gateway("b", { unhealthy: "open" })], [], "weight 1 of 1 among 1 usable gateway"],
    [[a, b], ["b"], "fail-over from b"],
    [[a, gateway("b", { slow })], [], "weight 1 of 2 among 2 usable gateways"],
  ] as const)
    expect(chosen(choose(route(candidates), failed, 0))).toEqual(["a", `${reason}, ${though}`]);
  const ruled = { rule: 1, policy: "priority", failover: false } as const;
  expect(chosen(choose(route([a, b], ruled), [], 0))).toEqual([
    "a",
    `rule 1: the only gateway for the message, ${though}`,
  ]);
  // Whoever asks its copies for room has some in a moment.
  const asking = gateway("b", { full: true, asking: true });
  expect(choose(route([a, asking]), [], 0)).toEqual({ type: "wait" });
});
