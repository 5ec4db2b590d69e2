import { randomBytes } from "node:crypto";
import { makeKey, newId, parseKey, streamOf } from "@heliograph/contracts";
import { keyIssued } from "@heliograph/platform";
import { openWorld, turnKey, type World } from "@heliograph/testkit/world";
import { service as wallet } from "@heliograph/wallet";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { service } from "../src/index.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld({ services: [service, wallet] });
});
afterAll(() => world.close());

const issue = (key: string, body: object, headers: Record<string, string> = {}) =>
  world.call("POST", "/api/v1/keys", { key, body, headers });
const works = async (key: string, path = "/balance") =>
  (await world.call("GET", `/api/v1${path}`, { key })).status;

describe("an issued key", () => {
  test("works at once, is shown once and is stored as a hash only", async () => {
    const { key } = await world.addPartner();
    const { status, body } = await issue(key, { name: "second" });
    expect(status).toBe(201);
    expect(parseKey(body.key)).toBe("sandbox");
    expect(body.prefix).toBe(body.key.slice(0, 12));
    expect(body).toMatchObject({ environment: "sandbox", scopes: ["*"], status: "active" });
    expect(await works(body.key)).toBe(200);
    const list = await world.call("GET", "/api/v1/keys", { key });
    expect(list.body.data).toHaveLength(2);
    expect(list.text).not.toContain(body.key);
    const stored = await world.platform.platformLog.readStream(streamOf("key", body.id));
    expect(JSON.stringify(stored.map(({ data }) => data))).not.toContain(body.key);
  });

  test("is refused where a hundred are active, to those too who ask at once", async () => {
    const { key, id } = await world.addPartner();
    const terms = { partnerId: id, environment: "sandbox", name: "other" } as const;
    const made = { actor: "test", createdAt: new Date().toISOString() };
    const others = Array.from({ length: 97 }, () =>
      keyIssued(makeKey("sandbox", randomBytes), { ...terms, scopes: ["*"] }, made),
    );
    await world.platform.platformLog.append(others);
    const answers = await Promise.all(Array.from({ length: 4 }, () => issue(key, { name: "one" })));
    expect(answers.map(({ status }) => `${status}`).toSorted()).toEqual([
      "201",
      "201",
      "409",
      "409",
    ]);
  });

  test("is the same for the same idempotency key", async () => {
    const { key } = await world.addPartner();
    const headers = { "idempotency-key": newId("req") };
    const first = await issue(key, { name: "a" }, headers);
    const again = await issue(key, { name: "a" }, headers);
    expect(again.text).toBe(first.text);
    expect((await world.call("GET", "/api/v1/keys", { key })).body.data).toHaveLength(2);
  });

  test("whose first try never answered is shown across a rotation of the master key as it was recorded, and not at all without the key before", async () => {
    const { key } = await world.addPartner();
    const headers = { "idempotency-key": newId("req") };
    const again = async () => {
      await world.platform.contexts.sandbox.pool.query(
        "update ingress.idempotency set done = false, answer = null, lease_until = now() - interval '1 minute'",
      );
      const { status, body } = await issue(key, { name: "a" }, headers);
      return { status, key: body.key };
    };
    const first = await issue(key, { name: "a" }, headers);
    const shown = { status: 201, key: first.body.key };
    const { forget, turnBack } = turnKey(world.platform.masterKey);
    try {
      expect(await again()).toEqual(shown);
      forget();
      expect(await again()).toEqual({ status: 201, key: null });
    } finally {
      turnBack();
    }
    expect(await again()).toEqual(shown);
  });

  test("has no more rights than the one that issues it", async () => {
    const { id } = await world.addPartner();
    const narrow = await world.addKey(id, { scopes: ["keys:write", "keys:read"] });
    for (const scopes of [["*"], ["admin"], ["wallet:write"], ["wallet:*"]]) {
      const { status, body } = await issue(narrow, { name: "x", scopes });
      expect([status, body.code]).toEqual([403, "insufficient_scope"]);
    }
    const { status, body } = await issue(narrow, { name: "x", scopes: ["keys:read"] });
    expect(status).toBe(201);
    expect(await works(body.key)).toBe(403);
    const admin = await world.addKey(id, { scopes: ["*", "admin"] });
    expect((await issue(admin, { name: "x" })).body.scopes).toEqual(["*"]);
  });

  test("of live cannot come from a sandbox key, which does not see live keys either", async () => {
    const { id, key } = await world.addPartner();
    const live = await world.addKey(id, { environment: "live" });
    expect((await issue(key, { name: "x", environment: "live" })).status).toBe(403);
    const { body } = await issue(live, { name: "x" });
    expect(body.environment).toBe("live");
    const seen = (await world.call("GET", "/api/v1/keys", { key })).body.data;
    expect(seen.map((item: { environment: string }) => item.environment)).toEqual(["sandbox"]);
    const answer = await world.call("DELETE", `/api/v1/keys/${body.id}`, { key });
    expect(answer.status).toBe(404);
    const sandbox = await issue(live, { name: "x", environment: "sandbox" });
    expect(await works(sandbox.body.key)).toBe(200);
  });

  test("is refused from the moment its deletion is answered, and deleting it again is the same", async () => {
    const { key } = await world.addPartner();
    const { body } = await issue(key, { name: "short" });
    expect(await works(body.key)).toBe(200);
    const remove = () => world.call("DELETE", `/api/v1/keys/${body.id}`, { key });
    expect((await remove()).status).toBe(204);
    expect(await works(body.key)).toBe(401);
    expect((await remove()).status).toBe(204);
    const stored = await world.platform.platformLog.readStream(streamOf("key", body.id));
    expect(stored).toHaveLength(2);
    const list = (await world.call("GET", "/api/v1/keys", { key })).body.data;
    expect(list.at(-1)).toMatchObject({ id: body.id, status: "revoked" });
  });

  test("of another partner cannot be deleted", async () => {
    const { key } = await world.addPartner();
    const other = await world.addPartner();
    const { body } = await issue(other.key, { name: "theirs" });
    for (const id of [body.id, newId("key"), "nonsense"])
      expect((await world.call("DELETE", `/api/v1/keys/${id}`, { key })).status).toBe(404);
    expect(await works(body.key)).toBe(200);
  });

  test.each([
    [{}],
    [{ name: "" }],
    [{ name: "x", scopes: [] }],
    [{ name: "x", scopes: ["everything"] }],
    [{ name: "x", scopes: ["wallets:read"] }],
    [{ name: "x", scopes: ["wallet:raed"] }],
    [{ name: "x", scopes: ["wallets:*"] }],
    [{ name: "x", allowed_cidrs: ["10.1"] }],
    [{ name: "x", expires_at: "2020-01-01T00:00:00Z" }],
    [{ name: "x", expires_at: "tomorrow" }],
    [{ name: "x", allowed_cidrs: ["10.0.0.0/33"] }],
    [{ name: "x", allowed_cidrs: ["::1/129"] }],
    [{ name: "x", allowed_cidrs: ["example.com"] }],
    [{ name: "x", partner_id: "ptn_1" }],
  ])("with %j is refused", async (body) => {
    const { key } = await world.addPartner();
    expect((await issue(key, body)).status).toBe(422);
  });

  test("with a scope that no route asks for is refused with the ones there are", async () => {
    const { key } = await world.addPartner();
    const { body } = await issue(key, { name: "x", scopes: ["wallet:read", "wallets:read"] });
    expect(body.errors).toMatchObject([{ path: "scopes.1", code: "unknown_scope" }]);
    expect(body.errors[0].message).toContain("wallet:write");
  });

  test("lives no longer than its issuer, and is bound to the same addresses", async () => {
    const { id } = await world.addPartner();
    const expires_at = new Date(Date.now() + 3_600_000).toISOString();
    const allowed_cidrs = ["127.0.0.0/8", "2001:db8::/32"];
    const issuer = await world.addKey(id, { expires_at, allowed_cidrs });
    expect((await issue(issuer, { name: "x" })).body).toMatchObject({ expires_at, allowed_cidrs });
    const later = new Date(Date.now() + 7_200_000).toISOString();
    for (const wider of [
      { expires_at: later },
      { allowed_cidrs: ["127.0.0.1", "0.0.0.0/0"] },
      { allowed_cidrs: ["126.0.0.0/7"] },
      { allowed_cidrs: ["2001:db7::/32"] },
    ]) {
      const { status, body } = await issue(issuer, { name: "x", ...wider });
      expect([status, body.code]).toEqual([403, "insufficient_scope"]);
    }
    const narrower = { allowed_cidrs: ["127.0.0.1", "::ffff:127.1.0.0/112", "2001:db8:1::/48"] };
    const { status, body } = await issue(issuer, { name: "x", ...narrower });
    expect([status, body.allowed_cidrs]).toEqual([201, narrower.allowed_cidrs]);
  });

  test("with an allow-list works from there only", async () => {
    const { key } = await world.addPartner();
    const near = await issue(key, { name: "near", allowed_cidrs: ["127.0.0.0/8", "::1"] });
    const far = await issue(key, { name: "far", allowed_cidrs: ["10.0.0.0/8"] });
    expect([await works(near.body.key), await works(far.body.key)]).toEqual([200, 403]);
  });
});

