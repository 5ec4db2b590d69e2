import type { Attempt } from "@heliograph/gateways";
import { afterEach, expect, test } from "vitest";
import { alwaysClosed } from "../src/breaker.ts";
import { createBucket, noBucket } from "../src/bucket.ts";
import { createCaller } from "../src/caller.ts";
import type { Connections } from "../src/connections.ts";
import { Inbox } from "../src/inbox.ts";
import type { Task, Waiting } from "../src/job.ts";
import { type Chosen, Lanes } from "../src/lanes.ts";
import { createRest } from "../src/rest.ts";
import { newLogger } from "@heliograph/runtime";
import { loosely } from "@heliograph/testkit";
import { simulator } from "./harness.ts";
import { loneConnections } from "./lone-connections.ts";

const logger = newLogger("silent");
const opened: Connections[] = [];
afterEach(async () => {
  for (const connections of opened.splice(0)) await connections.close();
});

function open(changes: Parameters<typeof simulator>[1] = {}) {
  const connections = loneConnections({
    now: () => 0,
    bucketOf: ({ max_per_second: rate }) => (rate === undefined ? noBucket : createBucket(rate, 0)),
  });
  connections.reconcile([simulator("sms", changes)], []);
  opened.push(connections);
  const lanes = new Lanes();
  const around = { gateways: connections, random: () => 0, isUntimely: () => false, now: 0 };
  return {
    connections,
    lanes,
    admit: (limit: number) => lanes.admit(limit, around).chosen,
  };
}
const job = (messageId: string, lane: string, priority: number, partner?: string): Waiting => ({
  phase: "waiting",
  messageId,
  mark: undefined,
  task: {
    messageId,
    lane,
    since: 0,
    state: {
      request: {
        channel: "sms",
        to: "+15550100001",
        price: { country: "US" },
        segments: {},
        priority,
      },
      requestEvent: { metadata: partner === undefined ? {} : { partner } },
      failed: [],
    },
  } as unknown as Task,
});
const of = (partner: string, id: string, { priority = 1 } = {}): Waiting =>
  job(id, id, priority, partner);
const ids = (chosen: readonly Chosen[]) => chosen.map((each) => each.job.messageId);

test("the highest priority goes first, and every eighth turn is the lowest's", () => {
  const { lanes, admit } = open();
  for (let index = 0; index < 30; index++)
    for (const priority of [0, 1, 3])
      lanes.add(job(`${priority}`, `${priority}.${index}`, priority));
  expect(ids(admit(24)).join("")).toBe("333333303333333033333330");
});

test("for one recipient too, the higher priority goes first, and its equals in the order of arrival", () => {
  const { lanes, admit } = open();
  for (const [id, priority] of [
    ["a", 1],
    ["b", 0],
    ["c", 1],
    ["d", 3],
    ["e", 2],
    ["f", 3],
  ] as const)
    lanes.add(job(id, "one", priority));
  // The eighth turn falls into the next admission.
  expect(ids(admit(6))).toEqual(["d", "f", "e", "a", "c", "b"]);
});

test("a recipient's lane is not forgotten while it drives, whatever the lists still have of an earlier one", () => {
  const { lanes, admit } = open();
  const [low, high, next] = [job("low", "one", 0), job("high", "one", 1), job("next", "one", 0)];
  // It is listed under each priority that was its first.
  lanes.add(low);
  lanes.add(high);
  expect(ids(admit(2))).toEqual(["high", "low"]);
  lanes.called("one", 1);
  lanes.called("one", 1);
  lanes.rest("one");
  expect(lanes.of("one")).toBeUndefined();
  // The recipient's next message comes, and drives.
  lanes.add(next);
  lanes.run("one", undefined);
  expect(ids([...admit(1), ...admit(1)])).toEqual(["next"]);
  expect(lanes.of("one")).toMatchObject({ running: true });
});

