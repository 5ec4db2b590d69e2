import { deterministicId } from "@heliograph/contracts";
import { configured, type GatewayConfig } from "@heliograph/gateways";
import { loosely, type TwilioDouble, twilioDouble, until } from "@heliograph/testkit";
import { expect, test } from "vitest";
import { createRest, LONGEST_REST_MS, restOfAll, unhealthyFor } from "../src/rest.ts";
import { gatewaysDdl, slowDdl, throttledDdl } from "../src/tables/gateways.ts";
import { eventually, history, openWorld, send, simulator, type World } from "./harness.ts";

const [one, other] = ["+15550000001", "+15550000002"] as const;
const all = (retryAfterMs?: number) =>
  ({ to: one, throttles: "gateway", ...(retryAfterMs && { retryAfterMs }) }) as const;

test("a gateway rests as long as its provider says, for an hour at most, and else ever longer", () => {
  const rest = createRest(1);
  expect(rest.until(0)).toBeUndefined();
  expect(rest.throttled(all(7_000), 0)).toBe("gateway");
  expect([rest.until(6_999), rest.until(7_000), rest.until(10, other)]).toEqual([
    7_000,
    undefined,
    7_000,
  ]);
  // A call that was under way says the same, or a longer time; what was taken meanwhile ends nothing.
  expect(rest.throttled(all(2_000), 1_000)).toBe("gateway still");
  expect(rest.until(1_000)).toBe(7_000);
  expect(rest.throttled(all(9_000), 1_000)).toBe("gateway still");
  rest.took(one, 2_000);
  expect(rest.until(2_000)).toBe(10_000);
  expect(rest.throttled(all(86_400_000), 20_000)).toBe("gateway");
  expect(rest.until(20_000)).toBe(20_000 + LONGEST_REST_MS);
  // A clock that was set back makes no rest longer.
  expect(rest.until(-86_400_000)).toBeUndefined();

  const unnamed = createRest(1);
  const lengths = Array.from({ length: 6 }, (_, day) => {
    const now = day * 86_400_000;
    // A time that is no time to wait is none.
    unnamed.throttled(day === 0 ? { ...all(), retryAfterMs: 0 } : all(), now);
    return unnamed.until(now)! - now;
  });
  expect(lengths).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  const later = 7 * 86_400_000;
  unnamed.took(one, later);
  unnamed.throttled(all(), later);
  expect(unnamed.until(later)).toBe(later + 5_000);
});

test("what concerns one recipient lets the others go on, until another one meets the same with nothing taken between", () => {
  const rest = createRest(1);
  const of = (to: string, throttles: "recipient" | "unknown") => ({
    to,
    throttles,
    retryAfterMs: 86_400_000,
  });
  expect(rest.throttled(of(one, "recipient"), 0)).toBe("recipient");
  expect(rest.throttled(of(other, "recipient"), 0)).toBe("recipient");
  // In full: the others do not wait for it.
  expect([rest.until(1, one), rest.until(1, "+3"), rest.until(1)]).toEqual([
    86_400_000,
    undefined,
    undefined,
  ]);
  expect(rest.throttled(of("+3", "unknown"), 0)).toBe("recipient");
  expect(rest.throttled(of("+3", "unknown"), 0)).toBe("recipient");
  rest.took("+4", 1);
  expect(rest.throttled(of("+5", "unknown"), 1)).toBe("recipient");
  expect(rest.until(1)).toBeUndefined();
  expect(rest.throttled(of("+6", "unknown"), 1)).toBe("gateway");
  expect(rest.until(1)).toBe(1 + LONGEST_REST_MS);

  const [resting, healthy] = [rest, createRest(1)].map((each, index) => ({
    name: ["a", "b"][index]!,
    unhealthy: undefined,
    rest: each,
  }));
  expect(unhealthyFor("+9", 1)(resting!)).toMatch(/^throttled by its provider until 1970-/);
  expect(unhealthyFor("+9", 1)(healthy!)).toBeUndefined();
  expect(restOfAll([resting!, healthy!], "+9", 1)).toBeUndefined();
  healthy!.rest.throttled({ ...all(5_000), throttles: "recipient", to: "+9" }, 1);
  expect(restOfAll([resting!, healthy!], "+9", 1)).toEqual({ until: 5_001, gateway: "b" });
  expect(restOfAll([], "+9", 1)).toBeUndefined();
});

