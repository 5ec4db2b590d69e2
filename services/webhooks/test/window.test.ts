import { randomBytes } from "node:crypto";
import { evolveEndpoint } from "@heliograph/domain";
import type { Checkpoint } from "@heliograph/runtime";
import { until } from "@heliograph/testkit";
import { expect, onTestFinished, test, vi } from "vitest";
import { DueLook } from "../src/due.ts";
import { batchOf } from "../src/batches.ts";
import { together, type Job } from "../src/job.ts";
import { Health } from "../src/health.ts";
import { Lanes, keepMissedMs } from "../src/lanes.ts";
import type { LoadedRow, Store, SubjectOfEndpoint } from "../src/store.ts";
import { Tally } from "../src/tally.ts";
import { newSlot, Window, type WindowHears } from "../src/window.ts";

const jobOf = (id: string): Job => ({
  id,
  endpointId: "whe_1",
  partner: "ptn_1",
  eventId: "evt_1",
  type: "message.sent",
  position: 1n,
  sequence: 1,
  body: "{}",
  createdAt: 0,
  attempts: [],
  slot: undefined,
  stored: false,
  tries: 1,
  urgent: false,
  replay: undefined,
  before: undefined,
  canceled: false,
  batch: undefined,
  traceparent: undefined,
  subject: undefined,
  held: false,
});

/** A window whose commits succeed. */
const storing = (
  hears: Partial<WindowHears> = {},
  commit: Checkpoint["commit"] = () => Promise.resolve(),
): Window =>
  new Window(
    { position: 0n, dealt: () => undefined, commit },
    () => undefined,
    new Tally(),
    new Health(Infinity, []),
    {
      pending: () => undefined,
      moved: () => undefined,
      mayRelease: () => false,
      subjectsOf: () => Promise.resolve([]),
      waitingFor: () => Promise.resolve([]),
      setBack: () => Promise.resolve(),
      now: Date.now,
      ...hears,
    },
  );

test("after a write that failed no later one moves the checkpoint past what it would have stored", async () => {
  const positions: bigint[] = [];
  let tries = 0;
  const checkpoint: Checkpoint = {
    position: 0n,
    dealt: () => undefined,
    commit(position) {
      if (tries++ === 0) return Promise.reject(new Error("the connection was lost"));
      positions.push(position);
      return Promise.resolve();
    },
  };
  const failures: unknown[] = [];
  const window = new Window(
    checkpoint,
    (error) => failures.push(error),
    new Tally(),
    new Health(Infinity, []),
    {
      pending: () => undefined,
      moved: () => undefined,
      mayRelease: () => false,
      subjectsOf: () => Promise.resolve([]),
      waitingFor: () => Promise.resolve([]),
      setBack: () => Promise.resolve(),
      now: Date.now,
    },
  );
  const deliver = (id: string, position: bigint): void => {
    const job = jobOf(id);
    const slot = newSlot(position, performance.now());
    slot.unresolved.add(job);
    job.slot = slot;
    window.push(slot);
    window.record(job, "pending", 0);
  };
  deliver("whd_1", 5n);
  await until(() => failures.length > 0);
  // An answer that comes before the consumer is stopped.
  deliver("whd_2", 6n);
  await expect(window.flush()).rejects.toThrow("lost");
  await expect(window.room()).rejects.toThrow("lost");
  expect(positions).toEqual([]);
  window.close();
});

test("deliveries that get no answer for a second hold up no batch of that second", async () => {
  const window = storing();
  // One batch a millisecond, each with one delivery that waits.
  for (let index = 1; index <= 1_000; index++) {
    const slot = newSlot(BigInt(index), performance.now());
    slot.unresolved.add(jobOf(`whd_${index}`));
    window.push(slot);
  }
  let room = false;
  void window.room().then(() => (room = true));
  await Promise.resolve();
  expect(room).toBe(true);
  window.close();
});

const endpointOf = (endpoint_id: string) =>
  evolveEndpoint(undefined, {
    type: "WebhookEndpointCreated",
    data: { endpoint_id, url: "https://a.example/", secret: "none", created_at: "" },
    metadata: { partner: "ptn_1" },
    recordedAt: 0,
  })!;

