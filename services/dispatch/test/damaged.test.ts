import { streamOf, uuid7 } from "@heliograph/contracts";
import { openPostgresLog } from "@heliograph/log";
import { until } from "@heliograph/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  eventually,
  history,
  makeTimersDue,
  openWorld,
  send,
  simulator,
  typesOf,
  type World,
} from "./harness.ts";

let world: World;
beforeEach(async () => {
  world = await openWorld({ driver: "postgres" });
});
afterEach(() => world.close());

/** Past the log, which would refuse it. Gives what was there before. */
async function damage(id: string, change: (data: string) => string): Promise<string> {
  const stream = streamOf("message", id);
  const { rows } = await world.pool.query("select data from log.events where stream = $1", [
    stream,
  ]);
  await write(id, change(rows[0].data));
  return rows[0].data;
}
const write = async (id: string, data: string) => {
  await world.pool.query("alter table log.events disable trigger user");
  await world.pool.query("update log.events set data = $2 where stream = $1 and revision = 0", [
    streamOf("message", id),
    data,
  ]);
};
const nothing = () => "null";
const endless = (data: string) => data.replace(/"expires_at":"[^"]*"/, '"expires_at":"soon"');
const priceless = (data: string) => data.replace(/"cost":"[^"]*",/, "");
const calls = async () =>
  (await world.pool.query("select calls from dispatch.intents")).rows.length;
const timers = async () =>
  (await world.pool.query("select message_id, due_at::float8 as due from dispatch.timers")).rows;
const epoch = async () =>
  (await world.pool.query("select epoch from dispatch.checkpoint where name = 'dispatch'")).rows[0]
    .epoch as number;

test("a message whose events are damaged while it waits stands still, the others are sent, and nothing restarts", async () => {
  await world.dispatch();
  const send_at = new Date(Date.now() + 3_600_000).toISOString();
  const orders = Array.from({ length: 5 }, () => ({ to: "+15550000001", send_at }));
  const [first, second, third, ...sound] = await send(world.log, orders);
  await until(async () => (await timers()).length === orders.length);
  await damage(first!, endless);
  await damage(second!, nothing);
  // The outcome of its call could not be recorded.
  await damage(third!, priceless);
  await makeTimersDue(world);
  const owner = await epoch();
  await eventually(world.log, sound, "MessageSent");
  const halted = await until(
    async () => {
      const left = await timers();
      const still = left.filter(({ due }) => due > Date.now() + 300_000);
      return still.length === 3 && still;
    },
    { what: "they wait for minutes" },
  );
  expect(new Set(halted.map(({ message_id: id }) => id))).toEqual(new Set([first, second, third]));
  expect(await epoch()).toBe(owner);
  for (const id of [first, second, third])
    expect(await typesOf(world.log, id!)).not.toContain("MessageSent");
  await until(async () => (await calls()) === 0, { what: "nothing is announced any more" });
});

test("an announced call of a damaged message stays announced, and is in doubt before another is made once it is mended", async () => {
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
  const before = await damage(damaged!, nothing);
  await world.dispatch();
  await eventually(world.log, [sound!], "MessageSent");
  await until(async () => (await calls()) === 1, { what: "only the damaged one is announced" });
  const [halted] = await until(
    async () => {
      const left = (await timers()).filter(({ message_id: id }) => id === damaged);
      return left.length === 1 && left[0]!.due > Date.now() + 300_000 && left;
    },
    { what: "it stands still" },
  );
  expect(halted!.message_id).toBe(damaged);
  await write(damaged!, before);
  await makeTimersDue(world);
  const [types] = await eventually(world.log, [damaged!], "MessageSent");
  expect(types!.slice(0, 2)).toEqual(["MessageRequested", "DispatchUncertain"]);
});

test("a damaged announcement stops the message that it names and cannot tell of; the rest of its row, and everybody else, goes on", async () => {
  const predecessor = await world.dispatch();
  const send_at = new Date(Date.now() + 3_600_000).toISOString();
  const orders = ["1", "2", "3"].map((n) => ({ to: `+1555000100${n}`, send_at }));
  const [lost, told, sound] = await send(world.log, orders);
  await until(async () => (await timers()).length === orders.length);
  await predecessor.stop();
  const announce = (row: string, text: string) =>
    world.pool.query(
      "insert into dispatch.intents (id, epoch, calls) select $1, epoch, $2 from dispatch.checkpoint where name = 'dispatch'",
      [row, text],
    );
  await announce("torn", `[["${told}",1,1,"sim-sms"],["${lost}",1,1,"sim-`);
  await announce("empty", "\u0001");
  const successor = await world.dispatch();
  const [first] = await eventually(world.log, [told!], "MessageSent");
  expect(first!.slice(0, 2)).toEqual(["MessageRequested", "DispatchUncertain"]);
  await makeTimersDue(world);
  await eventually(world.log, [sound!], "MessageSent");
  await until(
    async () =>
      (await timers()).some(({ message_id: id, due }) => id === lost && due > Date.now() + 300_000),
    { what: "it stands still" },
  );
  expect(await typesOf(world.log, lost!)).toEqual(["MessageRequested"]);
  const { rows } = await world.pool.query("select event_id, reason from runtime.dead_letters");
  const [requested] = await history(world.log, lost!);
  expect(rows).toEqual([{ event_id: requested!.id, reason: expect.stringContaining("row torn") }]);
  const kept = await world.pool.query(
    "select 1 from dispatch.intents where id in ('torn', 'empty')",
  );
  expect(kept.rowCount).toBe(2);

  // Whoever has looked, and knows that nothing was sent.
  await successor.stop();
  await world.pool.query("delete from dispatch.intents");
  await world.dispatch();
  await makeTimersDue(world);
  const isScheduled = ({ message_id: id, due }: { message_id: string; due: number }) =>
    id === lost && due === Date.parse(send_at);
  await until(async () => (await timers()).some(isScheduled), { what: "it waits for its time" });
});

test("a receipt that is damaged stops the message that looks for evidence, and nothing else", async () => {
  world.configure([simulator("sms", { on_uncertain: "at_most_once" })]);
  const predecessor = await world.dispatch();
  const send_at = new Date(Date.now() + 3_600_000).toISOString();
  const [doubted] = await send(world.log, [{ to: "+15550000001", send_at }]);
  await until(async () => (await timers()).length === 1);
  await predecessor.stop();
  await world.pool.query("insert into dispatch.intents (id, epoch, calls) values ($1, $2, $3)", [
    "doubted",
    await epoch(),
    JSON.stringify([[doubted, 1, 1, "sim-sms"]]),
  ]);
  const foreign = await openPostgresLog({
    connection: world.database.config,
    namespace: "sandbox",
  });
  await foreign.append([
    {
      stream: streamOf("receipts", doubted!),
      expected: "no_stream",
      events: [
        { id: uuid7(), type: "ReceiptReceived", data: null as unknown as object, metadata: {} },
      ],
    },
  ]);
  await foreign.close();
  await world.dispatch();
  await eventually(world.log, [doubted!], "DispatchUncertain");
  await until(async () => (await timers()).some(({ due }) => due > Date.now() + 300_000), {
    what: "it stands still",
  });
  const owner = await epoch();
  const [other] = await send(world.log, [{ to: "+15550000002" }]);
  await eventually(world.log, [other!], "MessageSent");
  expect(await epoch()).toBe(owner);
});
