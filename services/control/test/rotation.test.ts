import { randomBytes } from "node:crypto";
import { serveApi } from "@heliograph/api";
import { newId, parseKey, streamOf } from "@heliograph/contracts";
import { openPlatform } from "@heliograph/platform";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { service as wallet } from "@heliograph/wallet";
import pino from "pino";
import { afterAll, beforeAll, expect, test } from "vitest";
import { service } from "../src/index.ts";

let world: World;
/** The ports of two instances with a directory each, on one database. */
let ports: readonly number[];
const closing: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  // Both are behind the same master key.
  world = await openWorld({
    services: [service, wallet],
    env: { HELIOGRAPH_MASTER_KEY: randomBytes(32).toString("hex") },
  });
  const { settings, server } = world.platform;
  const second = await openPlatform(settings, server, "given", pino({ level: "silent" }));
  closing.push(second.close);
  const serving = await serveApi({ ...second, environments: second.contexts }, [service, wallet]);
  closing.push(serving.stop);
  ports = [world.port, serving.port];
});
afterAll(async () => {
  for (const close of closing.toReversed()) await close();
  await world.close();
});

const post = (key: string, path: string, body: object, headers: Record<string, string> = {}) =>
  world.call("POST", `/api/v1${path}`, { key, body, headers });
const rotate = (key: string, id: string, body: object = {}, headers: Record<string, string> = {}) =>
  post(key, `/keys/${id}/rotate`, body, headers);
