import { streamOf } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually, openWorld, send, typesOf, type World } from "./harness.ts";

let world: World;
beforeEach(async () => {
  world = await openWorld({ driver: "postgres" });
});
afterEach(() => world.close());

/** Past the log, which would refuse it: a message's request whose validity ends at a time that is none, or which has no content at all. */
const damage = (id: string, how: "expires_at" | "everything") =>
  world.pool.query(
    how === "everything"
      ? "update log.events set data = 'null' where stream = $1"
      : `update log.events set data = regexp_replace(data, '"expires_at":"[^"]*"', '"expires_at":"soon"') where stream = $1`,
    [streamOf("message", id)],
  );
const timers = async () =>
  (await world.pool.query("select message_id, due_at::float8 as due from dispatch.timers")).rows;
const epoch = async () =>
  (await world.pool.query("select epoch from dispatch.checkpoint where name = 'dispatch'")).rows[0]
    .epoch as number;

test("a message whose events are damaged while it waits stands still, the others are sent, and nothing restarts", async () => {
  await world.dispatch();
  const send_at = new Date(Date.now() + 800).toISOString();
  const orders = Array.from({ length: 4 }, () => ({ to: "+15550000001", send_at }));
  const [first, second, ...sound] = await send(world.log, orders);
  await until(async () => (await timers()).length === orders.length);
  await damage(first!, "expires_at");
  await damage(second!, "everything");
  const owner = await epoch();
  await eventually(world.log, sound, "MessageSent");
  const halted = await until(
    async () => {
      const left = await timers();
      return left.length === 2 && left.every(({ due }) => due > Date.now() + 300_000) && left;
    },
    { what: "both wait for minutes" },
  );
  expect(new Set(halted.map(({ message_id: id }) => id))).toEqual(new Set([first, second]));
  expect(await epoch()).toBe(owner);
  expect(await typesOf(world.log, first!)).not.toContain("MessageSent");
});

test("an announced call of a damaged message stays announced, and the others of a predecessor are settled", async () => {
  const predecessor = await world.dispatch();
  const send_at = new Date(Date.now() + 3_600_000).toISOString();
  const [damaged, sound] = await send(world.log, [
    { to: "+15550000001", send_at },
    { to: "+15550000002", send_at },
  ]);
  await until(async () => (await timers()).length === 2);
  await predecessor.stop();
  for (const id of [damaged!, sound!])
    await world.pool.query("insert into dispatch.intents (id, epoch, calls) values ($1, $2, $3)", [
      id,
      await epoch(),
      JSON.stringify([[id, 1, 1, "sim-sms"]]),
    ]);
  await damage(damaged!, "everything");
  await world.dispatch();
  await eventually(world.log, [sound!], "DispatchUncertain");
  const intents = async () => (await world.pool.query("select id from dispatch.intents")).rows;
  await until(async () => (await intents()).length === 1, { what: "the other is sent" });
  expect(await intents()).toEqual([{ id: damaged! }]);
});
