import { newId, streamOf, uuid7, type EventType } from "@heliograph/contracts";
import type { RoutingRules } from "@heliograph/runtime";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { service } from "../src/index.ts";
import { runBacktest } from "../src/backtests/run.ts";
import { noSums, packSums, sumsView, unpackSums } from "../src/backtests/sums.ts";
import { addBacktest, backtestJobs } from "../src/tables/backtests.ts";
import { failedBy, requestOf, rule, sentBy, window } from "./backtests-scene.ts";
import { simulator } from "./harness.ts";

const mobile = simulator("sms", { name: "dear", cost: "0.01" });
const cheap = simulator("sms", { gateway_id: newId("gtw"), name: "cheap", cost: "0.004" });
const mail = simulator("email", { gateway_id: newId("gtw"), name: "mail", cost: "0.001" });
const unknown = simulator("sms", { gateway_id: newId("gtw"), name: "unknown", weight: 0 });

let world: World;
let admin: string;
let other: { readonly id: string; readonly key: string };
let partner: { readonly id: string; readonly key: string };
beforeAll(async () => {
  world = await openWorld({
    services: [service],
    gateways: [mobile, cheap, mail, unknown],
    partners: [{}, {}],
  });
  [partner, other] = world.partners as [typeof partner, typeof other];
  admin = await world.addKey(partner.id, { admin: true });
});
afterAll(() => world.close());

/** A message with what became of it, as its consumers would have written it. */
async function message(
  to: string,
  after: readonly (readonly [EventType, object])[],
  { whose = partner.id, ...more }: { whose?: string; [field: string]: unknown } = {},
): Promise<string> {
  const id = newId("msg");
  const request = requestOf(id, to, more);
  const context = { channel: "sms" as const, to };
  const events = [["MessageRequested", request] as const, ...after].map(([type, data]) => ({
    id: uuid7(),
    type,
    data:
      type === "MessageRequested"
        ? data
        : {
            message_id: id,
            ...data,
            ...(type !== "DispatchAttemptFailed" && { message: context }),
          },
    metadata: { partner: whose },
  }));
  const log = world.platform.contexts.sandbox.log;
  const [outcome] = await log.append([
    { stream: streamOf("message", id), expected: "no_stream", events },
  ]);
  expect(outcome).toMatchObject({ kind: "appended" });
  return id;
}
const ask = (body: object, key = admin) =>
  world.call("POST", "/api/v1/backtests", {
    key,
    body: { environment: "sandbox", ...window(), ...body },
  });
const get = (id: string, key = admin) => world.call("GET", `/api/v1/backtests/${id}`, { key });
async function ran(body: object) {
  // The window ends before this very millisecond, in which the last message may have been recorded.
  const recorded = Date.now();
  await until(() => Date.now() > recorded);
  const asked = await ask(body);
  expect([asked.status, asked.text]).toEqual([202, expect.any(String)]);
  return until(async () => {
    const { body: found } = await get(asked.body.id as string);
    return found.status === "done" && found;
  });
}

test("rules and prices are tried on what was sent, against what happened, and nothing is appended", async () => {
  const moved = await message("+48500100200", [sentBy("dear")]);
  const stays = await message("+15551230001", [sentBy("cheap")]);
  const failed = await message("+48500100201", [failedBy("cheap"), sentBy("dear")]);
  await message("+48500100202", [["MessageCanceled", { cost: "0.02", currency: "USD" }]]);
  await message("+48500100203", []);
  await message("+48500100204", [sentBy("gone")]);
  await message("+48500100205", [sentBy("dear")], { whose: other.id });
  const heads = await world.heads();
  const found = await ran({
    partner: partner.id,
    routing: { rules: [rule([cheap.gateway_id, mobile.gateway_id])] },
    prices: {
      entries: [
        { channel: "sms", prefix: "", per_segment: "0.02" },
        { channel: "sms", prefix: "48", per_segment: "0.005" },
      ],
    },
  });
  expect(await world.heads()).toBe(heads);
  expect(found).toMatchObject({
    health: "neutral",
    progress: 1,
    complete: true,
    rules: 1,
    prices: 2,
    partner: partner.id,
  });
  const { result } = found;
  expect(result).toMatchObject({
    judged: 4,
    not_judged: { never_sent: 1, under_way: 1 },
    gateway_changed: 2,
    gateway_drawn: 0,
    repriced: 4,
    not_carried: 0,
    cost_unknown: 1,
    totals: [
      {
        currency: "USD",
        before: { messages: 4, cost: "0.048", charge: "0.08" },
        // Two segments each: one at 0.004 moved, one that stayed there, and one that the cheap gateway had failed.
        after: { messages: 4, cost: "0.036", charge: "0.07" },
        cost_difference: "-0.012",
        charge_difference: "-0.01",
      },
    ],
  });
  expect(result.by_country).toMatchObject([
    { name: "PL", charge_difference: "-0.03" },
    { name: "US", charge_difference: "0.02", cost_difference: "0" },
  ]);
  expect(result.by_gateway).toContainEqual(
    expect.objectContaining({
      name: "dear",
      before: { messages: 2, cost: "0.04", charge: "0.04" },
      after: { messages: 1, cost: "0.02", charge: "0.01" },
    }),
  );
  const shown = result.examples as {
    message_id: string;
    after: object;
    decision: { reason: string };
  }[];
  const example = (id: string) => shown.find((each) => each.message_id === id)!;
  expect(example(moved)).toMatchObject({
    before: { gateway: "dear", cost: "0.02", charge: "0.02" },
    after: { gateway: "cheap", cost: "0.008", charge: "0.01" },
    decision: { reason: "rule 1: the first of 2 usable gateways" },
  });
  expect(example(failed)).toMatchObject({
    after: { gateway: "dear" },
    decision: { reason: "rule 1: fail-over from cheap" },
  });
  expect(example(stays)).toMatchObject({ after: { gateway: "cheap", charge: "0.04" } });
  // Whom it went to is nobody's business here.
  expect(JSON.stringify(found)).not.toContain("500100");
});

