import type { GatewayConfig } from "@heliograph/gateways";
import { loosely, type SmtpSink, type SpawnedService, until } from "@heliograph/testkit";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { eventually, history, send, settled, simulator, typesOf, type World } from "./harness.ts";
import { openProcesses, smtpGateway, type Processes } from "./processes.ts";

// Each test starts a process, which takes seconds on a busy machine.
vi.setConfig({ testTimeout: 90_000 });

let processes: Processes;
let world: World;
let sink: SmtpSink;
beforeEach(async () => {
  processes = await openProcesses([]);
  ({ world, sink } = processes);
});
afterEach(() => processes.close());

const work = (
  on_uncertain: GatewayConfig["on_uncertain"],
  failpoint = "",
  more: readonly GatewayConfig[] = [],
): SpawnedService =>
  processes.start({ gateways: [smtpGateway({ on_uncertain }), ...more], failpoint });
/** Whoever comes after a process that was killed. It needs none of its own, but under load: what asks for hundreds of streams here would keep it from its calls. */
async function goOn(
  on_uncertain: GatewayConfig["on_uncertain"],
  more: readonly GatewayConfig[] = [],
): Promise<void> {
  world.configure([smtpGateway({ on_uncertain }), ...more]);
  await world.dispatch();
}
async function killed(worker: SpawnedService): Promise<void> {
  if ((await worker.exited).signal !== "SIGKILL") throw new Error(worker.output());
}
const messageIds = () => sink.messages.map(({ raw }) => /^Message-ID:\s+(.*)$/m.exec(raw)![1]);

test.each([
  ["before the intent", "dispatch.before_intent:kill", 1, []],
  ["after the intent", "dispatch.after_intent:kill", 1, ["DispatchUncertain"]],
  ["before the call", "dispatch.before_provider:kill", 1, ["DispatchUncertain"]],
  ["after the provider's yes", "dispatch.after_provider:kill", 2, ["DispatchUncertain"]],
  ["after the append", "dispatch.after_append:kill", 1, []],
] as const)(
  "at least once, killed %s: the message is sent, and a second time only when nobody could know",
  async (_, failpoint, sends, doubt) => {
    const [id] = await send(world.log, [{ to: "ada@example.com" }]);
    await killed(work("at_least_once", failpoint));
    await goOn("at_least_once");
    const [types] = await eventually(world.log, [id!], "MessageSent", 20_000);
    expect(types).toEqual(["MessageRequested", ...doubt, "MessageSent"]);
    await settled(world);
    expect(sink.messages).toHaveLength(sends);
    // The second send carries the same reference, so that the provider's side can tell.
    expect(new Set(messageIds()).size).toBe(1);
  },
);

test.each([
  ["after the intent", "dispatch.after_intent:kill", 0],
  ["after the provider's yes", "dispatch.after_provider:kill", 1],
] as const)(
  "at most once, killed %s: no second send, the doubt is recorded, and without evidence the hold is freed",
  async (_, failpoint, sends) => {
    const [id] = await send(world.log, [{ to: "ada@example.com" }]);
    await killed(work("at_most_once", failpoint));
    await goOn("at_most_once");
    const [types] = await eventually(world.log, [id!], "DispatchExhausted", 20_000);
    expect(types).toEqual(["MessageRequested", "DispatchUncertain", "DispatchExhausted"]);
    expect(loosely((await history(world.log, id!)).at(-1)!.data).error).toMatchObject({
      code: "uncertain",
    });
    expect(sink.messages).toHaveLength(sends);
    await settled(world);
  },
);

test("killed in the middle of a provider call, under load: nothing is lost, and every doubt is recorded", async () => {
  sink.behave({ type: "accept", delayMs: 20 });
  const ids = await send(
    world.log,
    Array.from({ length: 200 }, (_, index) => ({ to: `user${index}@example.com` })),
  );
  const first = work("at_least_once");
  await until(() => sink.messages.length >= 20, { timeoutMs: 20_000 });
  first.kill("SIGKILL");
  await first.exited;
  work("at_least_once");
  const streams = await eventually(world.log, ids, "MessageSent", 30_000);
  await settled(world);
  const uncertain = streams.filter((types) => types.includes("DispatchUncertain")).length;
  const twice = sink.messages.length - ids.length;
  expect(new Set(messageIds()).size).toBe(ids.length);
  expect(uncertain).toBeGreaterThan(0);
  expect(twice).toBeLessThanOrEqual(uncertain);
  for (const types of streams)
    expect(types.filter((type) => type === "MessageSent")).toHaveLength(1);
});