test("what is read from the table is bounded over all endpoints, and slow ones that fill it leave the others what they can send at once", async () => {
  const window = storing();
  const ids = Array.from({ length: 101 }, (_, index) => `whe_${index}`);
  const endpoints = ids.map((endpoint_id) => endpointOf(endpoint_id));
  const lanes = new Lanes(randomBytes(32), endpoints);
  for (const id of ids) lanes.lane(id, 0);
  let asked: readonly { id: string; room: number }[] = [];
  const store = { pending: async (wanted: typeof asked) => ((asked = wanted), []) };
  const due = new DueLook(store as unknown as Store, lanes, window, 10_000, {
    isOver: () => false,
    take: () => undefined,
    kick: () => undefined,
    isStopping: () => false,
  });
  const look = async (of: readonly string[]) => {
    asked = [];
    for (const id of of) lanes.lane(id, 0)!.nextDue = 0;
    await due.look(1);
    return asked;
  };
  // One more than what it may have, and what is here already, tells whether there is more to come.
  expect(await look(["whe_0"])).toEqual([{ id: "whe_0", room: 256 + 1 }]);
  expect(await look(ids)).toEqual(ids.map((id) => ({ id, room: 99 + 1 })));
  for (const id of ids.slice(0, 40)) {
    const lane = lanes.lane(id, 0)!;
    for (let index = 0; index < 256; index++) {
      lane.rowsInMemory.add(`${id} ${index}`);
      lane.stored.push(jobOf(`${id} ${index}`));
    }
  }
  for (let index = 0; index < 17; index++) lanes.lane("whe_41", 0)!.rowsInMemory.add(`${index}`);
  expect(await look(["whe_0", "whe_40", "whe_41"])).toEqual([{ id: "whe_40", room: 32 + 1 }]);
  expect(lanes.lane("whe_41", 0)!.nextDue).toBe(0);
  window.close();
});

test("an endpoint with more that waits than is read at once is read again when the first of it is due, and not before", async () => {
  const window = storing();
  const lanes = new Lanes(randomBytes(32), [endpointOf("whe_1")]);
  const lane = lanes.lane("whe_1", 0)!;
  const hourMs = 3_600_000;
  let dueAt = Array.from({ length: 300 }, (_, index) => hourMs + index);
  let reads = 0;
  const pending: Store["pending"] = async ([wanted]) => {
    reads++;
    return dueAt.slice(0, wanted!.room).map((nextAttemptAt) => ({
      job: { ...jobOf(`whd_${nextAttemptAt}`), createdAt: 1 },
      body: "{}",
      status: "pending",
      nextAttemptAt,
      setAt: undefined,
      batch: undefined,
    }));
  };
  const taken: string[] = [];
  const due = new DueLook({ pending } as unknown as Store, lanes, window, 10_000, {
    isOver: () => false,
    take: (_, job) => taken.push(job.id),
    kick: () => undefined,
    isStopping: () => false,
  });
  // As at a start, whatever the time.
  lane.nextDue = 1;
  expect([await due.look(1), lane.nextDue]).toEqual([true, hourMs]);
  expect([await due.look(51), reads]).toEqual([false, 1]);
  expect([await due.look(hourMs), lane.nextDue, taken.length]).toEqual([true, hourMs + 1, 1]);
  // All that was read is due: there may be more.
  taken.splice(0);
  expect([await due.look(2 * hourMs), lane.nextDue]).toEqual([true, 2 * hourMs]);
  expect(taken).toHaveLength(257);
  dueAt = [];
  expect([await due.look(2 * hourMs), lane.nextDue]).toEqual([true, Infinity]);
  window.close();
});

test("what was read for a replay that is canceled, and on record as that, before the read ends is not sent", async () => {
  const window = storing();
  const lanes = new Lanes(randomBytes(32), [endpointOf("whe_1")]);
  lanes.lane("whe_1", 0)!.nextDue = 0;
  const read = Promise.withResolvers<LoadedRow[]>();
  const taken: string[] = [];
  const due = new DueLook({ pending: () => read.promise } as unknown as Store, lanes, window, 100, {
    isOver: () => false,
    take: (_, job) => taken.push(job.id),
    kick: () => undefined,
    isStopping: () => false,
  });
  const looked = due.look(1);
  const slot = newSlot(1n, performance.now());
  slot.canceled.set("rpl_1", "whe_1");
  window.push(slot);
  window.cancel("rpl_1");
  due.canceled("rpl_1");
  await window.flush();
  expect([...window.canceled()]).toEqual([]);
  read.resolve(
    ["rpl_1", "rpl_2"].map((replay) => ({
      job: { ...jobOf(`whd of ${replay}`), replay, before: "delivered" },
      body: "{}",
      status: "pending",
      nextAttemptAt: 0,
      setAt: undefined,
      batch: undefined,
    })),
  );
  await looked;
  expect(taken).toEqual(["whd of rpl_2"]);
  expect([...window.unwritten()]).toEqual(["whd of rpl_1"]);
  window.close();
});