describe("a partner", () => {
  const adminKey = async (): Promise<string> => {
    const { id } = await world.addPartner();
    return world.addKey(id, { environment: "live", scopes: ["*", "admin"] });
  };
  const createPartner = (key: string, body: object, headers: Record<string, string> = {}) =>
    world.call("POST", "/api/v1/admin/partners", { key, body, headers });

  test("is created with a key for each environment, the same again for the same idempotency key", async () => {
    const admin = await adminKey();
    const headers = { "idempotency-key": newId("req") };
    const body = { name: "New", rate_limit: { requests: 100, window_seconds: 1 } };
    const first = await createPartner(admin, body, headers);
    expect(first.status).toBe(201);
    expect(first.body).toMatchObject({ name: "New", currency: "USD" });
    const { live, sandbox } = first.body.keys;
    expect([parseKey(live), parseKey(sandbox)]).toEqual(["live", "sandbox"]);
    expect([await works(live), await works(sandbox)]).toEqual([200, 200]);
    expect((await createPartner(admin, body, headers)).text).toBe(first.text);
    const list = await world.call("GET", "/api/v1/admin/partners?limit=100", { key: admin });
    const ids = list.body.data.map((item: { id: string }) => item.id);
    expect(ids.filter((id: string) => id === first.body.id)).toHaveLength(1);
  });

  test("takes its rate limit as a number of requests a second too", async () => {
    const created = await createPartner(await adminKey(), { name: "Short", rate_limit: 7 });
    expect(created.body.rate_limit).toEqual({ requests: 7, window_seconds: 1 });
    const { headers } = await world.call("GET", "/api/v1/balance", {
      key: created.body.keys.sandbox,
    });
    expect(headers.get("ratelimit-policy")).toBe('"requests";q=7;w=1');
  });

  test("made by a try that crashed before its answer was kept has the same keys after the retry", async () => {
    const admin = await adminKey();
    const headers = { "idempotency-key": newId("req") };
    const first = await createPartner(admin, { name: "Crash" }, headers);
    // As the crash leaves it: claimed, without an answer, its lease over.
    await world.platform.contexts.live.pool.query(
      "update ingress.idempotency set done = false, answer = null, lease_until = now() - interval '1 second', created_at = now() - interval '2 seconds'",
    );
    const again = await createPartner(admin, { name: "Crash" }, headers);
    expect(again.body).toEqual(first.body);
  });

  test("is created by live admin keys only", async () => {
    const { id, key } = await world.addPartner();
    const live = await world.addKey(id, { environment: "live" });
    const sandboxAdmin = await world.addKey(id, { scopes: ["admin"] });
    for (const by of [key, live, sandboxAdmin])
      expect((await createPartner(by, { name: "x" })).status).toBe(403);
    expect((await createPartner(await adminKey(), { name: "x", currency: "EUR" })).status).toBe(
      422,
    );
  });
});