/** A job that is called, and what its caller handed in. */
function calling(options: { silentForMs: number; owner: boolean; dead?: boolean }) {
  const { lanes, connections, admit } = open();
  const asked: string[] = [];
  const broken: unknown[] = [];
  const inbox = new Inbox();
  let proof: () => Promise<boolean> = async () => options.owner;
  const caller = createCaller({
    logger,
    now: () => 0,
    ownership: {
      alive: options.dead !== true,
      provedAt: performance.now() - options.silentForMs,
      prove() {
        asked.push("prove");
        return proof();
      },
    },
    inbox,
    broken: (error) => broken.push(error),
    files: async () => ({ type: "not_called" }),
  });
  lanes.add(job("a", "one", 1));
  const [taken] = admit(1);
  const { connection, choice, ticket } = taken!;
  const sending: Attempt = {
    attemptId: "atp_1",
    messageId: "a",
    attempt: 1,
    channel: "sms",
    to: "+1",
    content: {},
    partner: "ptn_1",
  };
  const group = { id: "1", open: new Map() };
  const given = { connection, choice, ticket, sending, group };
  return {
    asked,
    broken,
    connections,
    proving: (next: typeof proof) => (proof = next),
    gateway: connection.gateway,
    async call() {
      await caller.call({ phase: "called", messageId: "a", task: taken!.job.task, given });
      return inbox
        .take()
        .map((input) => (input.type === "answered" ? input.result.type : input.type));
    },
  };
}

test("an owner that has heard of its database just now calls without asking", async () => {
  const { asked, call } = calling({ silentForMs: 0, owner: true });
  expect([await call(), asked]).toEqual([["accepted"], []]);
});

test("an owner that has not heard of it for five seconds proves its ownership before it calls", async () => {
  const { asked, call } = calling({ silentForMs: 5_001, owner: true });
  expect([await call(), asked]).toEqual([["accepted"], ["prove"]]);
});

test("without ownership no call is made", async () => {
  const { call } = calling({ silentForMs: 5_001, owner: false });
  expect(await call()).toEqual(["not made"]);
});

test("once another owner has taken over no call is made, and nobody is asked", async () => {
  const { asked, call } = calling({ silentForMs: 0, owner: true, dead: true });
  expect([await call(), asked]).toEqual([["not made"], []]);
});

test("a gateway that throws leaves a doubt", async () => {
  const { call, gateway, broken } = calling({ silentForMs: 0, owner: true });
  Object.assign(gateway, { send: () => Promise.reject(new Error("what it did not expect")) });
  expect([await call(), broken]).toEqual([["uncertain"], []]);
});

test("what breaks before a call is reported, and the call is not made", async () => {
  const { call, proving, broken } = calling({ silentForMs: 5_001, owner: true });
  const error = new RangeError("Invalid time value");
  proving(() => Promise.reject(error));
  expect([await call(), broken]).toEqual([["not made"], [error]]);
});

test("who waits for one of the channel's gateways holds nobody up who may have another", () => {
  const { connections, lanes, admit } = open();
  const busy = simulator("sms", { name: "busy", gateway_id: "gtw_busy", max_per_second: 0.01 });
  const free = simulator("sms", { name: "free", gateway_id: "gtw_free" });
  const gateways = [busy.gateway_id, free.gateway_id];
  connections.reconcile(
    [busy, free],
    [{ match: { partner: "ptn_a" }, policy: "priority", gateways, failover: false }],
  );
  for (const id of ["a1", "a2", "a3"]) lanes.add(of("ptn_a", id));
  for (const id of ["b1", "b2"]) lanes.add(of("ptn_b", id));
  expect(ids(admit(10))).toEqual(["a1", "b1", "b2"]);
  expect(lanes.waiting).toBe(2);
  lanes.add(of("ptn_b", "b3"));
  expect(ids(admit(10))).toEqual(["b3"]);
});

test("partners have their turns one after the other, however much one of them has and however urgent he calls it", () => {
  const { lanes, admit } = open({ max_concurrent: 1_024 });
  for (let index = 0; index < 1_000; index++)
    lanes.add(of("flooder", `f${index}`, { priority: 3 }));
  for (let index = 0; index < 10; index++) lanes.add(of("other", `o${index}`, { priority: 0 }));
  const first = ids(admit(21));
  expect(first.filter((id) => id.startsWith("o"))).toHaveLength(10);
  // Who is alone has all there is.
  expect(admit(500)).toHaveLength(500);
});

