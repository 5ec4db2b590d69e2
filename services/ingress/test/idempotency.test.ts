import { environments, newId } from "@heliograph/contracts";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openapiDocument, services } from "../src/index.ts";
import { sms } from "./sending.ts";

let world: World;
let partner: { id: string; key: string };
beforeAll(async () => {
  world = await openWorld({ services });
  partner = await world.addPartner();
});
afterAll(() => world.close());

type Operation = {
  readonly parameters?: readonly { readonly name: string }[];
  readonly responses: Readonly<Record<string, unknown>>;
};
/** What is not tried here by another body: each recognises its first request by its stream or its row, or has no id that follows from the key alone. */
const elsewhere = `
  /admin/dead-letters/{id}/retry /admin/gateways /admin/keys /admin/keys/{id}/rotate
  /admin/partners /admin/partners/{id}/adjustments /admin/projections/{name}/rebuild
  /agents /agents/{id}/invitation /attachments /broadcasts
  /contact-imports /contacts/{id}/consents /contacts/{id}/external-ids
  /conversations/{id}/messages /conversations/{id}/notes /evaluations /forks
  /keys /keys/{id}/rotate /messages /mobile/devices /mobile/sessions /mobile/sessions/switch
  /password-resets /sandbox/inbound /sandbox/receipts /sandbox/reset /sender-pools
  /templates /templates/{id}/versions /wallet/topups
  /webhook-deliveries/{id}/retry /webhook-endpoints /webhook-endpoints/{id}/replay
  /webhook-endpoints/{id}/replay/{replay}/cancel /webhook-endpoints/{id}/test`
  .trim()
  .split(/\s+/);

const create = (body: object, key: string, by = partner.key) =>
  world.call("POST", "/api/v1/keys", { key: by, body, headers: { "idempotency-key": key } });
const pool = () => world.platform.contexts.sandbox.pool;

test("a mutation that is no message is answered again byte for byte, and its stored answer is sealed", async () => {
  const key = newId("req");
  const first = await create({ name: "one" }, key);
  expect(first.status).toBe(201);
  const again = await create({ name: "one" }, key);
  expect([again.status, again.text, again.headers.get("idempotent-replayed")]).toEqual([
    201,
    first.text,
    "true",
  ]);
  expect(again.headers.get("log-position")).toBe(first.headers.get("log-position"));
  const { rows } = await pool().query("select answer from ingress.idempotency where key = $1", [
    key,
  ]);
  expect(rows[0].answer.toString("latin1")).not.toContain(first.body.key);
  expect(rows[0].answer.toString("latin1")).not.toContain("ak_test_");
});

test("another body, or another address, with the key is refused naming the first request", async () => {
  const key = newId("req");
  const first = await create({ name: "one" }, key);
  const other = await create({ name: "two" }, key);
  expect(other.body).toMatchObject({
    status: 422,
    code: "idempotency_key_reused",
    original: first.headers.get("request-id"),
  });
  const elsewhere = await world.call("POST", "/api/v1/wallet/topups", {
    key: partner.key,
    body: { amount: "1" },
    headers: { "idempotency-key": key },
  });
  expect(elsewhere.body.code).toBe("idempotency_key_reused");
});

test("the key may stand in either spelling of the header, and in the body, and is one key", async () => {
  const key = newId("req");
  const first = await create({ name: "one" }, key);
  const underscored = await world.call("POST", "/api/v1/keys", {
    key: partner.key,
    body: { name: "one" },
    headers: { idempotency_key: key },
  });
  expect([underscored.text, underscored.headers.get("idempotent-replayed")]).toEqual([
    first.text,
    "true",
  ]);
  const both = await world.call("POST", "/api/v1/keys", {
    key: partner.key,
    body: { name: "one", idempotency_key: key },
    headers: { idempotency_key: key, "idempotency-key": `"${key}"` },
  });
  expect(both.text).toBe(first.text);
  const torn = await world.call("POST", "/api/v1/keys", {
    key: partner.key,
    body: { name: "one" },
    headers: { idempotency_key: key, "idempotency-key": "other" },
  });
  expect([torn.status, torn.body.errors[0].path]).toEqual([422, "idempotency_key"]);
});