const statusAt = async (port: number, key: string, path = "/balance"): Promise<number> => {
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1${path}`, {
    headers: { authorization: `Bearer ${key}` },
  });
  await answer.arrayBuffer();
  return answer.status;
};

/** Calls with a key every 100 ms at both instances until a time; gives when each call began and ended, and how. */
async function callUntil(key: string, endMs: number) {
  const calls: { readonly began: number; readonly ended: number; readonly status: number }[] = [];
  while (Date.now() < endMs) {
    const round = ports.map(async (port) => {
      const began = Date.now();
      const status = await statusAt(port, key);
      calls.push({ began, ended: Date.now(), status });
    });
    await Promise.all([...round, new Promise((resolve) => setTimeout(resolve, 100))]);
  }
  return calls;
}

test("a rotated key works until its deadline and not one call after it, at every instance, and its successor all the time", async () => {
  const { key } = await world.addPartner();
  const { body: old } = await post(key, "/keys", { name: "worker" });
  const short = new Date(Date.now() + 2_000).toISOString();
  const { body: ending } = await post(key, "/keys", { name: "ending", expires_at: short });
  const { status, body: made } = await rotate(key, old.id, { overlap_seconds: 2 });
  expect([status, made.replaces, made.name]).toEqual([201, old.id, "worker"]);
  expect(made.id).not.toBe(old.id);
  const deadlines = [Date.parse(made.previous_key_expires_at), Date.parse(short)];
  const endMs = Math.max(...deadlines) + 1_000;
  const [old2, ending2, successor] = await Promise.all(
    [old.key, ending.key, made.key].map((each) => callUntil(each, endMs)),
  );
  for (const [calls, deadline] of [
    [old2!, deadlines[0]!],
    [ending2!, deadlines[1]!],
  ] as const) {
    const before = calls.filter(({ ended }) => ended < deadline);
    const after = calls.filter(({ began }) => began >= deadline);
    expect(before.length).toBeGreaterThan(6);
    expect(after.length).toBeGreaterThan(6);
    expect(before.filter((call) => call.status !== 200)).toEqual([]);
    expect(after.filter((call) => call.status !== 401)).toEqual([]);
  }
  // The other instance may be a moment behind the rotation.
  const settled = Date.parse(made.created_at) + 1_000;
  const late = successor!.filter(({ began, status: its }) => began > settled && its !== 200);
  expect(late).toEqual([]);
  const { body: listed } = await world.call("GET", `/api/v1/keys/${old.id}`, { key });
  expect(listed).toMatchObject({ status: "expired", replaced_by: made.id });
});

test("a deleted key is refused at the other instance within a second", async () => {
  const { key } = await world.addPartner();
  const { body } = await post(key, "/keys", { name: "short" });
  // The partner's first key is known there once that directory has read it; the other from its own stream.
  const there = () => statusAt(ports[1]!, key, `/keys/${body.id}`);
  await until(async () => (await there()) !== 401, { what: "the partner is known there" });
  expect(await there()).toBe(200);
  expect((await world.call("DELETE", `/api/v1/keys/${body.id}`, { key })).status).toBe(204);
  const answered = Date.now();
  while ((await statusAt(ports[1]!, body.key)) !== 401)
    expect(Date.now() - answered).toBeLessThan(1_000);
});

test("of rotations at once one wins, and what the others made is no key", async () => {
  const { id, key } = await world.addPartner();
  const { body: old } = await post(key, "/keys", { name: "worker" });
  const answers = await Promise.all(Array.from({ length: 6 }, () => rotate(key, old.id)));
  const statuses = answers.map(({ status }) => status);
  expect(statuses.toSorted((left, right) => left - right)).toEqual([
    201,
    ...Array<number>(5).fill(409),
  ]);
  const keys = (await world.call("GET", "/api/v1/keys", { key })).body.data;
  expect(keys).toHaveLength(3);
  expect(world.platform.directory.keysOf(id)).toHaveLength(3);
});

test("a successor that no rotation names opens nothing, and the retry of a rotation that was cut off makes it the one", async () => {
  const { key } = await world.addPartner();
  const { body: old } = await post(key, "/keys", { name: "worker" });
  const headers = { "idempotency-key": newId("req") };
  const first = await rotate(key, old.id, {}, headers);
  const again = await rotate(key, old.id, {}, headers);
  expect(again.text).toBe(first.text);
  const { platformLog } = world.platform;
  const stored = await platformLog.readStream(streamOf("key", old.id));
  expect(stored.map(({ type }) => type)).toEqual(["KeyIssued", "KeyRotated"]);
  // As a crash between the two appends leaves it.
  const { id } = await world.addPartner();
  const orphan = await world.addKey(id, { replaces: old.id });
  expect(await statusAt(ports[0]!, orphan)).toBe(401);
  // As the crash before the answer was kept leaves it.
  await world.platform.contexts.sandbox.pool.query(
    "update ingress.idempotency set done = false, answer = null, lease_until = now() - interval '1 second', created_at = now() - interval '2 seconds'",
  );
  const retried = await rotate(key, old.id, {}, headers);
  expect(retried.body).toEqual(first.body);
});

test("two of a line work at most: the third waits for the first, or ends the second at once", async () => {
  const { key } = await world.addPartner();
  const { body: a } = await post(key, "/keys", { name: "a" });
  const { body: b } = await rotate(key, a.id);
  expect((await rotate(key, a.id)).body.code).toBe("conflict");
  const third = await rotate(key, b.id);
  expect([third.status, third.body.detail]).toEqual([409, expect.stringContaining("until")]);
  const { status, body: c } = await rotate(key, b.id, { overlap_seconds: 0 });
  expect(status).toBe(201);
  const works = [a, b, c].map((each) => statusAt(ports[0]!, each.key));
  expect(await Promise.all(works)).toEqual([200, 401, 200]);
  const removed = await world.call("DELETE", `/api/v1/keys/${a.id}`, { key });
  expect(removed.status).toBe(204);
  expect((await rotate(key, c.id)).status).toBe(201);
  expect((await rotate(key, a.id)).status).toBe(409);
});

test("a rotation makes no stronger key, and no key that the caller cannot see", async () => {
  const { id, key } = await world.addPartner();
  const other = await world.addPartner();
  const { body: strong } = await post(key, "/keys", { name: "strong" });
  const cidrs = { allowed_cidrs: ["127.0.0.0/8"] };
  const soon = new Date(Date.now() + 3_600_000).toISOString();
  for (const weaker of [{ scopes: ["keys:*"] }, { expires_at: soon }, cidrs]) {
    const by = await world.addKey(id, weaker);
    const { status, body } = await rotate(by, strong.id);
    expect([status, body.code]).toEqual([403, "insufficient_scope"]);
  }
  expect((await rotate(other.key, strong.id)).status).toBe(404);
  const live = await post(await world.addKey(id, { environment: "live" }), "/keys", { name: "l" });
  expect((await rotate(key, live.body.id)).status).toBe(404);
  expect((await rotate(key, newId("key"))).status).toBe(404);
  // Its own successor has its own terms.
  const bound = await post(key, "/keys", { name: "bound", ...cidrs, expires_at: soon });
  const { status, body } = await rotate(bound.body.key, bound.body.id, { overlap_seconds: 0 });
  expect([status, body.allowed_cidrs, body.expires_at]).toEqual([201, cidrs.allowed_cidrs, soon]);
  expect(parseKey(body.key)).toBe("sandbox");
  const longer = new Date(Date.now() + 7_200_000).toISOString();
  expect((await rotate(body.key, body.id, { expires_at: longer })).status).toBe(403);
  expect((await rotate(key, body.id, { expires_at: longer })).body.expires_at).toBe(longer);
});

test.each([
  { overlap_seconds: -1 },
  { overlap_seconds: 604_801 },
  { overlap_seconds: 1.5 },
  { overlap_seconds: "60" },
  { overlap_seconds: null },
  { expires_at: "2020-01-01T00:00:00Z" },
  { expires_at: "2030-13-01T00:00:00Z" },
  { scopes: ["*"] },
])("a rotation with %j is refused, and nothing changes", async (body) => {
  const { key } = await world.addPartner();
  const { body: old } = await post(key, "/keys", { name: "worker" });
  expect((await rotate(key, old.id, body)).status).toBe(422);
  const stored = await world.platform.platformLog.readStream(streamOf("key", old.id));
  expect(stored).toHaveLength(1);
});

test("one key is shown with its tag, and is changed only in the state that was seen", async () => {
  const { key } = await world.addPartner();
  const other = await world.addPartner();
  const { body: made } = await post(key, "/keys", { name: "one" });
  const get = (by: string, headers: Record<string, string> = {}) =>
    world.call("GET", `/api/v1/keys/${made.id}`, { key: by, headers });
  const { status, headers, body, text } = await get(key);
  expect([status, body.id, body.status]).toEqual([200, made.id, "active"]);
  expect(text).not.toContain(made.key);
  const etag = headers.get("etag")!;
  expect((await get(other.key)).status).toBe(404);
  // Its use changes what is shown and not the tag, which a change has to name.
  expect((await get(made.key)).status).toBe(200);
  await until(async () => {
    const shown = await get(key, { "if-none-match": etag });
    expect([shown.status, shown.headers.get("etag")]).toEqual([200, etag]);
    return shown.body.last_used_at !== null;
  });
  expect((await rotate(key, made.id, {}, { "if-match": '"7-active"' })).status).toBe(412);
  expect((await rotate(key, made.id, {}, { "if-match": etag })).status).toBe(201);
  const remove = (match: string) =>
    world.call("DELETE", `/api/v1/keys/${made.id}`, { key, headers: { "if-match": match } });
  expect((await remove(etag)).status).toBe(412);
  expect((await remove((await get(key)).headers.get("etag")!)).status).toBe(204);
});

test("an admin key reaches the administration and the topping up of wallets, and is made by admins only", async () => {
  const { id, key } = await world.addPartner();
  const admin = await world.addKey(id, { admin: true });
  expect(admin).toMatch(/^ak_admin_[0-9A-Za-z]{36}$/);
  const get = (by: string, path: string) => world.call("GET", `/api/v1${path}`, { key: by });
  expect((await get(admin, "/admin/partners")).status).toBe(200);
  for (const path of ["/balance", "/keys", "/prices"])
    expect((await get(admin, path)).body.code).toBe("insufficient_scope");
  // The amount is looked at after the key.
  expect((await post(admin, "/wallet/topups", { amount: "-1", partner_id: id })).status).toBe(422);
  const made = await post(admin, "/admin/keys", { name: "second", allowed_cidrs: ["127.0.0.1"] });
  expect([made.status, made.body.key, made.body.scopes]).toEqual([
    201,
    expect.stringMatching(/^ak_admin_/),
    ["admin"],
  ]);
  expect(made.body.prefix).toBe(made.body.key.slice(0, 13));
  const wide = await post(made.body.key, "/admin/keys", { name: "x", allowed_cidrs: ["::/0"] });
  expect(wide.status).toBe(403);
  const listed = await get(made.body.key, "/admin/keys");
  expect(listed.body.data.map((each: { name: string }) => each.name)).toEqual(["test", "second"]);
  const next = await post(admin, `/admin/keys/${made.body.id}/rotate`, { overlap_seconds: 0 });
  expect([next.status, next.body.key]).toEqual([201, expect.stringMatching(/^ak_admin_/)]);
  expect((await get(made.body.key, "/admin/keys")).status).toBe(401);
  // Partners' keys are none of them, and strangers see none.
  const partners = (await get(key, "/keys")).body.data[0].id;
  expect((await get(admin, `/admin/keys/${partners}`)).status).toBe(404);
  const { id: elsewhere } = await world.addPartner();
  const stranger = await world.addKey(elsewhere, { admin: true });
  expect((await get(stranger, `/admin/keys/${next.body.id}`)).status).toBe(404);
  const live = await world.addKey(id, { environment: "live" });
  expect((await post(live, "/admin/keys", { name: "x" })).status).toBe(403);
  expect((await post(live, `/keys/${next.body.id}/rotate`, {})).status).toBe(403);
  const sandboxAdmin = await world.addKey(id, { scopes: ["*", "admin"] });
  expect((await post(sandboxAdmin, "/admin/keys", { name: "x" })).status).toBe(403);
  // Older keys with the scope keep working, everywhere.
  const older = await world.addKey(id, { environment: "live", scopes: ["*", "admin"] });
  expect((await get(older, "/balance")).status).toBe(200);
  expect((await post(older, "/admin/keys", { name: "x" })).status).toBe(201);
});
