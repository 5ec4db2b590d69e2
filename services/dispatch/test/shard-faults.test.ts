import type { GatewayConfig } from "@heliograph/gateways";
import { metricsRegister, startConsumers } from "@heliograph/runtime";
import {
  networkLink,
  until,
  type SmtpSink,
  type SpawnedService,
  partnerIn,
  placedFeed,
} from "@heliograph/testkit";
import { afterEach, expect, test, vi } from "vitest";
import { dispatchReactor } from "../src/consumer.ts";
import { eventually, history, send, settled, typesOf, type World } from "./harness.ts";
import { openProcesses, smtpGateway, type Processes } from "./processes.ts";

// Processes are started, which takes seconds on a busy machine.
vi.setConfig({ testTimeout: 90_000 });

const shards = 4;
const everyShard = [0, 1, 2, 3];
const partners = everyShard.map((shard) => partnerIn(shard, shards));
let processes: Processes;
let sink: SmtpSink;
let world: World;
afterEach(() => processes.close());

async function open(changes: Partial<GatewayConfig> = {}): Promise<void> {
  processes = await openProcesses([smtpGateway(changes)]);
  ({ world, sink } = processes);
}
const work = (failpoint: string, own?: string): SpawnedService =>
  processes.start({
    gateways: [smtpGateway()],
    failpoint,
    ...(own !== undefined && { shards: own }),
  });
let mails = 0;
/** Messages of one partner, each to a recipient of its own. */
const sendTo = (shard: number, count = 1, more: object = {}): Promise<string[]> =>
  send(
    world.log,
    Array.from({ length: count }, () => ({ to: `user${++mails}@example.com`, ...more })),
    partners[shard]!,
  );
const sendToAll = async (count: number): Promise<string[]> =>
  (await Promise.all(everyShard.map((shard) => sendTo(shard, count)))).flat();
const epochOf = async (shard: number): Promise<number> => {
  const { rows } = await world.pool.query("select epoch from dispatch.checkpoint where name = $1", [
    `dispatch/${shard}`,
  ]);
  return rows[0].epoch;
};
/** Another owner takes a shard, with an epoch far above those of all other shards. */
async function takeOver(shard: number): Promise<void> {
  await world.pool.query("update dispatch.checkpoint set epoch = epoch + 1000 where name = $1", [
    `dispatch/${shard}`,
  ]);
  const epoch = await epochOf(shard);
  // What is written next finds the old owner fenced; its timer is the new owner's to write.
  await sendTo(shard, 1, { send_at: new Date(Date.now() + 3_600_000).toISOString() });
  await until(async () => (await epochOf(shard)) > epoch, { what: "the shard has a new owner" });
}

test("a new owner of one shard leaves the calls and timers of the others alone", async () => {
  await open();
  await world.dispatch(placedFeed(world.log, shards, everyShard).feed);
  await eventually(world.log, await sendTo(0), "MessageSent", 20_000);
  sink.behave({ type: "accept", delayMs: 4_000 });
  const inFlight = await sendTo(0);
  await until(() => sink.messages.length === 2, { what: "the call is in flight" });
  sink.behave({ type: "accept" });
  const later = await sendTo(0, 3, { send_at: new Date(Date.now() + 2_000).toISOString() });

  await takeOver(1);
  const other = await sendTo(1, 3);
  const streams = await eventually(world.log, [...inFlight, ...other], "MessageSent", 20_000);
  for (const types of streams) expect(types).toEqual(["MessageRequested", "MessageSent"]);
  for (const types of await eventually(world.log, later, "MessageSent", 20_000))
    expect(types).toEqual(["MessageRequested", "MessageQueued", "MessageSent"]);
  expect(sink.messages).toHaveLength(8);
});

/** Commits that were refused because the epoch was another owner's, of shard 0. */
async function fenced(): Promise<number> {
  const metric = await metricsRegister.getSingleMetric("heliograph_consumer_fenced_total")!.get();
  return metric.values.find(({ labels }) => labels["consumer"] === "dispatch/0")?.value ?? 0;
}

