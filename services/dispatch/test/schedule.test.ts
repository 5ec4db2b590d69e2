import { deterministicId, streamOf, uuid5, uuid7 } from "@heliograph/contracts";
import { suppressionName } from "@heliograph/domain";
import { until } from "@heliograph/testkit";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { createStore } from "../src/store.ts";
import { eventually, history, openWorld, send, settled, typesOf, type World } from "./harness.ts";

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world.close());
const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString();
const cancel = (id: string, expected = 0) => {
  const data = {
    message_id: id,
    message: { channel: "sms", to: "+15550000001" },
    cost: "0.012",
    currency: "USD",
  };
  return world.log.append([
    {
      stream: streamOf("message", id),
      expected,
      events: [
        { id: uuid5(id, "cancel"), type: "MessageCanceled", data, metadata: { partner: "ptn_x" } },
      ],
    },
  ]);
};
const timers = async () =>
  (await world.pool.query("select message_id, kind from dispatch.timers order by due_at")).rows;

test("a scheduled message is queued and sent when its time comes, not before", async () => {
  await world.dispatch();
  const due = Date.now() + 700;
  const [id] = await send(world.log, [
    { to: "+15550000001", send_at: new Date(due).toISOString() },
  ]);
  const [types] = await eventually(world.log, [id!], "MessageSent");
  expect(types).toEqual(["MessageRequested", "MessageQueued", "MessageSent"]);
  expect((await history(world.log, id!))[1]!.recordedAt).toBeGreaterThanOrEqual(due);
  await settled(world);
  const [later] = await send(world.log, [{ to: "+15550000001", send_at: inMs(3_600_000) }]);
  await until(async () => (await timers()).length === 1);
  expect(await timers()).toEqual([{ message_id: later, kind: "schedule" }]);
});

test("a canceled message is never sent, whether the timer or the cancellation is seen first", async () => {
  const first = await world.dispatch();
  const [early, late, kept] = await send(world.log, [
    { to: "+15550000001", send_at: inMs(3_600_000) },
    { to: "+15550000001", send_at: inMs(3_600_000) },
    { to: "+15550000001", send_at: inMs(3_600_000) },
  ]);
  await until(async () => (await timers()).length === 3);
  await cancel(early!);
  await until(async () => (await timers()).length === 2, {
    what: "the timer of the canceled message is gone",
  });
  // The second is canceled while nobody looks: the timer is still there for the next owner.
  await first.stop();
  await cancel(late!);
  await world.pool.query("update dispatch.timers set due_at = 0");
  await world.dispatch();
  await eventually(world.log, [kept!], "MessageSent");
  await settled(world);
  expect(await typesOf(world.log, early!)).toEqual(["MessageRequested", "MessageCanceled"]);
  expect(await typesOf(world.log, late!)).toEqual(["MessageRequested", "MessageCanceled"]);
});

test("once queued, a message can no longer be canceled at the revision it had", async () => {
  await world.dispatch();
  const [id] = await send(world.log, [{ to: "+15550000001", send_at: inMs(300) }]);
  await eventually(world.log, [id!], "MessageQueued");
  expect((await cancel(id!))[0]).toMatchObject({ kind: "conflict" });
});

test("timers survive the dispatcher that wrote them", async () => {
  const first = await world.dispatch();
  const ids = await send(
    world.log,
    Array.from({ length: 50 }, (_, index) => ({
      to: `+1555123${1000 + index}9`,
      send_at: inMs(3_600_000),
    })),
  );
  await until(async () => (await timers()).length === 50);
  await first.stop();
  await world.pool.query("update dispatch.timers set due_at = 0");
  await world.dispatch();
  await eventually(world.log, ids, "MessageSent");
  await settled(world);
});

test("a message whose validity has ended is not sent; a retry waits no longer than the validity", async () => {
  await world.close();
  world = await openWorld({ retryScale: 50 });
  await world.dispatch();
  const [gone, busy] = await send(world.log, [
    { to: "+15550000001", expires_at: inMs(-1) },
    { to: "+15550000004", expires_at: inMs(700) },
  ]);
  const [expired] = await eventually(world.log, [gone!], "MessageExpired");
  expect(expired).toEqual(["MessageRequested", "MessageExpired"]);
  const [failed] = await eventually(world.log, [busy!], "MessageExpired");
  expect(failed!.at(-1)).toBe("MessageExpired");
  expect(failed!).not.toContain("MessageSent");
  await settled(world);
});