test("prices alone leave each message where it went, and what no rule carries costs nothing", async () => {
  const whose = (await world.addPartner()).id;
  await message("+48500100200", [sentBy("dear")], { whose });
  await message("+15551230001", [sentBy("dear")], { whose, currency: "EUR" });
  const prices = await ran({
    partner: whose,
    prices: { entries: [{ channel: "sms", prefix: "", per_segment: "0.5" }] },
  });
  expect(prices.result).toMatchObject({ judged: 2, repriced: 1, gateway_changed: 0 });
  expect(
    prices.result.totals
      .map(({ currency, charge_difference }: Record<string, string>) => [
        currency,
        charge_difference,
      ])
      .toSorted(),
  ).toEqual([
    ["EUR", "0"],
    ["USD", "0.98"],
  ]);
  expect(prices.result.examples[0]).not.toHaveProperty("decision");
  const lacking = await ran({
    partner: whose,
    prices: { list: "standard", entries: [{ channel: "email", prefix: "", per_segment: "1" }] },
  });
  expect(lacking.result).toMatchObject({ judged: 1, not_judged: { no_price: 1 } });
});

test("a message with further steps is judged on the step that counts, by the gateway that took that step", async () => {
  const whose = (await world.addPartner()).id;
  const failover = [
    {
      channel: "email",
      to: "a@example.com",
      content: { subject: "Hello", text: "Hello" },
      on: ["failed"],
      cost: "0.01",
      price: { list: "standard", version: 1, country: "", per_segment: "0.01" },
      segments: { count: 1, encoding: "none", characters: 5 },
    },
  ];
  const next = [
    "FailoverStarted",
    { step: 1, trigger: "failed", expires_at: "2099-01-01T00:00:00.000Z", reason: "it failed" },
  ] as const;
  const error = { code: "x", class: "provider", permanent: true };
  const money = { cost: "0.02", currency: "USD" };
  const exhausted = ["DispatchExhausted", { attempts: 2, error, ...money, reason: "all" }] as const;
  const stepFailed = ["FailoverStepFailed", { step: 1, error, reason: "no more" }] as const;
  const settled = (step: number) =>
    ["MessageSettled", { step, ...money, reason: "it may arrive" }] as const;
  const [first, second] = [
    [failedBy("cheap"), sentBy("dear")],
    [sentBy("mail", 1), settled(1)],
  ];
  const send = (after: readonly (readonly [EventType, object])[]) =>
    message("+48500100200", after, { whose, failover });
  await send([...first, next]);
  await send([...first, next, exhausted]);
  await send([...first, next, ...second]);
  await send([...first, next, stepFailed, settled(0)]);
  const { result } = await ran({
    partner: whose,
    routing: {
      rules: [
        rule([cheap.gateway_id, mobile.gateway_id], { match: { channel: "sms" } }),
        rule([mail.gateway_id], { match: { channel: "email" } }),
      ],
    },
  });
  expect(result).toMatchObject({
    judged: 2,
    not_judged: { under_way: 1, never_sent: 1 },
    // The cheap one had failed the first step of the last message.
    gateway_changed: 0,
  });
  expect(
    result.by_gateway
      .map(({ name, before }: { name: string; before: object }) => [name, before])
      .toSorted(),
  ).toMatchObject([
    ["dear", { messages: 1 }],
    ["mail", { messages: 1, cost: "0.001", charge: "0.01" }],
  ]);
  expect(result.by_channel.map(({ name }: { name: string }) => name).toSorted()).toEqual([
    "email",
    "sms",
  ]);
});

