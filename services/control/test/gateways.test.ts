import { newId, streamOf } from "@heliograph/contracts";
import { service as dispatch } from "@heliograph/dispatch";
import { smtpSink } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { service } from "../src/index.ts";

let world: World;
let admin: string;
let partner: { readonly id: string; readonly key: string };
beforeAll(async () => {
  world = await openWorld({ services: [service, dispatch] });
  partner = await world.addPartner();
  admin = await world.addKey(partner.id, { environment: "live", scopes: ["admin"] });
});
afterAll(() => world.close());

const secret = "s3cret words";
const smtp = (name: string, more: object = {}) => ({
  name,
  channel: "email",
  kind: "smtp",
  settings: { url: "smtp://user@127.0.0.1:2525", from: "Shop <shop@example.org>" },
  secrets: { password: secret },
  ...more,
});
type Sent = {
  readonly body?: object;
  readonly key?: string;
  readonly headers?: Record<string, string>;
};
const ask = (method: string, path: string, { body, key = admin, headers = {} }: Sent = {}) =>
  world.call(method, `/api/v1${path}`, { key, headers, ...(body && { body }) });
const added = async (name: string, more: object = {}) => {
  const answer = await ask("POST", "/admin/gateways", { body: smtp(name, more) });
  expect(answer.status).toBe(201);
  return answer.body as { readonly id: string };
};
const configs = async (id: string) =>
  (await world.platform.platformLog.readStream(streamOf("gateway", id))).map(({ type }) => type);

test("a gateway is added, shown without its secrets, changed field by field, switched and removed", async () => {
  const made = await added("mail-1", {
    max_per_second: 5,
    slow_after_ms: 700,
    cost: "0.002",
    countries: ["PL"],
  });
  expect(made).toMatchObject({
    name: "mail-1",
    environment: "live",
    secrets: ["password"],
    max_per_second: 5,
    max_in_flight: 256,
    slow_after_ms: 700,
    cost: "0.002",
    countries: ["PL"],
    enabled: true,
    uncertain: "give_up",
    callback_url: null,
  });
  const path = `/admin/gateways/${made.id}`;
  const first = await ask("GET", path);
  expect(first.body).toEqual(made);
  const etag = first.headers.get("etag")!;
  expect((await ask("GET", path, { headers: { "if-none-match": etag } })).status).toBe(304);

  const changed = await ask("PATCH", path, {
    body: { weight: 7, slow_after_ms: null, cost: null, uncertain: "retry" },
    headers: { "if-match": etag },
  });
  const now = { weight: 7, slow_after_ms: null, cost: null, uncertain: "retry" };
  expect(changed.body).toEqual({ ...made, ...now });
  const late = await ask("PATCH", path, { body: { weight: 8 }, headers: { "if-match": etag } });
  expect([late.status, late.body.code]).toEqual([412, "precondition_failed"]);
  // The same again is no change.
  await ask("PATCH", path, { body: { weight: 7 } });
  expect(await configs(made.id)).toHaveLength(2);

  expect((await ask("POST", `${path}/disable`)).body.enabled).toBe(false);
  expect((await ask("POST", `${path}/enable`)).body.enabled).toBe(true);
  const gone = await ask("PATCH", path, { body: { secrets: { password: null } } });
  expect(gone.body.secrets).toEqual([]);
  expect((await ask("DELETE", path)).status).toBe(204);
  expect((await ask("GET", path)).status).toBe(404);
  expect((await ask("POST", `${path}/enable`)).status).toBe(404);
  expect((await ask("GET", "/admin/gateways?limit=100")).text).not.toContain(made.id);
  // The name is free again, under the same id.
  expect((await added("mail-1")).id).toBe(made.id);
});