/** The recipient opts out, or is written to again. */
async function optOut(to: string, active: boolean): Promise<void> {
  const partner = deterministicId("ptn", "one");
  const name = suppressionName(world.context.vault, partner, "sms", to);
  const data = { suppression_id: "sup_1", name, channel: "sms" } as const;
  const event = active
    ? {
        type: "SuppressionStarted",
        data: {
          ...data,
          to: "sealed",
          applies_to: "all",
          reason: "keyword",
          evidence: {},
          started_at: inMs(0),
          active: [{ id: "sup_1", applies_to: "all", reason: "keyword" }],
        },
      }
    : {
        type: "SuppressionEnded",
        data: { ...data, reason: "keyword", evidence: {}, ended_at: inMs(0), active: [] },
      };
  const [outcome] = await world.log.append([
    {
      stream: streamOf("suppression", name),
      expected: "any",
      events: [{ id: uuid7(), ...event, metadata: { partner } }],
    },
  ]);
  expect(outcome!.kind).toBe("appended");
}

test("Queued sends do not ignore an opt-out: what is scheduled or retried is rejected before its next attempt", async () => {
  await world.dispatch();
  const at = inMs(3_600_000);
  const [scheduled, other, answer] = await send(world.log, [
    { to: "+15550000001", send_at: at },
    { to: "+15550000002", send_at: at },
    { to: "+15550000001", send_at: at, keyword: "stop" },
  ]);
  await until(async () => (await timers()).length === 3);
  await optOut("+15550000001", true);
  await world.pool.query("update dispatch.timers set due_at = 0");
  // A timer that is due soon wakes the look at those that were moved.
  await send(world.log, [{ to: "+15550000009", send_at: inMs(1_000) }]);
  // Accepted by a process that had not heard of the opt-out.
  const [late] = await send(world.log, [{ to: "+15550000001" }]);
  for (const id of [scheduled!, late!]) {
    const [types] = await eventually(world.log, [id], "MessageRejected");
    expect(types).toEqual(["MessageRequested", "MessageRejected"]);
  }
  const rejected = (await history(world.log, scheduled!)).at(-1)!;
  expect(rejected.data).toMatchObject({
    error: { code: "recipient_suppressed", class: "recipient", permanent: true },
  });
  await eventually(world.log, [other!, answer!], "MessageSent");
  await optOut("+15550000001", false);
  const [again] = await send(world.log, [{ to: "+15550000001" }]);
  await eventually(world.log, [again!], "MessageSent");
  await settled(world);
});

test("Queued sends do not ignore an opt-out between two attempts", async () => {
  await world.close();
  world = await openWorld({ retryScale: 50 });
  await world.dispatch();
  const [busy] = await send(world.log, [{ to: "+15550000004" }]);
  await until(async () => (await timers()).length === 1);
  await optOut("+15550000004", true);
  const stopped = await world.pool.query("update dispatch.timers set due_at = 0");
  expect(stopped.rowCount).toBe(1);
  await send(world.log, [{ to: "+15550000001", send_at: inMs(1_000) }]);
  const [types] = await eventually(world.log, [busy!], "MessageRejected");
  expect(types).toEqual(["MessageRequested", "DispatchAttemptFailed", "MessageRejected"]);
  await settled(world);
});

