import { openControlPlane } from "@heliograph/platform";
import { virtualClock } from "@heliograph/runtime";
import { openWorld, type World } from "@heliograph/testkit/world";
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { decideAdvance, mostAheadSeconds } from "../src/decide-advance.ts";
import { service } from "../src/index.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld({ services: [service], partners: [{}, {}, {}] });
});
afterAll(() => world.close());

const advance = (seconds: unknown, { partner = 0, key = "", headers = {} } = {}) =>
  world.call("POST", "/api/v1/sandbox/clock/advance", {
    key: key || world.partners[partner]!.key,
    body: { seconds },
    headers,
  });
const clockOf = (partner: number) =>
  world.platform.contexts.sandbox.clock.now(world.partners[partner]!.id);

it("Whatever is asked for, the clock goes forward by exactly that, and never further than its limit", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: mostAheadSeconds }), { maxLength: 20 }),
      fc.nat(1e9),
      (steps, realMs) => {
        let ahead = 0;
        for (const seconds of steps) {
          const decided = decideAdvance(ahead, { partner_id: "ptn_1", seconds, realMs });
          if ("refusal" in decided) {
            expect(ahead + seconds).toBeGreaterThan(mostAheadSeconds);
            expect(decided.refusal.extra["left_seconds"]).toBe(mostAheadSeconds - ahead);
            continue;
          }
          const [event] = decided.events;
          if (event === undefined) expect(seconds).toBe(0);
          else {
            expect(Date.parse(event.data.from)).toBe(realMs + ahead * 1_000);
            expect(Date.parse(event.data.to) - Date.parse(event.data.from)).toBe(seconds * 1_000);
            ahead = event.data.ahead_seconds;
          }
        }
        expect(ahead).toBeLessThanOrEqual(mostAheadSeconds);
      },
    ),
  );
});

it("An advance with nothing due is exact, and zero asks which time it is", async () => {
  const before = Date.now();
  const { status, body } = await advance(3_600);
  expect(status).toBe(200);
  const shown = Date.parse(body.now) - 3_600_000;
  expect(shown).toBeGreaterThanOrEqual(before);
  expect(shown).toBeLessThanOrEqual(Date.now());
  const zero = Date.parse((await advance(0)).body.now);
  expect(zero).toBeGreaterThanOrEqual(Date.parse(body.now));
  expect(zero - Date.now()).toBeGreaterThan(3_590_000);
  expect(zero - Date.now()).toBeLessThanOrEqual(3_600_000);
});

it("Other partners, and live, stay where they are", async () => {
  await advance(60);
  expect(Math.abs(clockOf(1) - Date.now())).toBeLessThan(5_000);
  const { live, sandbox } = world.platform.contexts;
  expect(Math.abs(live.clock.now(world.partners[0]!.id) - Date.now())).toBeLessThan(5_000);
  expect(sandbox.clock.moved().has(world.partners[1]!.id)).toBe(false);
  expect(sandbox.clock.stamp(world.partners[1]!.id)).toBeUndefined();
});

it("A repeated key advances once, and advances at the same moment add up", async () => {
  const headers = { "idempotency-key": "once" };
  const [one, other] = [
    await advance(100, { partner: 2, headers }),
    await advance(100, { partner: 2, headers }),
  ];
  expect(other.body).toEqual(one.body);
  await Promise.all([10, 20, 30].map((seconds) => advance(seconds, { partner: 2 })));
  expect(world.platform.directory.clocks.get(world.partners[2]!.id)?.aheadMs).toBe(160_000);
});

it("Who starts afterwards, in this process or another, has the same clocks from the log", async () => {
  const { settings, server, logger, directory } = world.platform;
  const other = await openControlPlane(settings, server, "given", logger);
  try {
    expect(directory.clocks.size).toBeGreaterThan(0);
    expect(other.directory.clocks).toEqual(directory.clocks);
    const partner = world.partners[0]!.id;
    const { jumps, aheadMs } = directory.clocks.get(partner)!;
    const clock = virtualClock(other.directory, () => 1_000);
    expect(clock.now(partner)).toBe(1_000 + aheadMs);
    const [{ from, to }] = jumps as [(typeof jumps)[0]];
    expect([from + 1, to].map((time) => clock.instant(partner, time))).toEqual([from + 1, to]);
    expect([from, jumps.at(-1)!.to + 1].map((time) => clock.instant(partner, time))).toEqual([
      undefined,
      undefined,
    ]);
  } finally {
    await other.close();
  }
});

it("What is no number of seconds, or too many, is refused by name, and the clock stays", async () => {
  for (const seconds of [-1, 1.5, "60", mostAheadSeconds + 1, undefined])
    expect((await advance(seconds, { partner: 1 })).body.code).toBe("invalid_request");
  await advance(mostAheadSeconds - 10, { partner: 1 });
  const refused = await advance(11, { partner: 1 });
  expect(refused.body).toMatchObject({ code: "clock_limit_reached", left_seconds: 10 });
  expect((await advance(10, { partner: 1 })).status).toBe(200);
});

it("A live key has no clock to advance, and a key without the scope neither", async () => {
  const id = world.partners[0]!.id;
  const live = await world.addKey(id, { environment: "live" });
  expect((await advance(1, { key: live })).body.code).toBe("insufficient_scope");
  const narrow = await world.addKey(id, { scopes: ["messages:write"] });
  expect((await advance(1, { key: narrow })).body.required_scope).toBe("sandbox:write");
});