test("what was erased is not judged, and no sealed recipient is shown", async () => {
  const whose = (await world.addPartner()).id;
  const { vault } = world.platform.contexts.sandbox;
  const seals = await vault.seals([
    { partner: whose, subject: "cnt_A" },
    { partner: whose, subject: "cnt_B" },
  ] as never);
  await message(seals[0]!("+48500100200"), [sentBy("dear")], { whose });
  await message(seals[1]!("+48500100201"), [sentBy("dear")], { whose });
  await vault.destroy(whose, ["cnt_A"]);
  const found = await ran({
    partner: whose,
    routing: { rules: [rule([cheap.gateway_id], { match: { country_prefix: "+48" } })] },
  });
  expect(found.result).toMatchObject({
    judged: 1,
    not_judged: { recipient_erased: 1 },
    gateway_changed: 1,
  });
});

test("a run that is ended between two pages goes on there, and comes to the same as one that was not", async () => {
  const whose = (await world.addPartner()).id;
  const { log, vault } = world.platform.contexts.sandbox;
  const reached = await log.head();
  for (let count = 0; count < 120; count++)
    await message(`+4850010${1_000 + count}`, [sentBy(count % 2 ? "dear" : "cheap")], { whose });
  const to = await log.head();
  const { signal } = new AbortController();
  const asked = {
    from: "",
    to: "",
    partner: whose,
    by: whose,
    rules: [rule([cheap.gateway_id, mobile.gateway_id], { policy: "weighted" })] as RoutingRules,
    prices: undefined,
    gateways: [mobile, cheap],
  };
  const whole = noSums();
  expect(
    await runBacktest({ log, vault }, asked, { reached, to }, whole, async () => true, signal),
  ).toBe(true);
  expect(whole).toMatchObject({ judged: 120, drawn: whole.gatewayChanged });
  // By weight some go elsewhere and some stay, the same ones each time.
  expect(whole.gatewayChanged).toBeGreaterThan(20);
  expect(whole.gatewayChanged).toBeLessThan(100);
  let at = reached;
  const stop = async (position: bigint) => ((at = position), false);
  const part = noSums();
  expect(
    await runBacktest({ log, vault }, asked, { reached, to }, part, stop, signal),
  ).toBeUndefined();
  expect(part.judged).toBe(100);
  const rest = unpackSums(packSums(part));
  expect(
    await runBacktest({ log, vault }, asked, { reached: at, to }, rest, async () => true, signal),
  ).toBe(true);
  expect(sumsView(rest)).toEqual(sumsView(whole));

  // Each is read, also where another partner's are asked for.
  const full = { ...noSums(), seen: 9_999_900 };
  const others = { ...asked, partner: other.id };
  expect(
    await runBacktest({ log, vault }, others, { reached, to }, full, async () => true, signal),
  ).toBe(false);
  expect(full).toMatchObject({ seen: 10_000_000, judged: 0 });

  // Four damaged ones say nothing, and the others are judged.
  const cost = (data: object): object => ({ ...data, cost: "?" });
  const damages = [() => null, cost, (data: object) => ({ ...data, channel: "pigeon" })];
  const damaged = {
    ...log,
    readStreams: (async (streams: readonly string[]) =>
      new Map(
        [...(await log.readStreams(streams))].map(([stream, events], index) => {
          const at = index === 3 ? 1 : 0;
          const damage = index === 3 ? damages[0] : damages[index];
          const changed = { ...events[at]!, data: damage?.(events[at]!.data) };
          return [stream, damage === undefined ? events : events.with(at, changed as never)];
        }),
      )) as typeof log.readStreams,
  };
  const some = noSums();
  const page = { reached, to: at };
  await runBacktest({ log: damaged, vault }, asked, page, some, async () => true, signal);
  expect(some).toMatchObject({ judged: 96, notJudged: { unreadable: 4 } });
});