/** Of a Twilio that runs here; the master key is that of the world. */
function sms(name: string, { url, accountSid, authToken }: TwilioDouble): GatewayConfig {
  const settings = { base_url: url, account_sid: accountSid, from: "+15550100000" };
  const gateway_id = deterministicId("gtw", name);
  const about = { gateway_id, environment: "live", name, kind: "twilio", settings } as const;
  return configured({ ...simulator("sms"), ...about }, { auth_token: authToken }, Buffer.alloc(32));
}

async function sentTo(world: World, ...to: readonly string[]): Promise<readonly string[]> {
  const ids = await send(
    world.log,
    to.map((each) => ({ to: each })),
  );
  await eventually(world.log, ids, "MessageSent");
  return ids;
}

test("a 429 keeps everybody from the gateway as long as it says: others take it over, and where none is left it is waited for without an attempt", async () => {
  const [busy, spare] = [await twilioDouble(), await twilioDouble()];
  const gateways = [sms("busy", busy), sms("spare", spare)];
  const rule = { match: {}, gateways: gateways.map((each) => each.gateway_id) };
  const world = await openWorld({
    environment: "live",
    gateways,
    routing: [{ ...rule, policy: "priority", failover: true }],
    retryScale: 0.1,
  });
  try {
    await world.pool.query(`${gatewaysDdl}${slowDdl}${throttledDdl}`);
    await world.dispatch();
    // The queue of its sender is full: who was to have it goes elsewhere, and others do not.
    busy.behave({ type: "refuse", status: 400, code: 21611 });
    await sentTo(world, one);
    busy.behave({ type: "accept" });
    await sentTo(world, other);
    expect([busy.requests.length, busy.messages.length, spare.messages.length]).toEqual([2, 1, 1]);

    busy.behave({ type: "refuse", status: 429, code: 20429, retryAfter: "3000" });
    const [first] = await sentTo(world, other);
    const many = Array.from({ length: 20 }, (_, index) => `+155500010${index + 10}`);
    const more = await sentTo(world, ...many);
    expect([busy.requests.length, spare.messages.length]).toEqual([3, 22]);
    const streams = await eventually(world.log, [first!, ...more], "MessageSent");
    expect(new Set(streams.flat())).toEqual(new Set(["MessageRequested", "MessageSent"]));
    const { choice, attempt } = loosely((await history(world.log, first!))[1]!.data);
    expect([attempt, choice.considered[0]]).toEqual([
      1,
      { gateway: "busy", verdict: expect.stringMatching(/^throttled by its provider until 20/) },
    ]);
    const health = await until(async () => {
      const { rows } = await world.pool.query(
        "select breaker, throttled_until from gateways.health where throttled_until is not null",
      );
      return rows.length > 0 && rows;
    });
    expect(health).toEqual([{ breaker: "closed", throttled_until: expect.any(Date) }]);

    // No time is named: it waits all the same, without an attempt, and says so.
    spare.behave({ type: "refuse", status: 429, code: 20429 });
    const [waiting] = await send(world.log, [{ to: other }]);
    const [types] = await eventually(world.log, [waiting!], "SendDelayed");
    expect(types).toEqual(["MessageRequested", "SendDelayed"]);
    const told = loosely((await history(world.log, waiting!))[1]!.data);
    expect(told.reason).toContain("spare until 20");
    spare.behave({ type: "accept" });
    await eventually(world.log, [waiting!], "MessageSent");
    const sent = (await history(world.log, waiting!)).at(-1)!;
    expect(loosely(sent.data).attempt).toBe(1);
    expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(told.until));

    // Who comes after it is not even tried, and says why it waits.
    spare.behave({ type: "refuse", status: 429, code: 20429, retryAfter: "2000" });
    await eventually(world.log, await send(world.log, [{ to: one }]), "SendDelayed");
    const asked = spare.requests.length;
    await eventually(world.log, await send(world.log, [{ to: other }]), "SendDelayed");
    expect([busy.requests.length, spare.requests.length]).toEqual([3, asked]);
  } finally {
    await world.close();
    await busy.close();
    await spare.close();
  }
});