test("what goes through another gateway needs one that keeps lists, and that one is not taken from under it", async () => {
  const bot = await ask("POST", "/admin/gateways", {
    body: {
      name: "bot",
      channel: "telegram",
      kind: "telegram",
      secrets: { bot_token: "123456:ABC", secret_token: "x" },
    },
  });
  expect(bot.status).toBe(201);
  const mail = await added("mail-9");
  const news = (name: string, via: string) =>
    ask("POST", "/admin/gateways", {
      body: { name, channel: "broadcast", kind: "broadcast", settings: { via, per_second: 3 } },
    });
  for (const via of [newId("gtw"), mail.id]) {
    const refused = await news("news", via);
    expect([refused.status, refused.body.errors?.[0]?.path]).toEqual([422, "settings.via"]);
  }
  const made = await news("news", bot.body.id);
  expect([made.status, made.body.uncertain]).toEqual([201, "give_up"]);
  const path = `/admin/gateways/${bot.body.id}`;
  for (const [method, body] of [
    ["DELETE", undefined],
    ["PATCH", { partner_id: partner.id }],
  ] as const) {
    const refused = await ask(method, path, body && { body });
    expect([refused.status, refused.body.code]).toEqual([409, "conflict"]);
    expect(refused.body.detail).toMatch(/^news would have/);
  }
  const elsewhere = await ask("PATCH", `/admin/gateways/${made.body.id}`, {
    body: { settings: { via: mail.id } },
  });
  expect(elsewhere.body.errors[0].path).toBe("settings.via");
  // Disabled it may be at any time: messages wait, and nothing more may be put on it.
  expect((await ask("POST", `${path}/disable`)).status).toBe(200);
  expect((await news("more-news", bot.body.id)).body.errors[0].message).toMatch(/disabled/);
  const tested = await ask("POST", `/admin/gateways/${made.body.id}/test`);
  expect(tested.body).toMatchObject({
    ok: false,
    error: expect.stringMatching(/disabled or gone/),
  });
  const gone = `/admin/gateways/${made.body.id}`;
  const removed = async (match: string) =>
    (await ask("DELETE", gone, { headers: { "if-match": match } })).status;
  expect(await removed('"7"')).toBe(412);
  expect(await removed((await ask("GET", gone)).headers.get("etag")!)).toBe(204);
  expect((await ask("DELETE", path)).status).toBe(204);
});

test("what is wrong is named by its field and changes nothing; what is secret is nowhere", async () => {
  const { id } = await added("mail-2");
  const refusals: readonly [object, string][] = [
    [{ kind: "pigeon" }, "kind"],
    [{ channel: "sms" }, "channel"],
    [{ environment: "sandbox" }, "kind"],
    [{ kind: "simulator", settings: {}, secrets: {} }, "kind"],
    [{ settings: { url: "http://example.org" } }, "settings.url"],
    [{ settings: { url: "smtp://h", more: 1 } }, "settings.more"],
    [{ secrets: { password: "x", token: "y" } }, "secrets.token"],
    [{ cost: "-1" }, "cost"],
    [{ countries: ["XX"] }, "countries.0"],
    [{ partner_id: newId("ptn") }, "partner_id"],
    [{ weight: 1_001 }, "weight"],
    [{ name: "Mail 3" }, "name"],
  ];
  for (const [more, path] of refusals) {
    const answer = await ask("POST", "/admin/gateways", { body: smtp("mail-3", more) });
    expect([answer.status, answer.body.errors?.[0]?.path]).toEqual([422, path]);
  }
  const taken = await ask("POST", "/admin/gateways", { body: smtp("mail-2") });
  expect([taken.status, taken.body.code]).toEqual([409, "conflict"]);
  const bad = await ask("PATCH", `/admin/gateways/${id}`, {
    body: { settings: { url: "ftp://h" } },
  });
  expect([bad.status, bad.body.errors[0].path]).toEqual([422, "settings.url"]);
  expect(await configs(id)).toEqual(["GatewayConfigured"]);

  const events = await world.platform.platformLog.readAll({ after: 0n, limit: 10_000 });
  expect(
    JSON.stringify(events.events, (_, value: unknown) =>
      typeof value === "bigint" ? String(value) : value,
    ),
  ).not.toContain(secret);
  expect((await ask("GET", "/admin/gateways?limit=100")).text).not.toContain(secret);
});

test("partners and keys of the sandbox reach none of it", async () => {
  const { id } = await added("mail-4");
  const stranger = await world.addKey(partner.id, { environment: "live", scopes: ["*"] });
  const sandbox = await world.addKey(partner.id, { environment: "sandbox", scopes: ["admin"] });
  for (const [method, path] of [
    ["GET", ""],
    ["PATCH", ""],
    ["DELETE", ""],
    ["POST", "/test"],
    ["POST", "/disable"],
  ] as const) {
    const body = method === "PATCH" ? { body: { weight: 1 } } : {};
    const at = `/admin/gateways/${id}${path}`;
    expect((await ask(method, at, { key: stranger, ...body })).status).toBe(403);
    expect((await ask(method, at, { key: sandbox, ...body })).status).toBe(404);
  }
  const live = smtp("mail-5", { environment: "live" });
  const answer = await ask("POST", "/admin/gateways", { key: sandbox, body: live });
  expect([answer.status, answer.body.errors[0].path]).toEqual([422, "environment"]);
  expect(await configs(id)).toEqual(["GatewayConfigured"]);
});

