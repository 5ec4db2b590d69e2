import { until } from "@heliograph/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually, history, openWorld, send, settled, typesOf, type World } from "./harness.ts";

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world.close());
const numbers = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ to: `+1555${1000 + index}9999` }));

test("an owner whose epoch was raised neither calls nor records; the next owner does, once each", async () => {
  const consumer = await world.dispatch();
  await eventually(world.log, await send(world.log, numbers(10)), "MessageSent");
  await settled(world);
  // Somebody else takes over behind its back: the next commit is refused, and no call follows it.
  await world.pool.query("update dispatch.checkpoint set epoch = epoch + 1");
  const ids = await send(world.log, numbers(50));
  const streams = await eventually(world.log, ids, "MessageSent");
  for (const types of streams) expect(types).toEqual(["MessageRequested", "MessageSent"]);
  await consumer.caughtUp(await world.log.head());
});

test("events that were handled before are looked up in the log and cause no second call", async () => {
  const first = await world.dispatch();
  const ids = await send(world.log, [...numbers(30), { to: "+15550000003" }]);
  await eventually(world.log, ids.slice(0, 30), "MessageSent");
  await eventually(world.log, ids.slice(30), "DispatchExhausted");
  await first.stop();
  const before = await Promise.all(ids.map((id) => typesOf(world.log, id)));
  // As if the checkpoint had never moved.
  await world.pool.query("update dispatch.checkpoint set position = 0");
  const second = await world.dispatch();
  await second.caughtUp(await world.log.head());
  await settled(world);
  expect(await Promise.all(ids.map((id) => typesOf(world.log, id)))).toEqual(before);
});

test("messages that were accepted while nobody dispatched are sent by the one who comes", async () => {
  const ids = await send(world.log, numbers(1_200));
  await world.dispatch();
  const streams = await eventually(world.log, ids, "MessageSent");
  expect(streams.flat()).toHaveLength(2_400);
});

test("a thousand messages to one recipient go out in order and share commits", async () => {
  await world.dispatch();
  const startedAt = performance.now();
  const ids = await send(
    world.log,
    Array.from({ length: 1_000 }, () => ({ to: "+15550000001" })),
  );
  await eventually(world.log, ids, "MessageSent");
  expect(performance.now() - startedAt).toBeLessThan(5_000);
  const positions = (await Promise.all(ids.map((id) => history(world.log, id)))).map((events) =>
    Number(events[1]!.position),
  );
  expect(positions).toEqual(positions.toSorted((one, other) => one - other));
});

test("receipts that were due when their player stopped are played by the next, each once", async () => {
  await world.dispatch();
  const first = await world.receipts();
  const ids = await send(world.log, numbers(100));
  await eventually(world.log, ids, "MessageSent");
  await first.stop();
  await world.receipts();
  await until(async () => {
    const page = await world.log.readAll({ after: 0n, limit: 10_000, types: ["ReceiptReceived"] });
    return page.events.length >= 100;
  });
  const { events } = await world.log.readAll({
    after: 0n,
    limit: 10_000,
    types: ["ReceiptReceived"],
  });
  expect(new Set(events.map(({ data }) => data.message_id)).size).toBe(100);
  expect(events).toHaveLength(100);
});

test("calls that are announced while their owner stops are not begun, and the next owner makes them", async () => {
  const first = await world.dispatch();
  await eventually(world.log, await send(world.log, numbers(1)), "MessageSent");
  await settled(world);
  await first.caughtUp(await world.log.head());
  const locker = await world.pool.connect();
  await locker.query("begin");
  await locker.query("select 1 from dispatch.checkpoint for update");
  const [id] = await send(world.log, numbers(1));
  const isAnnouncing = async (): Promise<boolean> => {
    const { rows } = await world.pool.query(
      "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%intents%'",
    );
    return rows.length > 0;
  };
  await until(isAnnouncing).catch((error: unknown) => {
    locker.release(true);
    throw error;
  });
  const stopping = first.stop();
  await locker.query("commit");
  locker.release();
  await stopping;
  const { rows } = await world.pool.query("select id from dispatch.intents");
  expect(rows).toEqual([]);
  await world.dispatch();
  await eventually(world.log, [id!], "MessageSent");
  expect(await typesOf(world.log, id!)).toEqual(["MessageRequested", "MessageSent"]);
});