test("of two dispatchers that both believe to own a shard the former can neither append nor commit", async () => {
  await open();
  const { rows: server } = await world.pool.query("show port");
  const link = await networkLink({ target: Number(server[0].port) });
  // Its lease is held over a line that goes silent, its work goes on over others: nobody tells it that its lease is gone.
  const former = await startConsumers(
    {
      ...world.context,
      connection: { ...world.context.connection, host: "127.0.0.1", port: link.port },
      feed: placedFeed(world.log, shards, [0]).feed,
    },
    [dispatchReactor()],
  );
  const status = former.statuses[0]!;
  try {
    await eventually(world.log, await sendTo(0), "MessageSent", 20_000);
    const epoch = await epochOf(0);
    const before = await fenced();
    const callMs = 1_500;
    sink.behave({ type: "accept", delayMs: callMs });
    const [doubtful] = await sendTo(0);
    await until(() => sink.messages.length === 2, { what: "the former owner's call is under way" });
    const calledAt = performance.now();
    sink.behave({ type: "accept" });
    link.weather({ silences: 1 });
    const { rows: ended } = await world.pool.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'heliograph lease'",
    );
    expect(ended).toHaveLength(1);
    await world.dispatch(placedFeed(world.log, shards, [0]).feed);
    // The call that was announced and not recorded is uncertain to the new owner, who makes it again.
    const decided = [["MessageRequested", "DispatchUncertain", "MessageSent"]];
    expect(await eventually(world.log, [doubtful!], "MessageSent", 20_000)).toEqual(decided);
    expect([status.state, await epochOf(0)]).toEqual(["running", epoch + 1]);
    // Its call comes back only now; what it appends is refused, for the stream has moved on.
    await until(() => performance.now() > calledAt + callMs + 500);
    // Both read these, and one of them sends them.
    const ids = await sendTo(0, 20);
    await eventually(world.log, ids, "MessageSent", 20_000);
    await until(async () => (await fenced()) > before, { what: "the former owner is fenced" });
    await settled(world);
    for (const id of ids)
      expect(await typesOf(world.log, id)).toEqual(["MessageRequested", "MessageSent"]);
    expect([await typesOf(world.log, doubtful!)]).toEqual(decided);
    expect(sink.messages).toHaveLength(1 + 2 + 20);
    expect(await epochOf(0)).toBe(epoch + 1);
  } finally {
    await link.close();
    await former.stop();
  }
});

test("timers that are due wait for the owner of their shard", async () => {
  await open();
  const copy = placedFeed(world.log, shards, everyShard);
  await world.dispatch(copy.feed);
  const sendAt = Date.now() + 3_000;
  const send_at = new Date(sendAt).toISOString();
  const [mine, others] = [await sendTo(1, 1, { send_at }), await sendTo(0, 2, { send_at })];
  const waiting = async (): Promise<number> =>
    (await world.pool.query("select 1 from dispatch.timers where epoch = 0")).rowCount!;
  await until(async () => (await waiting()) === 3, { what: "every message waits" });
  copy.place([1]);
  await eventually(world.log, mine, "MessageSent", 20_000);
  await until(() => Date.now() > sendAt + 500);
  expect(await waiting()).toBe(2);
  copy.place([0, 1]);
  for (const types of await eventually(world.log, others, "MessageSent", 20_000))
    expect(types).toEqual(["MessageRequested", "MessageQueued", "MessageSent"]);
  expect(sink.messages).toHaveLength(3);
});

test("a fenced owner of a shard gives its place at the gateway back to the others", async () => {
  await open({ max_concurrent: 1 });
  await world.dispatch(placedFeed(world.log, shards, everyShard).feed);
  await eventually(world.log, await sendTo(0), "MessageSent", 20_000);
  sink.behave({ type: "accept", delayMs: 3_000 });
  const doubtful = await sendTo(1);
  await until(() => sink.messages.length === 2, { what: "the call is in flight" });
  sink.behave({ type: "accept" });
  await takeOver(1);
  const others = await sendTo(0, 5);
  await eventually(world.log, [...others, ...doubtful], "MessageSent", 20_000);
  expect(await typesOf(world.log, doubtful[0]!)).toContain("DispatchUncertain");
  for (const id of others)
    expect(await typesOf(world.log, id)).toEqual(["MessageRequested", "MessageSent"]);
});

