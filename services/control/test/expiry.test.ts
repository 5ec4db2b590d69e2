import { streamOf } from "@heliograph/contracts";
import { toLifecycle, type LifecycleSource } from "@heliograph/domain";
import type { Key } from "@heliograph/platform";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { service as wallet } from "@heliograph/wallet";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decideNotice, dueNotice } from "../src/decide-expiry.ts";
import { service } from "../src/index.ts";

const now = Date.parse("2026-01-01T00:00:00.000Z");
const hourMs = 3_600_000;
const endingIn = (hours: number): Key =>
  ({
    key_id: "key_1",
    revoked: false,
    expires_at: new Date(now + hours * hourMs).toISOString(),
  }) as Key;

test.each([
  [24 * 7 + 1, undefined],
  [24 * 7, 7],
  [25, 7],
  [24, 1],
  [0.001, 1],
  [0, undefined],
  [-1, undefined],
])("of a key that ends in %d hours the notice is %s", (hours, days) => {
  expect(dueNotice(endingIn(hours), now)).toBe(days);
});

test("a key that was revoked or rotated, or has no end, needs no notice", () => {
  const key = endingIn(1);
  const { expires_at: _, ...endless } = key;
  for (const other of [{ ...key, revoked: true }, { ...key, replaced_by: "key_2" }, endless])
    expect(dueNotice(other, now)).toBeUndefined();
});

test("each notice is told once at most, whenever and however often somebody looks", () => {
  const look = fc.array(fc.integer({ min: 0, max: 24 * 10 }), { maxLength: 40 });
  fc.assert(
    fc.property(look, (hours) => {
      const key = endingIn(24 * 10);
      const told: number[] = [];
      for (const later of hours.toSorted((left, right) => left - right)) {
        const at = now + later * hourMs;
        const days = dueNotice(key, at);
        if (days === undefined) continue;
        const decision = decideNotice(told.at(-1), key, days, at);
        if ("events" in decision && decision.events.length > 0) told.push(days);
      }
      expect([[], [7], [1], [7, 1]]).toContainEqual(told);
    }),
  );
});

let world: World;
beforeAll(async () => {
  world = await openWorld({ services: [service, wallet] });
});
afterAll(() => world.close());

const post = (key: string, path: string, body: object) =>
  world.call("POST", `/api/v1${path}`, { key, body });
const noticesOf = async (id: string) => {
  const { log } = world.platform.contexts.sandbox;
  return log.readStream(streamOf("key", id));
};

test("a partner is told once that its key ends soon, also when every process starts anew", async () => {
  const { id, key } = await world.addPartner();
  const issue = async (
    hours: number,
  ): Promise<{ readonly id: string; readonly prefix: string }> => {
    const expires_at = new Date(Date.now() + hours * hourMs).toISOString();
    return (await post(key, "/keys", { name: "worker", expires_at })).body;
  };
  const [week, day, long] = [await issue(100), await issue(10), await issue(300)];
  const [notice] = await until(async () => {
    const all = await noticesOf(day.id);
    return all.length > 0 && all;
  });
  const event = toLifecycle(notice as LifecycleSource, "sandbox");
  expect(event).toMatchObject({
    type: "key.expiring",
    partner: id,
    data: { key_id: day.id, name: "worker", prefix: day.prefix, notice_days: 1 },
  });
  await world.restart();
  // Issued after the restart: when it is told of, the others were looked at again.
  const last = await issue(20);
  await until(async () => (await noticesOf(last.id)).length > 0);
  const days = async (of: string) => (await noticesOf(of)).map(({ data }) => data);
  expect(await days(week.id)).toMatchObject([{ notice_days: 7 }]);
  expect(await days(day.id)).toMatchObject([{ notice_days: 1 }]);
  expect(await days(long.id)).toEqual([]);
});

test("the last use of a key is noted behind its calls, once a minute at most", async () => {
  const { key } = await world.addPartner();
  const { body: made } = await post(key, "/keys", { name: "worker" });
  expect(made.last_used_at).toBeNull();
  const shown = async (): Promise<string | null> =>
    (await world.call("GET", `/api/v1/keys/${made.id}`, { key })).body.last_used_at;
  expect(await shown()).toBeNull();
  const call = () => world.call("GET", "/api/v1/balance", { key: made.key });
  const before = Date.now();
  for (let round = 0; round < 5; round++) expect((await call()).status).toBe(200);
  const first = await until(shown);
  expect(Math.abs(Date.parse(first) - before)).toBeLessThan(5_000);
  const { pool } = world.platform.contexts.sandbox;
  const writes = async (): Promise<string> =>
    (await pool.query("select xmin::text from control_keys.use where key_id = $1", [made.id]))
      .rows[0].xmin;
  const written = await writes();
  // A process that has not seen it writes nothing either within the minute.
  await world.restart();
  await call();
  await world.restart();
  expect([await shown(), await writes()]).toEqual([first, written]);
  await pool.query("update control_keys.use set used_at = used_at - interval '2 minutes'");
  await call();
  await world.restart();
  expect(Date.parse((await shown())!)).toBeGreaterThan(Date.parse(first));
  const { body } = await world.call("GET", "/api/v1/keys", { key });
  expect(
    body.data.map(({ last_used_at }: { last_used_at: unknown }) => typeof last_used_at),
  ).toEqual(["string", "string"]);
});
