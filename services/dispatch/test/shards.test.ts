import { until, partnerIn, placedFeed } from "@heliograph/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually, openWorld, send, typesOf, type World } from "./harness.ts";

let world: World;
beforeEach(async () => {
  world = await openWorld({ driver: "postgres" });
});
afterEach(() => world.close());

const shards = 4;
/** Two partners of every shard. */
const partners = Array.from({ length: shards * 2 }, (_, index) =>
  partnerIn(index % shards, shards),
);

/** Messages of every partner to recipients that behave as the digits say. */
async function sendAll(digits: string, each = 3): Promise<string[]> {
  const ids: string[] = [];
  for (const [index, partner] of partners.entries())
    ids.push(
      ...(await send(
        world.log,
        Array.from({ length: each }, (_, n) => ({ to: `+1555${index}${n}0${digits}` })),
        partner,
      )),
    );
  return ids;
}
async function sentOnce(ids: readonly string[]): Promise<void> {
  for (const types of await eventually(world.log, ids, "MessageSent", 20_000))
    expect(types.filter((type) => type === "MessageSent")).toHaveLength(1);
}

test("two copies send each message once, also while shards move from one to the other", async () => {
  const left = placedFeed(world.log, shards, [0, 1, 2, 3]);
  const right = placedFeed(world.log, shards, []);
  await world.dispatch(left.feed);
  await world.dispatch(right.feed);
  const first = await sendAll("0001");
  const flaky = await sendAll("0004");
  left.place([0, 1]);
  right.place([2, 3]);
  const second = await sendAll("0001");
  left.place([]);
  right.place([0, 1, 2, 3]);
  const third = await sendAll("0001");
  await sentOnce([...first, ...second, ...third]);
  await sentOnce(flaky);
  for (const id of flaky)
    expect(
      (await typesOf(world.log, id)).filter((type) => type === "DispatchAttemptFailed"),
    ).toHaveLength(2);
  const all = await Promise.all([...first, ...flaky].map((id) => typesOf(world.log, id)));
  expect(all.flat()).not.toContain("DispatchUncertain");
}, 60_000);

test("what an undivided dispatcher left waiting is done by the shard of its partner, once", async () => {
  const whole = await world.dispatch();
  const later = new Date(Date.now() + 4_000).toISOString();
  const ids: string[] = [];
  for (const partner of partners)
    ids.push(...(await send(world.log, [{ to: "+15550000001", send_at: later }], partner)));
  await until(
    async () => (await world.pool.query("select 1 from dispatch.timers")).rowCount === ids.length,
    { what: "every message waits" },
  );
  await whole.stop();

  const left = placedFeed(world.log, shards, [0, 1]);
  const right = placedFeed(world.log, shards, [2, 3]);
  await world.dispatch(left.feed);
  await world.dispatch(right.feed);
  await until(
    async () =>
      (await world.pool.query("select 1 from dispatch.timers where shard is null")).rowCount === 0,
    { what: "every timer has its shard" },
  );
  await sentOnce(ids);
}, 60_000);