test("the shards of one process keep a gateway's limit of calls at once together", async () => {
  await open({ max_concurrent: 1 });
  await world.dispatch(placedFeed(world.log, shards, everyShard).feed);
  const delayMs = 30;
  sink.behave({ type: "accept", delayMs });
  const ids = await sendToAll(15);
  await eventually(world.log, ids, "MessageSent", 40_000);
  const times = sink.messages.map(({ at }) => at.getTime());
  const gaps = times.slice(1).map((time, index) => time - times[index]!);
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(delayMs - 2);
  expect(sink.messages).toHaveLength(60);
});

test("a gateway's rate is shared by the shards of one process, in turns", async () => {
  await open({ max_per_second: 20 });
  await world.dispatch(placedFeed(world.log, shards, everyShard).feed);
  // A shard that is owned a second later than the others has missed its turns.
  await eventually(world.log, await sendToAll(1), "MessageSent", 20_000);
  const startedAt = performance.now();
  const ids = await sendToAll(20);
  const quick = await eventually(world.log, ids, "MessageSent", 40_000);
  // 80 messages at 20 a second, the first two at once; each shard by itself would need one second.
  expect(performance.now() - startedAt).toBeGreaterThan(3_500);
  expect(quick).toHaveLength(80);
  // Half-way through every shard has had its turns.
  const positions = await Promise.all(
    ids.map(async (id) => (await history(world.log, id)).at(-1)!.position),
  );
  const half = positions.toSorted((one, other) => Number(one - other))[39]!;
  for (const shard of everyShard) {
    const mine = positions.slice(shard * 20, shard * 20 + 20);
    expect(mine.filter((position) => position <= half).length).toBeGreaterThanOrEqual(4);
  }
});

test("a process that is killed leaves only its own shards to settle, and each message goes out", async () => {
  await open();
  const left = placedFeed(world.log, shards, [0, 1]);
  await world.dispatch(left.feed);
  sink.behave({ type: "accept", delayMs: 20 });
  const right = work("", "2,3");
  await right.outputMatching(/running/);
  const ids = await sendToAll(60);
  await until(() => sink.messages.length >= 60, { timeoutMs: 20_000 });
  right.kill("SIGKILL");
  await right.exited;
  left.place(everyShard);
  const streams = await eventually(world.log, ids, "MessageSent", 40_000);
  await settled(world);
  const uncertain = streams.map((types) => types.includes("DispatchUncertain"));
  expect(uncertain.slice(0, 120)).not.toContain(true);
  for (const types of streams)
    expect(types.filter((type) => type === "MessageSent")).toHaveLength(1);
  const twice = sink.messages.length - ids.length;
  expect(twice).toBeLessThanOrEqual(uncertain.filter(Boolean).length);
});

test("calls that an undivided dispatcher had announced when it was killed are settled once by the shards", async () => {
  await open();
  const ids = await sendToAll(5);
  const whole = work("dispatch.after_intent:kill");
  expect((await whole.exited).signal).toBe("SIGKILL");
  const { rows } = await world.pool.query("select calls from dispatch.intents");
  const announced = new Set(
    rows.flatMap((row) => (JSON.parse(row.calls) as [string][]).map(([id]) => id)),
  );
  expect(announced.size).toBeGreaterThan(0);

  await world.dispatch(placedFeed(world.log, shards, [0, 1]).feed);
  await world.dispatch(placedFeed(world.log, shards, [2, 3]).feed);
  const streams = await eventually(world.log, ids, "MessageSent", 30_000);
  for (const [index, types] of streams.entries())
    expect(types).toEqual([
      "MessageRequested",
      ...(announced.has(ids[index]!) ? ["DispatchUncertain"] : []),
      "MessageSent",
    ]);
  await settled(world);
  expect(sink.messages).toHaveLength(20);
});