test("a partner keeps his turn while the gateways that he waits for are at their limit", () => {
  const { connections, lanes, admit } = open();
  const slow = simulator("sms", { name: "slow", gateway_id: "gtw_slow" });
  const free = simulator("sms", { name: "free", gateway_id: "gtw_free" });
  const rule = (partner: string, gateway: string) => ({
    match: { partner },
    policy: "priority" as const,
    gateways: [gateway],
    failover: false,
  });
  connections.reconcile(
    [slow, free],
    [rule("flooder", "gtw_slow"), rule("other", "gtw_slow"), rule("third", "gtw_free")],
  );
  const [one] = connections.all;
  let places = 0;
  Object.defineProperty(one, "full", { get: () => places === 0 });
  one!.bucket = {
    has: () => true,
    take: () => void places--,
    nextAt: (at) => at,
    asking: false,
    close: () => undefined,
  };
  for (let index = 0; index < 100; index++) lanes.add(of("flooder", `f${index}`));
  for (let index = 0; index < 3; index++) lanes.add(of("other", `o${index}`));
  const order: string[] = [];
  for (let round = 0; round < 6; round++) {
    lanes.add(of("third", `t${round}`));
    places = 1;
    order.push(...ids(admit(500)).map((id) => id[0]!));
  }
  expect(order.join("")).toBe("ftotftotftot");
});

test("what is put off comes back when the gateways of its own way may have it", () => {
  const { connections, lanes } = open();
  const gateways = [
    simulator("sms", { name: "slow", gateway_id: "gtw_slow", max_per_second: 1 }),
    simulator("sms", { name: "fast", gateway_id: "gtw_fast", max_per_second: 1_000 }),
    simulator("sms", { name: "away", gateway_id: "gtw_away" }),
  ];
  const rule = (partner: string, gateway: string) => ({
    match: { partner },
    policy: "priority" as const,
    gateways: [gateway],
    failover: true,
  });
  connections.reconcile(gateways, [
    rule("a", "gtw_slow"),
    rule("b", "gtw_fast"),
    rule("c", "gtw_away"),
  ]);
  const away = connections.byName("away")!;
  Object.defineProperties(away, { unhealthy: { value: "broken" }, nextAt: { value: () => 7_000 } });
  for (const partner of ["a", "b", "c"])
    for (let index = 0; index < 10; index++) lanes.add(of(partner, `${partner}${index}`));
  const spilled = lanes.spill(1, connections, 0);
  expect(spilled).toHaveLength(30);
  const of_ = (partner: string): number[] =>
    spilled
      .filter(({ job: { messageId } }) => messageId.startsWith(partner))
      .map(({ forMs }) => forMs);
  expect(of_("a")).toEqual(Array.from({ length: 10 }, (_, index) => index * 1_000));
  expect(Math.max(...of_("b"))).toBeLessThan(10);
  expect(new Set(of_("c"))).toEqual(new Set([7_000]));
  expect(lanes.waiting).toBe(0);
});

test("lanes whose messages went back to their rows are forgotten while no gateway has room", () => {
  let looks = 0;
  const down: { name: string; unhealthy: string | undefined; full: boolean } = {
    name: "a",
    unhealthy: "it is down",
    get full() {
      looks++;
      return false;
    },
  };
  const connection = Object.assign(down, {
    open: 0,
    bucket: noBucket,
    breaker: alwaysClosed,
    rest: createRest(1),
    nextAt: () => undefined,
  });
  const gateways: Connections = loosely({
    forChannel: () => [connection],
    routeOf: () => ({ candidates: [connection], policy: "weighted", failover: true }),
  });
  const around = { gateways, random: () => 0, isUntimely: () => false, now: 0 };
  const lanes = new Lanes();
  for (let times = 0; times < 1_000; times++) {
    lanes.add(of("p", "a"));
    expect(ids(lanes.admit(10, around).chosen)).toEqual([]);
    expect(lanes.spill(1, gateways, 0)).toHaveLength(1);
  }
  down.unhealthy = undefined;
  looks = 0;
  lanes.add(of("p", "a"));
  expect(ids(lanes.admit(10, around).chosen)).toEqual(["a"]);
  // Every lane that is looked at asks whether there is room.
  expect(looks).toBeLessThan(10);
});