test("a batch that others sealed of what is in memory here too is not sent in part, and one that nothing is in memory of whole", async () => {
  const window = storing();
  const lanes = new Lanes(randomBytes(32), [
    { ...endpointOf("whe_1"), batch: { max_events: 9, max_wait_ms: 9 } },
  ]);
  const lane = lanes.lane("whe_1", 0)!;
  const rows = ["whd_1", "whd_2", "whd_3"].map((id): LoadedRow => ({
    job: jobOf(id),
    body: "{}",
    status: "pending",
    nextAttemptAt: 0,
    setAt: undefined,
    batch: "whb_1",
  }));
  const store = { pending: async () => rows.slice(1), batches: async () => rows };
  const taken: string[][] = [];
  const due = new DueLook(store as unknown as Store, lanes, window, 100, {
    isOver: () => false,
    take: (_, job) => taken.push(together(job).map(({ id }) => id)),
    kick: () => undefined,
    isStopping: () => false,
  });
  const look = async () => {
    lane.nextDue = 0;
    await due.look(1);
    return taken.splice(0);
  };
  // Its owner was taken for dead while it gathered this one, and another has read it from the table.
  lane.rowsInMemory.add("whd_1");
  expect(await look()).toEqual([]);
  expect(lane.nextDue).toBeLessThan(Infinity);
  lane.rowsInMemory.clear();
  expect(await look()).toEqual([["whd_1", "whd_2", "whd_3"]]);
  window.close();
});

test("all deliveries of a batch are written by one statement, however many others there are", async () => {
  const written: string[][] = [];
  const window = storing({}, async (_, parts) => {
    written.push(parts![0]!.values[0] as string[]);
  });
  const whole = ["whd_a", "whd_b", "whd_c"];
  const jobs = Array.from({ length: 999 }, (_, index) => jobOf(`whd_${index}`));
  batchOf(
    whole.map((id) => jobOf(id)),
    "whb_1",
  ).batch!.jobs.forEach((job, at) => jobs.splice(at * 500, 0, job));
  for (const job of jobs) window.record(job, "pending", 0);
  await window.flush();
  expect(written.flat().toSorted()).toEqual(jobs.map(({ id }) => id).toSorted());
  expect(Math.max(...written.map(({ length }) => length))).toBeLessThanOrEqual(1_000);
  expect(written.filter((ids) => whole.some((id) => ids.includes(id)))).toHaveLength(1);
  window.close();
});

test("what a disabled endpoint misses is kept for four weeks, and for an enabled one always", () => {
  const disabled = { ...endpointOf("whe_1"), status: "disabled" } as const;
  const lanes = new Lanes(randomBytes(32), [disabled, endpointOf("whe_2")]);
  const toldAt = (recordedAt: number): string[] =>
    [...lanes.matching("ptn_1", "message.sent", { recordedAt } as never)].map(({ id }) => id);
  expect(toldAt(keepMissedMs - 1)).toEqual(["whe_1", "whe_2"]);
  expect(toldAt(keepMissedMs)).toEqual(["whe_2"]);
  expect(keepMissedMs).toBe(28 * 86_400_000);
});

test("an endpoint that was closed keeps its lane until what waited for it is known", async () => {
  const waiting = Promise.withResolvers<SubjectOfEndpoint[]>();
  let asked: readonly string[] = [];
  const waitingFor = (ids: readonly string[]): Promise<SubjectOfEndpoint[]> => {
    asked = ids;
    return waiting.promise;
  };
  const window = storing({ waitingFor });
  const lanes = new Lanes(randomBytes(32), [endpointOf("whe_1"), endpointOf("whe_2")]);
  for (const id of ["whe_1", "whe_2"]) lanes.lane(id, 0);
  const slot = newSlot(1n, performance.now());
  slot.closed.set("whe_1", 1n);
  window.push(slot);
  lanes.heldBy(() => window.endpointsUnwritten());
  const evictAt = (minutes: number): string[] => {
    lanes.evictIdle(minutes * 60_000);
    return [...lanes].map(({ id }) => id);
  };
  const written = window.flush();
  await until(() => asked.length === 1);
  expect([asked, evictAt(10)]).toEqual([["whe_1"], ["whe_1"]]);
  waiting.resolve([]);
  await written;
  expect(evictAt(20)).toEqual([]);
  window.close();
});

test("what is due by the clock of before is written by that of now only when the window has heard that it was set back", async () => {
  const [hourMs, before] = [3_600_000, 10_000_000];
  const clock = vi.spyOn(Date, "now").mockReturnValue(before);
  onTestFinished(() => clock.mockRestore());
  const written: unknown[] = [];
  let known = before;
  /** As the courier does, which has not looked at the clock since it was set. */
  function now(): number {
    const [at, byMs] = [Date.now(), known - Date.now()];
    known = at;
    if (byMs > 0) window.setBack({ endpointIds: [], now: at, byMs, lookedAt: at });
    return at;
  }
  const window: Window = storing({ now }, async (_, parts) => {
    for (const { name, values } of parts ?? [])
      if (name === "deliveries") written.push({ dueAt: values![9], setAt: values!.at(-1) });
  });
  window.record(jobOf("whd_1"), "pending", before + 5_000);
  clock.mockReturnValue(before - hourMs);
  await window.flush();
  window.close();
  expect(written).toEqual([{ dueAt: `{${before - hourMs + 5_000}}`, setAt: before - hourMs }]);
});