test("what cannot be tried is refused with its place, and who is no operator learns nothing", async () => {
  const refused = async (body: object): Promise<readonly string[]> => {
    const answer = await ask(body);
    expect(answer.status).toBe(422);
    return (answer.body.errors as { path: string }[]).map(({ path }) => path);
  };
  const routing = { rules: [rule([cheap.gateway_id])] };
  expect(await refused({})).toEqual(["routing"]);
  expect(
    await refused({ routing, from: "2026-01-01T00:00:00Z", to: "2026-02-02T00:00:00Z" }),
  ).toEqual(["to"]);
  expect(
    await refused({ routing, to: "2099-01-01T00:00:00Z", from: "2098-12-31T00:00:00Z" }),
  ).toEqual(["to"]);
  expect(await refused({ routing, partner: newId("ptn") })).toEqual(["partner"]);
  expect(
    await refused({
      routing: { rules: [rule([newId("gtw")], { match: { partner: newId("ptn") } })] },
    }),
  ).toEqual(["routing.rules.0.gateways.0", "routing.rules.0.match.partner"]);
  const entry = { channel: "sms", prefix: "", per_segment: "1" };
  expect(await refused({ prices: { entries: [entry, entry] } })).toEqual(["prices.entries.1"]);
  expect(
    await refused({ routing: { rules: [rule([cheap.gateway_id], { match: { sender: 7 } })] } }),
  ).toEqual(["routing.rules.0.match.sender"]);

  const { id } = await ran({
    routing: { rules: [rule([cheap.gateway_id], { match: { sender: "'; drop" } })] },
  });
  const sandbox = await world.addKey(partner.id, { scopes: ["admin"] });
  expect((await get(id, partner.key)).status).toBe(403);
  expect((await get(id, sandbox)).status).toBe(200);
  const live = await ask({ environment: "live", prices: { entries: [entry] } });
  expect(live.status).toBe(202);
  expect((await get(live.body.id as string, sandbox)).status).toBe(404);
  expect((await ask({ environment: "live", prices: { entries: [entry] } }, sandbox)).status).toBe(
    404,
  );
  expect(
    (await world.call("POST", `/api/v1/backtests/${live.body.id}/cancel`, { key: sandbox })).status,
  ).toBe(404);
  expect((await get("bkt_x", admin)).status).toBe(404);
  expect((await world.call("POST", `/api/v1/backtests/${id}/cancel`, { key: admin })).status).toBe(
    409,
  );
  const list = await world.call("GET", "/api/v1/backtests?environment=sandbox&limit=1", {
    key: admin,
  });
  expect(list.body).toMatchObject({
    data: [{ id, status: "done", rules: 1, prices: null }],
    next_cursor: expect.any(String),
  });
  // What was asked is up to a megabyte: neither the list nor the result reads it.
  const { pool } = world.platform.contexts.sandbox;
  await pool.query("update backtests.runs set asked = 'not read' where id = $1", [id]);
  const again = await world.call("GET", "/api/v1/backtests?environment=sandbox&limit=1", {
    key: admin,
  });
  expect([again.body, (await get(id)).status]).toEqual([list.body, 200]);
});

test("one runs at a time and is fenced: who lost it to another, or to a cancellation, stops; what nobody goes on with fails", async () => {
  const { pool } = world.platform.contexts.live;
  const asked = {
    from: "",
    to: "",
    partner: undefined,
    by: partner.id,
    rules: [],
    prices: undefined,
    gateways: [],
  };
  const [one, two, first, second] = [
    newId("bkt"),
    newId("bkt"),
    crypto.randomUUID(),
    crypto.randomUUID(),
  ];
  const none = packSums(noSums());
  await until(
    async () =>
      (await pool.query("select from backtests.runs where finished_at is null")).rowCount === 0,
  );
  for (const id of [one, two]) await addBacktest(pool, id, asked, { after: 0n, to: 5n });
  const age = () =>
    pool.query(
      "update backtests.runs set updated_at = now() - interval '1 minute' where status = 'running'",
    );
  expect(await backtestJobs.claim(pool, first)).toMatchObject({ id: one });
  expect(await backtestJobs.claim(pool, second)).toBeUndefined();
  expect(await backtestJobs.note(pool, one, first, { reached: 3n, sums: none })).toBe(true);
  await age();
  expect(await backtestJobs.claim(pool, second)).toMatchObject({
    id: one,
    reached: 3n,
    sums: none,
  });
  expect(await backtestJobs.note(pool, one, first, { reached: 4n, sums: none })).toBe(false);
  for (let tries = 0; tries < 4; tries++) {
    await age();
    await backtestJobs.claim(pool, second);
  }
  await age();
  expect(await backtestJobs.claim(pool, second)).toMatchObject({ id: two });
  expect((await get(one)).body).toMatchObject({
    status: "failed",
    error: expect.stringContaining("5 times"),
  });
  const canceled = await world.call("POST", `/api/v1/backtests/${two}/cancel`, { key: admin });
  expect(canceled.body).toMatchObject({ status: "canceled", progress: 0 });
  expect(await backtestJobs.note(pool, two, second, { reached: 1n, sums: none })).toBe(false);
});
