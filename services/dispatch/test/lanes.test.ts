import { until } from "@heliograph/testkit";
import { afterEach, expect, test } from "vitest";
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
    tools: {
      logger,
      masterKey: Buffer.alloc(32),
      declaring: { smtpUrls: [], logGatewayChannels: [] },
      onReceipt: () => undefined,
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
  const of = (partner: string, id: string): Job => {
    const made = job(id, id, 1);
    Object.assign(made.state.requestEvent, { metadata: { partner } });
    return made;
  };
  for (const id of ["a1", "a2", "a3"]) lanes.add(of("ptn_a", id));
  for (const id of ["b1", "b2"]) lanes.add(of("ptn_b", id));
  expect(ids(lanes.admit(10))).toEqual(["a1", "b1", "b2"]);
  expect(lanes.waiting).toBe(2);
  lanes.add(of("ptn_b", "b3"));
  expect(ids(lanes.admit(10))).toEqual(["b3"]);
});