test("a call that found no connection is not in doubt because another of its group was open when the process died", async () => {
  sink.behave({ type: "hang" });
  const more = [simulator("sms", { environment: "live", on_uncertain: "at_most_once" })];
  // The simulator takes 0013 for a recipient that no gateway takes.
  const [open, untaken] = await send(world.log, [
    { to: "ada@example.com" },
    { to: "+15005550013" },
  ]);
  const intents = async () =>
    (await world.pool.query("select calls from dispatch.intents")).rows.map(
      ({ calls }) => JSON.parse(calls) as string[][],
    );
  const first = work("at_most_once", "", more);
  await until(() => sink.messages.length === 1, { timeoutMs: 20_000 });
  await until(
    async () =>
      (await world.pool.query("select 1 from dispatch.timers where message_id = $1", [untaken]))
        .rowCount === 1,
    { timeoutMs: 20_000 },
  );
  expect((await intents()).map((calls) => calls.map(([id]) => id))).toEqual([[open]]);
  first.kill("SIGKILL");
  await first.exited;
  await goOn("at_most_once", more);
  const [types] = await eventually(world.log, [open!], "DispatchExhausted", 20_000);
  expect(types).toEqual(["MessageRequested", "DispatchUncertain", "DispatchExhausted"]);
  expect(await typesOf(world.log, untaken!)).toEqual(["MessageRequested"]);
});

test("SIGTERM under load drains: nothing is uncertain, the successor sends the rest, everything once", async () => {
  sink.behave({ type: "accept", delayMs: 20 });
  const ids = await send(
    world.log,
    Array.from({ length: 300 }, (_, index) => ({ to: `user${index % 40}@example.com` })),
  );
  const first = work("at_least_once");
  await until(() => sink.messages.length >= 30, { timeoutMs: 20_000 });
  expect(await first.stop()).toMatchObject({ code: 0 });
  expect(sink.messages.length).toBeLessThan(300);
  expect((await world.pool.query("select 1 from dispatch.intents")).rowCount).toBe(0);
  work("at_least_once");
  const streams = await eventually(world.log, ids, "MessageSent", 30_000);
  expect(
    streams.flat().filter((type) => type !== "MessageRequested" && type !== "MessageSent"),
  ).toEqual([]);
  expect(messageIds()).toHaveLength(300);
  expect(new Set(messageIds()).size).toBe(300);
});

test("two dispatchers on one environment make one provider call a message", async () => {
  const other = work("at_least_once");
  await goOn("at_least_once");
  await other.outputMatching(/running/);
  const ids = await send(
    world.log,
    Array.from({ length: 100 }, (_, index) => ({ to: `user${index}@example.com` })),
  );
  await eventually(world.log, ids, "MessageSent", 20_000);
  expect(sink.messages).toHaveLength(100);
});

test("a receipt proves an uncertain at-most-once attempt", async () => {
  const { recordReceipts } = await import("@heliograph/gateways");
  const [id] = await send(world.log, [{ to: "ada@example.com" }]);
  await killed(work("at_most_once", "dispatch.after_provider:kill"));
  const receipt = {
    message_id: id!,
    gateway: "smtp-1",
    provider_message_id: messageIds()[0]!,
    provider_event_id: "e1",
    status: "delivered" as const,
    occurred_at: new Date().toISOString(),
  };
  await recordReceipts(world.log, [{ receipt, partner: "ptn_x" }]);
  await goOn("at_most_once");
  await eventually(world.log, [id!], "MessageSent", 20_000);
  expect(await typesOf(world.log, id!)).toEqual([
    "MessageRequested",
    "DispatchUncertain",
    "MessageSent",
  ]);
  expect(loosely((await history(world.log, id!))[2]!.data).provider.message_id).toBe(
    messageIds()[0],
  );
});

const mailStep = {
  channel: "email" as const,
  to: "ada@example.com",
  content: { text: "Hello", subject: "Hello" },
  on: ["expired" as const],
  cost: "0.001",
  price: { list: "standard", version: 1, country: "", per_segment: "0.001" },
  segments: { count: 1, encoding: "none" as const, characters: 5 },
};

test.each([
  ["before its end is in the log", "dispatch.before_append:kill", []],
  ["after it is", "dispatch.after_append:kill", ["FailoverStarted"]],
] as const)(
  "killed when a step has ended, %s: the next one begins once, and is sent once",
  async (_, failpoint, stored) => {
    // Nobody takes it, and each step has an hour.
    const created_at = new Date(Date.now() - 3_600_000).toISOString();
    const expires_at = new Date(Date.now() + 500).toISOString();
    const order = { to: "+15550000001", created_at, expires_at, failover: [mailStep] };
    const [id] = await send(world.log, [order]);
    await killed(work("ask_provider", failpoint));
    expect(await typesOf(world.log, id!)).toEqual(["MessageRequested", ...stored]);
    await goOn("ask_provider");
    const [types] = await eventually(world.log, [id!], "MessageSent", 20_000);
    expect(types).toEqual(["MessageRequested", "FailoverStarted", "MessageSent"]);
    await settled(world);
    expect(sink.messages).toHaveLength(1);
  },
);