test("what a suspended partner has is held, scheduled or not, until it is active again or its time is over, also over a restart", async () => {
  const partner = deterministicId("ptn", "held");
  world.suspend(partner, true);
  const first = await world.dispatch();
  const [now, later, short] = await send(
    world.log,
    [
      { to: "+15550000001" },
      { to: "+15550000001", send_at: inMs(300) },
      { to: "+15550000001", expires_at: inMs(1_500) },
    ],
    partner,
  );
  const [free] = await send(world.log, [{ to: "+15550000001" }]);
  await eventually(world.log, [free!], "MessageSent");
  await eventually(world.log, [short!], "MessageExpired");
  await until(async () => (await timers()).filter(({ kind }) => kind === "held").length === 2);
  for (const id of [now!, later!])
    expect(await typesOf(world.log, id)).toEqual(["MessageRequested"]);
  await first.stop();
  const second = await world.dispatch();
  world.suspend(partner, false);
  await eventually(world.log, [now!, later!], "MessageSent");
  await settled(world);
  // Nobody looks while it becomes active.
  world.suspend(partner, true);
  const [missed] = await send(world.log, [{ to: "+15550000001" }], partner);
  await until(async () => (await timers()).some(({ kind }) => kind === "held"));
  await second.stop();
  world.suspend(partner, false);
  await world.dispatch();
  await eventually(world.log, [missed!], "MessageSent");
});

test("a clock that is set back makes no retry wait for as long, also over a restart, and what waits for a time of the day does", async () => {
  await world.close();
  world = await openWorld({ retryScale: 0.5 });
  let backMs = 0;
  const real = Date.now;
  const clock = vi.spyOn(Date, "now").mockImplementation(() => real() - backMs);
  onTestFinished(() => clock.mockRestore());
  const dispatcher = await world.dispatch();
  const [retried, scheduled] = await send(world.log, [
    { to: "+15550000004" },
    { to: "+15550000001", send_at: inMs(1_800_000) },
  ]);
  await until(async () => (await timers()).length === 2);
  expect(await timers()).toEqual([
    { message_id: retried, kind: "retry" },
    { message_id: scheduled, kind: "schedule" },
  ]);
  const failures = async () =>
    (await typesOf(world.log, retried!)).filter((type) => type === "DispatchAttemptFailed").length;
  backMs = 3_600_000;
  await until(async () => (await failures()) > 1);
  await until(async () => (await timers()).length === 2);
  // Nor over a restart, after which nobody knows what the clock was.
  await dispatcher.stop();
  backMs = 2 * 3_600_000;
  await world.dispatch();
  await eventually(world.log, [retried!], "MessageSent");
  expect(await typesOf(world.log, scheduled!)).toEqual(["MessageRequested"]);
});

test("of what waits only that comes sooner which was written by the clock before it was set back", async () => {
  // For its table.
  const dispatcher = await world.dispatch();
  await dispatcher.stop();
  const store = createStore(world.pool, "dispatch", 5, null);
  const hourMs = 3_600_000;
  const now = 100 * hourMs;
  const dueAfter = async (back?: { byMs: number; lookedAt: number }) => {
    await world.pool.query("delete from dispatch.timers");
    // Each was to wait for 30 s, but the one that has waited longer than the clock was set back by.
    await world.pool.query(
      `insert into dispatch.timers (message_id, kind, set_at, due_at) values ('ahead', 'retry', $1::bigint, $1::bigint + 30000),
        ('before', 'retry', $2::bigint, $3::bigint), ('after', 'retry', $4::bigint, $4::bigint + 30000), ('scheduled', 'schedule', $1::bigint, $1::bigint + 30000),
        ('old', 'look', null, $1::bigint + 30000), ('beside', 'waiting', $5::bigint, $5::bigint + 30000)`,
      [now + hourMs, now - 2 * hourMs, now + 2 * hourMs, now - 1_000, now + 500],
    );
    await store.setBack(now, back);
    const { rows } = await world.pool.query(
      "select message_id, (due_at - $1::bigint)::int as in_ms from dispatch.timers",
      [now],
    );
    return Object.fromEntries(rows.map((row) => [row.message_id, row.in_ms]));
  };
  const unmoved = { after: 29_000, beside: 30_500, scheduled: hourMs + 30_000 };
  expect(await dueAfter({ byMs: hourMs + 10_000, lookedAt: now - 60_000 })).toEqual({
    ...unmoved,
    ahead: 20_000,
    before: hourMs - 10_000,
    old: 20_000,
  });
  expect(await dueAfter()).toEqual({
    ...unmoved,
    ahead: 30_000,
    before: 2 * hourMs,
    old: hourMs + 30_000,
  });
});
