import { until } from "@heliograph/testkit";
import { afterEach, expect, test } from "vitest";
import { createBucket, noBucket } from "../src/bucket.ts";
import { createCaller } from "../src/caller.ts";
import { createConnections, type Connections } from "../src/connections.ts";
import type { Job } from "../src/job.ts";
import { createLanes } from "../src/lanes.ts";
import { newLogger } from "@heliograph/runtime";
import { simulator } from "./harness.ts";

const logger = newLogger("silent");
const opened: Connections[] = [];
afterEach(async () => {
  for (const connections of opened.splice(0)) await connections.close();
});

function open(changes: Parameters<typeof simulator>[1] = {}) {
  const connections = createConnections({
    environment: "sandbox",
    retryScale: 1,
    now: () => 0,
    bucketOf: ({ max_per_second: rate }) => (rate === undefined ? noBucket : createBucket(rate, 0)),
    partOf: (calls) => calls,
    tools: {
      logger,
      masterKey: Buffer.alloc(32),
      declaring: { smtpUrls: [], logGatewayChannels: [] },
      onReceipt: async () => undefined,
      origin: "",
    },
    refused: (_, error) => {
      throw error;
    },
  });
  connections.reconcile([simulator("sms", changes)], []);
  opened.push(connections);
  const called: string[] = [];
  const broken: unknown[] = [];
  let fails: Error | undefined;
  const lanes = createLanes({
    connections,
    now: () => 0,
    random: () => 0,
    async call(job) {
      called.push(job.messageId);
      if (fails !== undefined) throw fails;
      return 1;
    },
    broken: (error) => broken.push(error),
    unfit: (job) => {
      throw new Error(job.messageId);
    },
  });
  return { connections, lanes, called, broken, fail: (error: Error) => (fails = error) };
}
const job = (messageId: string, lane: string, priority: number): Job =>
  ({
    messageId,
    lane,
    stream: "",
    attempt: 1,
    call: 1,
    causation: "",
    expiresAt: 1_000,
    isExpired: () => false,
    since: 0,
    mark: undefined,
    state: {
      request: { channel: "sms", to: "+15550100001", price: { country: "US" }, priority },
      requestEvent: { metadata: {} },
      failed: [],
    },
  }) as unknown as Job;
const of = (
  partner: string,
  id: string,
  changes: Partial<Job> & { priority?: number } = {},
): Job => {
  const { priority = 1, ...rest } = changes;
  const made = { ...job(id, id, priority), ...rest };
  Object.assign(made.state.requestEvent.metadata, { partner });
  return made;
};
const ids = (jobs: readonly Job[]) => jobs.map(({ messageId }) => messageId);

test("the highest priority goes first, and every eighth turn is the lowest's", () => {
  const { lanes } = open();
  for (let index = 0; index < 30; index++)
    for (const priority of [0, 1, 3])
      lanes.add(job(`${priority}`, `${priority}.${index}`, priority));
  expect(ids(lanes.admit(24)).join("")).toBe("333333303333333033333330");
});

test("for one recipient too, the higher priority goes first, and its equals in the order of arrival", () => {
  const { lanes } = open();
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
  expect(ids(lanes.admit(6))).toEqual(["d", "f", "e", "a", "c", "b"]);
});

test("a call that throws is reported, and takes neither the process nor the gateway's places with it", async () => {
  const { lanes, broken, called, connections, fail } = open({ max_concurrent: 1 });
  fail(new Error("what a gateway said could not be settled"));
  for (const [count, id] of ["a", "b"].entries()) {
    lanes.add(job(id, id, 1));
    lanes.run(lanes.admit(1));
    await until(() => broken.length === count + 1);
    connections.all[0]!.open--;
  }
  expect(called).toEqual(["a", "b"]);
  expect(connections.all[0]!.active).toBe(0);
});

/** A job that is admitted, and what its caller reported. */
function admitted(options: { silentForMs: number; owner: boolean; dead?: boolean }) {
  const { lanes, connections } = open();
  const asked: string[] = [];
  const settled: string[] = [];
  const unsettled: unknown[] = [];
  let settle = (_: Job, { type }: { type: string }): void => void settled.push(type);
  const caller = createCaller({
    logger,
    now: () => 0,
    alive: () => options.dead !== true,
    provedAt: () => performance.now() - options.silentForMs,
    async prove() {
      asked.push("prove");
      return options.owner;
    },
    settle: (...args) => settle(...args),
    unsettled: (_, error) => unsettled.push(error),
  });
  lanes.add(job("a", "one", 1));
  const [taken] = lanes.admit(1);
  taken!.sending = {
    attemptId: "atp_1",
    messageId: "a",
    attempt: 1,
    channel: "sms",
    to: "+1",
    content: {},
    partner: "ptn_1",
  };
  return {
    asked,
    settled,
    unsettled,
    connections,
    settling: (next: typeof settle) => (settle = next),
    call: () => caller.call(taken!),
    caller,
  };
}