test("while the first runs the second is told to come back, and a dead first is taken over when its lease ends", async () => {
  const key = newId("req");
  const first = await create({ name: "one" }, key);
  await pool().query(
    "update ingress.idempotency set done = false, answer = null, lease_until = now() + interval '20 seconds' where key = $1",
    [key],
  );
  const second = await create({ name: "one" }, key);
  expect([second.status, second.body.code]).toEqual([409, "idempotency_in_progress"]);
  expect(Number(second.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  await pool().query(
    "update ingress.idempotency set lease_until = now() - interval '1 second' where key = $1",
    [key],
  );
  const third = await create({ name: "one" }, key);
  // The effect of the dead first is found, not made again: the same key, shown once more because nobody saw it.
  expect([third.status, third.body.id, third.body.key]).toEqual([
    201,
    first.body.id,
    first.body.key,
  ]);
});

describe("a key used again after its stored answer was dropped", () => {
  const forget = async () => {
    for (const environment of environments)
      await world.platform.contexts[environment].pool.query("delete from ingress.idempotency");
  };
  const twice = async (path: string, first: object, second: object, by = partner.key) => {
    const headers = { "idempotency-key": newId("req") };
    const send = (body: object) => world.call("POST", `/api/v1${path}`, { key: by, body, headers });
    const one = await send(first);
    await forget();
    const other = await send(second);
    expect(one.status).toBe(201);
    expect([other.status, other.body.code]).toEqual([422, "idempotency_key_reused"]);
    expect(other.body.original).toBe(one.headers.get("request-id"));
    const again = await send(first);
    expect(again.status).toBe(201);
    return { one: one.body, again: again.body, other: other.text };
  };

  test("shows an issued key no more, and refuses another request", async () => {
    const { one, again, other } = await twice("/keys", { name: "a" }, { name: "b" });
    expect(again).toEqual({ ...one, key: null });
    expect(other).not.toContain("ak_test_");
  });

  test("shows a partner's keys no more, and refuses another request", async () => {
    const { id } = await world.addPartner();
    const admin = await world.addKey(id, { environment: "live", scopes: ["*", "admin"] });
    const path = "/admin/partners";
    const { one, again, other } = await twice(path, { name: "A" }, { name: "B" }, admin);
    expect(again).toEqual({ ...one, keys: null });
    expect(other).not.toMatch(/ak_(live|test)_/);
  });

  test("makes no second endpoint and no second template", async () => {
    const endpoint = { url: "https://example.com/hook" };
    const made = await twice("/webhook-endpoints", endpoint, { url: "https://example.org/" });
    expect(made.again).toEqual(made.one);
    const template = {
      slug: newId("tpl").toLowerCase(),
      channel: "sms",
      languages: { en: { text: "one" } },
    };
    const changed = { ...template, languages: { en: { text: "two" } } };
    const { one, again } = await twice("/templates", template, changed);
    expect(again).toEqual(one);
    const version = { languages: { en: { text: "three" } } };
    await twice(`/templates/${one.id}/versions`, version, { languages: { en: { text: "four" } } });
  });

  test("makes nothing of one resource that is another's too", async () => {
    const sandbox = world.platform.contexts.sandbox;
    const call = (path: string, body: object, headers = {}) =>
      world.call("POST", `/api/v1${path}`, { key: partner.key, body, headers });
    const made = async (path: string, body: object) => (await call(path, body)).body.id as string;
    const ofBoth = async (
      key: string,
      path: (id: string) => string,
      ids: readonly string[],
      body: object,
    ) => {
      const answers = [];
      for (const id of ids) {
        await sandbox.pool.query("delete from ingress.idempotency");
        answers.push(await call(path(id), body, { "idempotency-key": key }));
      }
      expect(answers.map(({ status }) => Math.floor(status / 100))).toEqual([2, 2]);
      return answers.map(({ body: answer }) => answer);
    };
    const url = "https://example.com/hook";
    const endpoints = [
      await made("/webhook-endpoints", { url }),
      await made("/webhook-endpoints", { url }),
    ];
    const at = (end: string) => (id: string) => `/webhook-endpoints/${id}/${end}`;
    const tests = await ofBoth(newId("req"), at("test"), endpoints, {});
    expect(new Set(tests.map(({ delivery_id }) => delivery_id)).size).toBe(2);
    const rotated = await ofBoth(newId("req"), at("rotate-secret"), endpoints, {});
    expect(new Set(rotated.map(({ secret }) => secret)).size).toBe(2);
    const contacts = [
      await made("/contacts", { name: "a" }),
      await made("/contacts", { name: "b" }),
    ];
    const consent = { channel: "sms", purpose: "news", status: "granted", evidence: "form" };
    const consents = await ofBoth(
      newId("req"),
      (id) => `/contacts/${id}/consents`,
      contacts,
      consent,
    );
    expect(new Set(consents.map(({ id }) => id)).size).toBe(2);
    const into = await made("/contacts", { name: "c" });
    const merges = await ofBoth(newId("req"), (id) => `/contacts/${id}/merge`, contacts, { into });
    expect(new Set(merges.map(({ merge_id }) => merge_id)).size).toBe(2);
    // What names a contact is its external id, where it has one.
    const key = newId("req");
    const ofName = (id: string) => ({ name: "d", external_ids: [{ source: "crm", id }] });
    const people = [];
    for (const id of ["one", "two", "one"]) {
      await sandbox.pool.query("delete from ingress.idempotency");
      people.push((await call("/contacts", ofName(id), { "idempotency-key": key })).body.id);
    }
    expect([people[2], new Set(people).size]).toEqual([people[0], 2]);
  });

  const day = { from: "2026-05-01T00:00:00Z", to: "2026-05-02T00:00:00Z" };
  const prices = { entries: [{ channel: "sms", prefix: "", per_segment: "1" }] };
  const pairs: Readonly<Record<string, readonly [object, object]>> = {
    "/backtests": [
      { ...day, prices },
      { ...day, prices: { ...prices, currency: "EUR" } },
    ],
    "/contacts": [{ name: "a" }, { name: "b" }],
    "/suppressions": [
      { channel: "sms", to: "+15551230077" },
      { channel: "sms", to: "+15551230078" },
    ],
    "/teams": [
      { name: "a", agent_ids: [], routing: "manual" },
      { name: "b", agent_ids: [], routing: "manual" },
    ],
  };
  test.for(Object.entries(pairs))("makes nothing of another body at %s", async ([path, bodies]) => {
    const key = await world.addKey(partner.id, { scopes: ["*", "admin"] });
    const headers = { "idempotency-key": newId("req") };
    const send = (body: object) => world.call("POST", `/api/v1${path}`, { key, body, headers });
    const first = await send(bodies[0]);
    await forget();
    const other = await send(bodies[1]);
    const again = await send(bodies[0]);
    expect([first.status, other.status, other.body.code]).toEqual([
      first.status < 300 ? first.status : first.text,
      422,
      "idempotency_key_reused",
    ]);
    expect([again.status, again.body.id]).toEqual([first.status, first.body.id]);
  });

  test("is thought of wherever a call makes something", () => {
    const takesKey = ({ parameters = [], responses }: Operation): boolean =>
      ("201" in responses || "202" in responses) &&
      parameters.some(({ name }) => name === "Idempotency-Key");
    const { paths } = openapiDocument() as { paths: Record<string, { post?: Operation }> };
    const making = Object.entries(paths).flatMap(([path, { post }]) =>
      post !== undefined && takesKey(post) ? [path.replace("/api/v1", "")] : [],
    );
    expect(making.filter((path) => !(path in pairs)).toSorted()).toEqual(elsewhere.toSorted());
  });

  test("changes an endpoint once", async () => {
    const { body } = await world.call("POST", "/api/v1/webhook-endpoints", {
      key: partner.key,
      body: { url: "https://example.com/hook" },
    });
    const headers = { "idempotency-key": newId("req") };
    const patch = (description: string) =>
      world.call("PATCH", `/api/v1/webhook-endpoints/${body.id}`, {
        key: partner.key,
        body: { description },
        headers,
      });
    expect((await patch("one")).status).toBe(200);
    await forget();
    expect((await patch("two")).body.code).toBe("idempotency_key_reused");
    expect((await patch("one")).body.description).toBe("one");
  });
});

test("a refused request claims no key", async () => {
  const key = newId("req");
  expect((await create({ name: "" }, key)).status).toBe(422);
  expect((await create({ name: "one" }, key)).status).toBe(201);
});

test("parallel requests with one key have one effect", async () => {
  const key = newId("req");
  const answers = await Promise.all(
    Array.from({ length: 12 }, () => create({ name: "parallel" }, key)),
  );
  expect(new Set(answers.filter(({ status }) => status === 201).map(({ text }) => text)).size).toBe(
    1,
  );
  for (const { status } of answers) expect([201, 409]).toContain(status);
  expect(
    world.platform.directory.keysOf(partner.id).filter(({ name }) => name === "parallel"),
  ).toHaveLength(1);
});

test("the same key of another partner is another key", async () => {
  const key = newId("req");
  const other = await world.addPartner();
  const one = await create({ name: "one" }, key);
  const two = await create({ name: "one" }, key, other.key);
  expect(two.status).toBe(201);
  expect(two.body.id).not.toBe(one.body.id);
});

test("a refused body is read to its end, so that the connection serves the next request", async () => {
  const big = await world.call("POST", "/api/v1/messages", {
    key: partner.key,
    raw: `{"text":"${"x".repeat(6_000_000)}"}`,
  });
  expect([big.status, big.headers.get("connection")]).toEqual([413, "keep-alive"]);
  const unknown = await world.call("POST", "/api/v1/messages", {
    body: { ...sms, text: "x".repeat(100_000) },
  });
  expect([unknown.status, unknown.headers.get("connection")]).toEqual([401, "keep-alive"]);
  const huge = await world.call("POST", "/api/v1/messages", {
    key: partner.key,
    raw: "x",
    headers: {},
  });
  expect(huge.status).toBe(400);
});
