import { loosely, until } from "@heliograph/testkit";
import { agentCreated } from "@heliograph/testkit/people";
import { newId, newSecret, openSecret, sealSecret, streamOf, uuid7 } from "@heliograph/contracts";
import { type Endpoint, evolveEndpoint } from "@heliograph/domain";
import { takeMail } from "@heliograph/platform";
import { openWorld, turnKey, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { service } from "../src/index.ts";
import { postAll } from "../src/mails.ts";
import { headersOf } from "../src/headers.ts";

let world: World;
let partner: { id: string; key: string };
let other: { id: string; key: string };
beforeAll(async () => {
  world = await openWorld({ services: [service] });
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

const endpointOf = async (id: string) =>
  (await stored(id)).reduce<Endpoint | undefined>(evolveEndpoint, undefined);

describe("a webhook endpoint", () => {
  test("is refused where there are as many as may be, to those too who ask at once; one that is deleted makes room", async () => {
    const { id: owner, key } = await world.addPartner();
    const { log } = world.platform.contexts.sandbox;
    const url = "https://example.com/hook";
    const secret = sealSecret(world.platform.masterKey, newSecret(Buffer.alloc(32)));
    const made = Array.from({ length: 99 }, () => newId("whe"));
    const metadata = { partner: owner };
    const appendAll = (type: string, each: readonly string[], rest: object, revision?: number) =>
      log.append(
        each.map((endpoint_id) => ({
          stream: streamOf("endpoint", endpoint_id),
          expected: revision ?? ("no_stream" as const),
          events: [{ id: uuid7(), type, data: { endpoint_id, ...rest }, metadata }],
        })),
      );
    const created_at = new Date().toISOString();
    await appendAll("WebhookEndpointCreated", made, { url, secret, created_at });
    await appendAll("WebhookEndpointDeleted", made.slice(0, 1), {}, 0);
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => world.call("POST", base, { key, body: { url } })),
    );
    expect(answers.map(({ status }) => `${status}`).toSorted()).toEqual([
      "201",
      "201",
      "409",
      "409",
    ]);
  });

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
    const { id } = (await create({ description: "one", rate_limit: 5, http2: true })).body;
    const changed = await call("PATCH", `/${id}`, { rate_limit: 9, headers: { "X-Team": "a" } });
    expect(changed.body).toMatchObject({
      description: "one",
      http2: true,
      rate_limit: 9,
      headers: { "X-Team": "***" },
    });
    const none = { description: null, event_types: [], http2: false };
    const cleared = await call("PATCH", `/${id}`, none);
    expect(cleared.body).toMatchObject({ ...none, rate_limit: 9 });
    await call("PATCH", `/${id}`, { rate_limit: 9 });
    expect(await stored(id)).toHaveLength(3);
  });

  test("takes batches, all of whose settings it names, and never together with an order", async () => {
    const { id, batch } = (await create({ batch: { max_events: 7 } })).body;
    expect(batch).toEqual({ max_events: 7, max_wait_ms: 1_000 });
    const refused = await call("PATCH", `/${id}`, { ordering: "per_subject" });
    expect([refused.status, refused.body.errors[0].path]).toEqual([422, "batch"]);
    const other = await create({ batch: {}, ordering: "per_subject" });
    expect([other.status, other.body.errors[0].path]).toEqual([422, "batch"]);
    const ordered = await call("PATCH", `/${id}`, { ordering: "per_subject", batch: null });
    expect(ordered.body).toMatchObject({ batch: null, ordering: "per_subject" });
  });

  test("is disabled and enabled again", async () => {
    const { id } = (await create()).body;
    expect((await call("PATCH", `/${id}`, { status: "disabled" })).body.status).toBe("disabled");
    expect((await call("POST", `/${id}/test`, {})).status).toBe(409);
    expect((await call("POST", `/${id}/enable`)).body.status).toBe("enabled");
    await call("PATCH", `/${id}`, { status: "enabled" });
    const told = (await stored(id)).filter(({ type }) => type === "WebhookEndpointEnabled");
    expect(told.map(({ data }) => data)).toEqual([
      { endpoint_id: id, url: "https://example.com/hook" },
    ]);
    const tested = await call("POST", `/${id}/test`, { type: "message.failed" });
    expect(tested.status).toBe(202);
    expect((await stored(id)).at(-1)).toMatchObject({
      type: "WebhookTestRequested",
      data: { delivery_id: tested.body.delivery_id, type: "message.failed" },
    });
  });

  test("that the platform disabled is told of by mail to those who may change it", async () => {
    const owner = agentCreated(partner.id, { role: "owner" });
    const others = [
      agentCreated(partner.id),
      agentCreated(partner.id, { role: "owner", environments: ["live"] }),
      agentCreated(other.id, { role: "owner" }),
    ];
    for (const agent of [owner, ...others])
      await world.appendPlatform(
        streamOf("agent", agent.agent_id),
        "no_stream",
        "AgentCreated",
        agent,
      );
    const { platform } = world;
    await until(() => platform.directory.agentsOf(partner.id).length === 3);
    const event = {
      type: "WebhookEndpointDisabled",
      data: { endpoint_id: newId("whe"), url: "https://example.com/hook", reason: "gone" },
    };
    const { pool } = platform.contexts.sandbox;
    await pool.query(
      "insert into webhooks.notices (event_id, partner, event) values ($1, $2, $3)",
      [uuid7(), partner.id, JSON.stringify(event)],
    );
    const deps = { ...platform, environments: platform.contexts };
    await Promise.all([postAll(deps), postAll(deps)]);
    const mail = await takeMail(platform.platformPool, 60);
    expect(JSON.parse(openSecret(platform.masterKey, mail!.sealed))).toMatchObject({
      to: owner.email,
      subject: "A webhook endpoint was disabled (sandbox)",
      text: expect.stringContaining(`/console/webhooks/${event.data.endpoint_id}\n`),
    });
    expect(await takeMail(platform.platformPool, 60)).toBeUndefined();
    expect(await pool.query("select from webhooks.notices")).toMatchObject({ rowCount: 0 });
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

  test("keeps the values of its headers out of answers, the log and the table", async () => {
    const password = `Bearer ${newId("req")}`;
    const created = await create({ headers: { Authorization: password, "X-Team": "a" } });
    const { id } = created.body;
    expect(created.body.headers).toEqual({ Authorization: "***", "X-Team": "***" });
    const plain = async () => headersOf((await endpointOf(id))!, world.platform.masterKey);
    // What was shown can be given back: it keeps what there is.
    const changed = await call("PATCH", `/${id}`, {
      headers: { ...created.body.headers, "X-Team": "b" },
    });
    expect(await plain()).toEqual({ Authorization: password, "X-Team": "b" });
    const before = (await stored(id)).length;
    await call("PATCH", `/${id}`, { headers: changed.body.headers });
    expect(await stored(id)).toHaveLength(before);
    const unknown = await call("PATCH", `/${id}`, { headers: { "X-New": "***" } });
    expect([unknown.status, unknown.body.errors[0].path]).toEqual([422, "headers.X-New"]);
    for (const answer of [created, changed, await call("GET", `/${id}`), await call("GET", "")])
      expect(answer.text).not.toContain(password);
    expect(JSON.stringify((await stored(id)).map(({ data }) => data))).not.toContain(password);
    await call("PATCH", `/${id}`, { headers: {} });
    expect(await plain()).toEqual({});
  });

  test("seals the headers of an earlier release with its first change", async () => {
    const id = newId("whe");
    const data = {
      endpoint_id: id,
      url: "https://example.com/",
      headers: { "X-Old": "plain-text" },
      secret: sealSecret(world.platform.masterKey, newSecret()),
      created_at: new Date().toISOString(),
    };
    const metadata = { partner: partner.id };
    const events = [{ id: uuid7(), type: "WebhookEndpointCreated", data, metadata }];
    await world.platform.contexts.sandbox.log.append([
      { stream: streamOf("endpoint", id), expected: "no_stream", events },
    ]);
    expect((await call("GET", `/${id}`)).body.headers).toEqual({ "X-Old": "***" });
    await call("PATCH", `/${id}`, { description: "new" });
    expect(JSON.stringify((await stored(id))[1]!.data)).not.toContain("plain-text");
    expect(headersOf((await endpointOf(id))!, world.platform.masterKey)).toEqual({
      "X-Old": "plain-text",
    });
  });

  test("signs with a secret of its owner, made or rotated to, and with none twice", async () => {
    const [first, second] = [newSecret(), newSecret()];
    const { id, secret } = (await create({ secret: first })).body;
    expect(secret).toBe(first);
    const rotate = (own: string) => call("POST", `/${id}/rotate-secret`, { secret: own });
    expect((await rotate(second)).body.secret).toBe(second);
    expect((await call("GET", `/${id}/secret`)).body.secret).toBe(second);
    for (const used of [first, second]) {
      const again = await rotate(used);
      expect([again.status, again.body.errors[0].path]).toEqual([422, "secret"]);
      expect(again.text).not.toContain(used);
    }
    const log = JSON.stringify((await stored(id)).map(({ data }) => data));
    for (const own of [first, second]) expect(log).not.toContain(own.slice(6));
  });

  test("is shown as it was while what it held then opens, and refused without the key that sealed it", async () => {
    const past = { asymmetric_signature: true, headers: { "x-password": "hush" } };
    const made = await create(past);
    const plain = await create();
    const asOf = ({ body, headers }: typeof made) =>
      call("GET", `/${body.id}?as_of=${headers.get("log-position")}`);
    const { forget, turnBack } = turnKey(world.platform.masterKey);
    try {
      expect((await asOf(made)).body).toMatchObject({
        headers: { "x-password": "***" },
        public_keys: [{}, {}],
      });
      forget();
      const refused = await asOf(made);
      expect([refused.status, refused.body.errors]).toMatchObject([
        422,
        [{ path: "as_of", code: "not_supported" }],
      ]);
      expect((await asOf(plain)).body).toMatchObject({ id: plain.body.id, public_keys: [] });
    } finally {
      turnBack();
    }
  });

  test("has a public key for each secret that signs, and signs as asked", async () => {
    const { id } = (await create({ asymmetric_signature: true })).body;
    const before = (await call("GET", `/${id}`)).body.public_keys;
    expect(before).toEqual([
      { public_key: expect.stringMatching(/^whpk_[A-Za-z0-9+/]{43}=$/), expires_at: null },
    ]);
    const rotated = await call("POST", `/${id}/rotate-secret`, { overlap_seconds: 60 });
    const { public_keys } = (await call("GET", `/${id}`)).body;
    expect(public_keys).toEqual([
      { public_key: expect.stringMatching(/^whpk_/), expires_at: null },
      { ...before[0], expires_at: rotated.body.previous_secret_expires_at },
    ]);
    expect(public_keys[0].public_key).not.toBe(before[0].public_key);
    const off = await call("PATCH", `/${id}`, { asymmetric_signature: false });
    expect(off.body).toMatchObject({ asymmetric_signature: false, public_keys: [] });
    const count = (await stored(id)).length;
    await call("PATCH", `/${id}`, { asymmetric_signature: false });
    expect(await stored(id)).toHaveLength(count);
  });

  test("has no header of its own where a timestamped signature stands", async () => {
    const timestamped_signature_header = "X-Acme-Signature";
    const headers = { "x-acme-signature": "mine" };
    const refused = await create({ timestamped_signature_header, headers });
    expect([refused.status, refused.body.errors[0].path]).toEqual([
      422,
      "timestamped_signature_header",
    ]);
    const { id } = (await create({ timestamped_signature_header })).body;
    expect((await call("PATCH", `/${id}`, { headers })).status).toBe(422);
    const moved = await call("PATCH", `/${id}`, { headers, timestamped_signature_header: null });
    expect(moved.body.timestamped_signature_header).toBeNull();
    expect((await call("PATCH", `/${id}`, { timestamped_signature_header })).status).toBe(422);
  });

  test("keeps headers together within their bound, those that a mask keeps too", async () => {
    const value = "v".repeat(1_000);
    const { id } = (await create({ headers: { "X-A": value, "X-B": value, "X-C": value } })).body;
    const more = { "X-A": "***", "X-B": "***", "X-C": "***", "X-D": value, "X-E": value };
    const refused = await call("PATCH", `/${id}`, { headers: more });
    expect([refused.status, refused.body.errors[0].path]).toEqual([422, "headers"]);
    const { "X-E": _, ...fewer } = more;
    expect((await call("PATCH", `/${id}`, { headers: fewer })).status).toBe(200);
  });

  test("never cuts off a secret before the time that was answered, unless it is told to", async () => {
    const { id } = (await create()).body;
    const rotate = (overlap_seconds: number) =>
      call("POST", `/${id}/rotate-secret`, { overlap_seconds });
    await rotate(3_600);
    const second = await rotate(3_600);
    const third = await rotate(3_600);
    expect([third.status, third.body.code]).toEqual([409, "conflict"]);
    expect((await call("GET", `/${id}/secret`)).body).toEqual(second.body);
    const now = Date.now();
    const alone = await rotate(0);
    expect(alone.status).toBe(200);
    expect(Date.parse(alone.body.previous_secret_expires_at)).toBeLessThan(now + 5_000);
    expect((await endpointOf(id))!.secrets).toHaveLength(1);
    expect((await call("GET", `/${id}/secret`)).body).toEqual({
      secret: alone.body.secret,
      previous_secret_expires_at: null,
    });
    // An overlap that is short ends the long one before it.
    await rotate(86_400);
    const short = await rotate(60);
    expect((await endpointOf(id))!.secrets.map(({ expires_at }) => expires_at)).toEqual([
      null,
      short.body.previous_secret_expires_at,
      short.body.previous_secret_expires_at,
    ]);
  });

  test("takes `types` for `event_types`, and shows both", async () => {
    const { body } = await create({ types: ["message.sent"] });
    expect([body.types, body.event_types]).toEqual([["message.sent"], ["message.sent"]]);
    const changed = (await call("PATCH", `/${body.id}`, { types: ["message.failed"] })).body;
    expect([changed.types, changed.event_types]).toEqual([["message.failed"], ["message.failed"]]);
  });

  test("names families of types and filters, which null takes away", async () => {
    const filters = { channels: ["sms"], metadata: { shop: ["acme", "zeta"], order: 5 } };
    const { body } = await create({ event_types: ["message.*", "wallet.low_balance"], filters });
    expect(body).toMatchObject({ event_types: ["message.*", "wallet.low_balance"], filters });
    await call("PATCH", `/${body.id}`, { filters, rate_limit: null });
    expect(await stored(body.id)).toHaveLength(1);
    const tagged = await call("PATCH", `/${body.id}`, { filters: { tags: ["vip"] } });
    expect(tagged.body.filters).toEqual({ tags: ["vip"] });
    expect((await call("PATCH", `/${body.id}`, { filters: null })).body.filters).toBeNull();
    expect(await endpointOf(body.id)).not.toHaveProperty("filters");
  });

  test("keeps its URL in the form that is called", async () => {
    for (const [url, called] of [
      ["HTTPS://Example.COM", "https://example.com/"],
      ["https://example.com:443/a/../b", "https://example.com/b"],
      ["https://exämple.com/ü", "https://xn--exmple-cua.com/%C3%BC"],
    ])
      expect((await create({ url })).body.url).toBe(called);
  });

  test("is for live keys https://, but where the operator allowed an address", async () => {
    const live = await world.addKey(partner.id, { environment: "live" });
    const answer = await call("POST", "", { url: "http://example.com/hook" }, {}, live);
    expect([answer.status, answer.body.errors[0].path]).toEqual([422, "url"]);
    expect(answer.body.errors[0].message).toContain("https://");
    expect((await create({ url: "http://example.com/hook" })).status).toBe(201);
    expect((await call("POST", "", { url: "https://example.com/" }, {}, live)).status).toBe(201);
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
    ["https://user:pw@example.com"],
    ["https://10.0.0.1/"],
    ["https://0x0a.1/"],
    ["https://[::1]/"],
    ["https://[::ffff:10.0.0.1]/"],
    ["http://169.254.169.254/latest"],
    ["http://localhost:3000/"],
    ["http://a.localhost/"],
  ])("the URL %s", async (url) => {
    const { status, body } = await create({ url });
    expect(status).toBe(422);
    expect(body.errors[0].path).toBe("url");
  });

  test("types and fields that do not exist, and headers that are ours", async () => {
    const event_types = ["message.sent", "message.lost"];
    const { body } = await create({ event_types, headers: { Host: "a" }, colour: 1 });
    expect(body.errors.map(({ path }: { path: string }) => path).toSorted()).toEqual([
      "colour",
      "event_types.1",
      "headers.Host",
    ]);
  });
});