test("an owner that has heard of its database just now calls without asking", async () => {
  const { asked, settled, call } = admitted({ silentForMs: 0, owner: true });
  await call();
  expect([asked, settled]).toEqual([[], ["accepted"]]);
});

test("an owner that has not heard of it for five seconds proves its ownership before it calls", async () => {
  const { asked, settled, call } = admitted({ silentForMs: 5_001, owner: true });
  await call();
  expect([asked, settled]).toEqual([["prove"], ["accepted"]]);
});

test("without ownership no call is made", async () => {
  const { settled, call, connections } = admitted({ silentForMs: 5_001, owner: false });
  await call();
  expect(settled).toEqual([]);
  expect(connections.all[0]!.stats.summary().calls).toBe(0);
});

test("once another owner has taken over no call is made, and nobody is asked", async () => {
  const { asked, settled, call, connections } = admitted({
    silentForMs: 0,
    owner: true,
    dead: true,
  });
  await call();
  expect([asked, settled]).toEqual([[], []]);
  expect(connections.all[0]!.stats.summary().calls).toBe(0);
});

test("an outcome that cannot be settled is reported as this message's and is thrown at nobody", async () => {
  const { unsettled, call, settling, caller } = admitted({ silentForMs: 0, owner: true });
  const error = new RangeError("Invalid time value");
  settling(() => {
    throw error;
  });
  await call();
  expect(unsettled).toEqual([error]);
  expect(caller.inFlight).toBe(0);
});

test("who waits for one of the channel's gateways holds nobody up who may have another", () => {
  const { connections, lanes } = open();
  const busy = simulator("sms", { name: "busy", gateway_id: "gtw_busy", max_per_second: 0.01 });
  const free = simulator("sms", { name: "free", gateway_id: "gtw_free" });
  const gateways = [busy.gateway_id, free.gateway_id];
  connections.reconcile(
    [busy, free],
    [{ match: { partner: "ptn_a" }, policy: "priority", gateways, failover: false }],
  );
  for (const id of ["a1", "a2", "a3"]) lanes.add(of("ptn_a", id));
  for (const id of ["b1", "b2"]) lanes.add(of("ptn_b", id));
  expect(ids(lanes.admit(10))).toEqual(["a1", "b1", "b2"]);
  expect(lanes.waiting).toBe(2);
  lanes.add(of("ptn_b", "b3"));
  expect(ids(lanes.admit(10))).toEqual(["b3"]);
});

test("partners have their turns one after the other, however much one of them has and however urgent he calls it", () => {
  const { lanes } = open({ max_concurrent: 1_024 });
  for (let index = 0; index < 1_000; index++)
    lanes.add(of("flooder", `f${index}`, { priority: 3 }));
  for (let index = 0; index < 10; index++) lanes.add(of("other", `o${index}`, { priority: 0 }));
  const first = ids(lanes.admit(21));
  expect(first.filter((id) => id.startsWith("o"))).toHaveLength(10);
  // Who is alone has all there is.
  expect(lanes.admit(500)).toHaveLength(500);
});

test("a partner keeps his turn while the gateways that he waits for are at their limit", () => {
  const { connections, lanes } = open();
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
    order.push(...ids(lanes.admit(500)).map((id) => id[0]!));
  }
  expect(order.join("")).toBe("ftotftotftot");
});

test("of the calls that wait for a place at a gateway each partner's has its turn", async () => {
  const { connections, lanes, called } = open({ max_concurrent: 1 });
  Object.defineProperty(connections.all[0], "full", { value: false });
  for (let index = 0; index < 6; index++) lanes.add(of("flooder", `f${index}`));
  lanes.add(of("other", "o"));
  const jobs = lanes.admit(500);
  expect(jobs).toHaveLength(7);
  lanes.run([...jobs].sort((one, two) => one.messageId.localeCompare(two.messageId)));
  await until(() => called.length === 7);
  // One was called at once, one was the next in its turn.
  expect(called.indexOf("o")).toBeLessThanOrEqual(2);
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
  const spilled = lanes.spill(1);
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