test("a test reaches the server with the credentials, and says what went wrong", async () => {
  const sink = await smtpSink();
  try {
    const settings = { url: `smtp://127.0.0.1:${sink.port}`, from: "shop@example.org" };
    const { id } = await added("mail-6", { settings, secrets: {} });
    const fine = await ask("POST", `/admin/gateways/${id}/test`);
    expect(fine.body).toMatchObject({ ok: true, error: null });
    expect(sink.messages).toHaveLength(0);
    await ask("PATCH", `/admin/gateways/${id}`, {
      body: { settings: { url: "smtp://127.0.0.1:1" } },
    });
    const failed = await ask("POST", `/admin/gateways/${id}/test`);
    expect(failed.body.ok).toBe(false);
    expect(failed.body.error).toContain("ECONNREFUSED");
  } finally {
    await sink.close();
  }
});

test("rules are replaced as a whole, and explained without sending", async () => {
  const [one, two] = [
    await added("route-1", { cost: "0.02" }),
    await added("route-2", { cost: "0.01" }),
  ];
  const rules = [
    { match: { category: "marketing" }, policy: "least_cost", gateways: [one.id, two.id] },
    {
      match: { channel: "email", partner: partner.id },
      policy: "priority",
      gateways: [one.id, two.id],
      failover: false,
    },
  ];
  const before = await ask("GET", "/admin/routing");
  const set = await ask("PUT", "/admin/routing", {
    body: { rules },
    headers: { "if-match": before.headers.get("etag")! },
  });
  expect(set.status).toBe(200);
  expect(set.body.rules).toEqual([{ ...rules[0], failover: true }, rules[1]]);
  expect((await ask("GET", "/admin/routing")).body).toEqual(set.body);
  const late = await ask("PUT", "/admin/routing", {
    body: { rules: [] },
    headers: { "if-match": before.headers.get("etag")! },
  });
  expect(late.status).toBe(412);

  const key = await world.addKey(partner.id, { environment: "live", scopes: ["gateways:read"] });
  const explained = async (more: object = {}) => {
    const body = { channel: "email", to: "ada@example.org", ...more };
    const answer = await ask("POST", "/routing/explain", { key, body });
    return [answer.body.gateway, answer.body.reason];
  };
  expect(await explained({ category: "marketing" })).toEqual([
    "route-2",
    "rule 1: the cheapest of 2 usable gateways",
  ]);
  expect(await explained()).toEqual(["route-1", "rule 2: the only gateway for the message"]);
  await ask("POST", `/admin/gateways/${two.id}/disable`);
  expect(await explained({ category: "marketing" })).toEqual([
    "route-1",
    "rule 1: the only gateway for the message",
  ]);
  await ask("POST", `/admin/gateways/${one.id}/disable`);
  expect(await explained()).toEqual([null, "rule 2: no gateway carries it"]);
  const other = await ask("POST", "/routing/explain", {
    key,
    body: { channel: "email", to: "nobody", partner_id: newId("ptn") },
  });
  expect(other.status).toBe(422);

  for (const [wrong, path] of [
    [{ match: {}, policy: "priority", gateways: [newId("gtw")] }, "rules.0.gateways.0"],
    [{ match: { channel: "sms" }, policy: "priority", gateways: [one.id] }, "rules.0.gateways.0"],
    [{ match: {}, policy: "priority", gateways: [one.id, one.id] }, "rules.0.gateways.1"],
    [
      { match: { partner: newId("ptn") }, policy: "priority", gateways: [one.id] },
      "rules.0.match.partner",
    ],
    [
      { match: { country_prefix: "48a" }, policy: "priority", gateways: [one.id] },
      "rules.0.match.country_prefix",
    ],
  ] as const) {
    const answer = await ask("PUT", "/admin/routing", { body: { rules: [wrong] } });
    expect([answer.status, answer.body.errors?.[0]?.path]).toEqual([422, path]);
  }
  expect((await ask("GET", "/admin/routing")).body).toEqual(set.body);
});

test("a configured request is shown without being sent, and has an address to be called at", async () => {
  const made = await ask("POST", "/admin/gateways", {
    body: {
      name: "acme",
      channel: "sms",
      kind: "http",
      settings: {
        url: "http://127.0.0.1:1/{{channel}}",
        body: { to: "{{to}}" },
        success: { id: "/id" },
      },
      secrets: { headers: { Authorization: `Bearer ${secret}` } },
    },
  });
  expect([made.status, made.body.secrets]).toEqual([201, ["headers"]]);
  expect(made.body.callback_url).toMatch(
    new RegExp(`/api/v1/callbacks/${made.body.id}/[\\w-]{28}$`),
  );
  const tried = await ask("POST", `/admin/gateways/${made.body.id}/test`);
  expect(tried.body).toMatchObject({
    ok: true,
    error: null,
    request: {
      method: "POST",
      url: "http://127.0.0.1:1/sms",
      headers: { "content-type": "application/json" },
      body: '{"to":"+15550000001"}',
    },
  });
  expect(tried.text).not.toContain(secret);
});
