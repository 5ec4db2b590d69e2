import { loosely } from "@heliograph/testkit";
import { newId, openSecret, streamOf } from "@heliograph/contracts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type World, openWorld } from "./harness.ts";

let world: World;
let partner: { id: string; key: string };
let other: { id: string; key: string };
beforeAll(async () => {
  world = await openWorld();
  partner = await world.addPartner();
  other = await world.addPartner();
});
afterAll(() => world.close());

const base = "/api/v1/webhook-endpoints";
const call = (
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
  key = partner.key,
) => world.call(method, `${base}${path}`, { key, headers, ...(body !== undefined && { body }) });
const create = (body: object = {}, headers: Record<string, string> = {}) =>
  call("POST", "", { url: "https://example.com/hook", ...body }, headers);
const stored = (id: string) =>
  world.platform.contexts.sandbox.log.readStream(streamOf("endpoint", id));

describe("a webhook endpoint", () => {
  test("is created with a secret that only its own route shows again and the log holds sealed", async () => {
    const { status, body, headers } = await create({ event_types: ["message.sent"] });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      url: "https://example.com/hook",
      event_types: ["message.sent"],
      status: "enabled",
    });
    expect(body.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(headers.get("log-position")).toMatch(/^\d{16}$/);
    expect((await call("GET", `/${body.id}`)).body).not.toHaveProperty("secret");
    expect((await call("GET", `/${body.id}/secret`)).body.secret).toBe(body.secret);
    const [event] = await stored(body.id);
    expect(loosely(event!.data).secret).not.toContain(body.secret);
    expect(openSecret(world.platform.masterKey, loosely(event!.data).secret)).toBe(body.secret);
  });

  test("is created once for an idempotency key, with the same secret", async () => {
    const headers = { "idempotency-key": newId("req") };
    const first = await create({}, headers);
    const again = await create({}, headers);
    expect(again.text).toBe(first.text);
    expect(await stored(first.body.id)).toHaveLength(1);
  });

  test("is changed field by field, and a null takes a setting away", async () => {
    const { id } = (await create({ description: "one", rate_limit: 5 })).body;
    const changed = await call("PATCH", `/${id}`, { rate_limit: 9, headers: { "X-Team": "a" } });
    expect(changed.body).toMatchObject({
      description: "one",
      rate_limit: 9,
      headers: { "X-Team": "a" },
    });
    const cleared = await call("PATCH", `/${id}`, { description: null, event_types: [] });
    expect(cleared.body).toMatchObject({ description: null, event_types: [], rate_limit: 9 });
    await call("PATCH", `/${id}`, { rate_limit: 9 });
    expect(await stored(id)).toHaveLength(3);
  });

  test("is disabled and enabled again", async () => {
    const { id } = (await create()).body;
    expect((await call("PATCH", `/${id}`, { status: "disabled" })).body.status).toBe("disabled");
    expect((await call("POST", `/${id}/test`, {})).status).toBe(409);
    expect((await call("POST", `/${id}/enable`)).body.status).toBe("enabled");
    const tested = await call("POST", `/${id}/test`, { type: "message.failed" });
    expect(tested.status).toBe(202);
    expect((await stored(id)).at(-1)).toMatchObject({
      type: "WebhookTestRequested",
      data: { delivery_id: tested.body.delivery_id, type: "message.failed" },
    });
  });

  test("keeps its old secret for the overlap after a rotation", async () => {
    const { id, secret } = (await create()).body;
    const before = Date.now();
    const rotated = await call("POST", `/${id}/rotate-secret`, { overlap_seconds: 60 });
    expect(rotated.status).toBe(200);
    expect(rotated.body.secret).not.toBe(secret);
    const expires = Date.parse(rotated.body.previous_secret_expires_at);
    expect(expires).toBeGreaterThanOrEqual(before + 60_000);
    expect(expires).toBeLessThanOrEqual(Date.now() + 60_000);
    expect((await call("GET", `/${id}/secret`)).body.secret).toBe(rotated.body.secret);
    expect((await call("POST", `/${id}/rotate-secret`, { overlap_seconds: 604_801 })).status).toBe(
      422,
    );
  });

  test("is gone after it was deleted", async () => {
    const { id } = (await create()).body;
    expect((await call("DELETE", `/${id}`)).status).toBe(204);
    for (const [method, path] of [
      ["GET", ""],
      ["GET", "/secret"],
      ["DELETE", ""],
      ["POST", "/enable"],
      ["GET", "/deliveries"],
    ] as const)
      expect((await call(method, `/${id}${path}`)).status).toBe(404);
  });

  test("does not exist for another partner or in the other environment", async () => {
    const { id } = (await create()).body;
    const live = await world.addKey(partner.id, { environment: "live" });
    for (const key of [other.key, live]) {
      expect((await call("GET", `/${id}`, undefined, {}, key)).status).toBe(404);
      expect((await call("GET", `/${id}/secret`, undefined, {}, key)).status).toBe(404);
      expect((await call("PATCH", `/${id}`, { rate_limit: 1 }, {}, key)).status).toBe(404);
      expect((await call("DELETE", `/${id}`, undefined, {}, key)).status).toBe(404);
    }
    expect((await call("GET", "/whe_nonsense")).status).toBe(404);
  });

  test("survives fifty changes at once, each applied or refused as a conflict", async () => {
    const { id } = (await create()).body;
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => call("PATCH", `/${id}`, { rate_limit: index + 1 })),
    );
    const applied = answers.filter(({ status }) => status === 200);
    for (const { status, body } of answers) if (status !== 200) expect(body.code).toBe("conflict");
    expect(applied.length).toBeGreaterThan(0);
    expect(await stored(id)).toHaveLength(1 + applied.length);
  });
});

describe("refused settings", () => {
  test.each([
    ["ftp://example.com"],
    ["example.com/hook"],
    ["https://user:pw@example.com"],
    ["https://example.com/#part"],
    [`https://example.com/${"a".repeat(2048)}`],
    ["javascript:alert(1)"],
  ])("the URL %s", async (url) => {
    const { status, body } = await create({ url });
    expect(status).toBe(422);
    expect(body.errors[0].path).toBe("url");
  });

  test.each([
    [{ Host: "a" }],
    [{ "webhook-signature": "a" }],
    [{ "Content-Length": "1" }],
    [{ "X-A": "a\r\nX-B: b" }],
    [{ "X A": "a" }],
    [{ "X-A": "1", "x-a": "2" }],
    [{ "X-A": "" }],
    [Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`X-${index}`, "a"]))],
  ])("the headers %j", async (headers) => {
    expect((await create({ headers })).status).toBe(422);
  });

  test("types and fields that do not exist", async () => {
    const { body } = await create({ event_types: ["message.sent", "message.lost"], colour: 1 });
    expect(body.errors.map(({ path }: { path: string }) => path).toSorted()).toEqual([
      "colour",
      "event_types.1",
    ]);
  });
});
