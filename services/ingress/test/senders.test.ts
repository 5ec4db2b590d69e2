import { newId, streamOf } from "@heliograph/contracts";
import { service as control } from "@heliograph/control";
import { service as dispatch } from "@heliograph/dispatch";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { service as ingress } from "../src/index.ts";

let world: World;
let admin: string;
beforeAll(async () => {
  world = await openWorld({
    services: [ingress, control, dispatch],
    partners: [{ funds: "100" }, { funds: "100" }],
  });
  admin = await world.addKey(world.partners[0]!.id, { environment: "live", scopes: ["admin"] });
});
afterAll(() => world.close());

const log = () => world.platform.contexts.sandbox.log;
type More = { readonly key?: string; readonly headers?: Record<string, string> };
const ask = (method: string, path: string, body?: object, more: More = {}) =>
  world.call(method, `/api/v1${path}`, {
    key: more.key ?? world.partners[0]!.key,
    headers: more.headers ?? {},
    ...(body !== undefined && { body }),
  });
const said = { channel: "sms", text: "hello" };
const numbers = ["+15550100001", "+15550100002", "+15550100003"];
let made = 0;
const pool = async (more: object = {}) => {
  const body = { name: `pool-${++made}`, channel: "sms", senders: numbers, ...more };
  const answer = await ask("POST", "/sender-pools", body);
  expect([answer.status, answer.body.code]).toEqual([201, undefined]);
  return answer.body as { id: string; name: string };
};
const send = async (to: string, more: object, headers: Record<string, string> = {}) => {
  const answer = await ask("POST", "/messages", { ...said, to, ...more }, { headers });
  expect([answer.status, answer.body.errors]).toEqual([202, undefined]);
  return answer.body as { id: string; from: string; sender_pool: { reason: string } };
};
const requestOf = async (id: string) =>
  (await log().readStream(streamOf("message", id)))[0]!.data as Record<string, unknown>;
const recipient = (index: number) => `+1555123${String(index).padStart(4, "0")}`;

describe("a pool of senders", () => {
  test("gives recipients the senders evenly, each the same one every time", async () => {
    const { name, id } = await pool();
    const messages = Array.from({ length: 60 }, (_, index) => ({
      ...said,
      to: recipient(2_000 + index),
      sender_pool: name,
    }));
    const fromOf = async () =>
      ((await ask("POST", "/messages/batch", { messages })).body.data as Batched[]).map(
        ({ message }) => message.from,
      );
    const first = await fromOf();
    for (const number of numbers)
      expect(first.filter((from) => from === number).length).toBeGreaterThan(8);
    // Half of them are new: whoever has one of those that stay keeps it.
    const senders = [numbers[0]!, "+15550100008", "+15550100009"];
    expect((await ask("PATCH", `/sender-pools/${id}`, { senders })).status).toBe(200);
    const second = await fromOf();
    for (const [index, from] of first.entries())
      if (from === numbers[0]) expect(second[index]).toBe(from);
      else expect(senders).toContain(second[index]);
    expect(await fromOf()).toEqual(second);
    const others = first.flatMap((from, index) => (from === numbers[0] ? [] : second[index]!));
    expect(new Set(others).size).toBe(3);
  });
  type Batched = { readonly message: { readonly from: string } };

  test("is decided once, in the event: a repetition and a changed pool change nothing", async () => {
    const { name, id } = await pool();
    const to = recipient(3_001);
    const key = { "idempotency-key": newId("req") };
    const sent = await send(to, { sender_pool: name }, key);
    expect(await requestOf(sent.id)).toMatchObject({
      from: sent.from,
      sender_pool: { pool_id: id, name, reason: sent.sender_pool.reason },
    });
    await ask("PATCH", `/sender-pools/${id}`, { senders: ["+15550100009"] });
    expect(await send(to, { sender_pool: name }, key)).toEqual(sent);
    const next = await send(to, { sender_pool: name });
    expect(next.from).toBe("+15550100009");
    expect(next.sender_pool.reason).toContain(`${sent.from}, which it had`);
  });

  test("gives one sender where many first messages to a recipient meet", async () => {
    const { name } = await pool();
    const wanted = [undefined, ...numbers].flatMap((from) => [from, from]);
    const sent = await Promise.all(
      wanted.map((from) => send(recipient(3_100), { sender_pool: name, ...(from && { from }) })),
    );
    expect(new Set(sent.map(({ from }) => from)).size).toBe(1);
  });

  test("that is the default is for messages that name no sender, and for the steps of others", async () => {
    const { id } = await pool({ channel: "whatsapp", default: true });
    const whatsapp = { channel: "whatsapp" };
    expect(numbers).toContain((await send(recipient(3_200), whatsapp)).from);
    const own = await send(recipient(3_200), { ...whatsapp, from: "+15550109999" });
    expect(own.from).toBeUndefined();
    const failover = [{ channel: "whatsapp", on: ["failed"] }];
    const steps = await requestOf((await send(recipient(3_201), { failover })).id);
    expect(steps).toMatchObject({ failover: [{ sender_pool: { pool_id: id } }] });
    expect(steps).not.toHaveProperty("sender_pool");
    const second = { name: "second", channel: "whatsapp", senders: numbers, default: true };
    expect((await ask("POST", "/sender-pools", second)).body).toMatchObject({
      code: "conflict",
      id,
    });
  });

  test("of two that are made the default at once one is, and what is changed besides says nothing about it", async () => {
    const body = { channel: "email", senders: ["shop@shop.example"], default: true };
    const both = await Promise.all(
      ["one", "other"].map((name) => ask("POST", "/sender-pools", { ...body, name })),
    );
    expect(new Set(both.map(({ status }) => status))).toEqual(new Set([201, 409]));
    const [first] = both.flatMap((answer) => (answer.status === 201 ? [answer.body.id] : []));
    const others = await Promise.all([3, 4].map(() => pool({ ...body, default: false })));
    expect((await ask("PATCH", `/sender-pools/${first}`, { default: false })).status).toBe(200);
    const turned = await Promise.all(
      others.map(({ id }) => ask("PATCH", `/sender-pools/${id}`, { default: true })),
    );
    expect(new Set(turned.map(({ status }) => status))).toEqual(new Set([200, 409]));
    // As two processes that knew nothing of each other left it, before they asked in turns.
    const [stored] = await world.platform.platformLog.readStream(streamOf("pool", first));
    await world.appendPlatform(streamOf("pool", first), "any", "SenderPoolConfigured", {
      ...(stored!.data as object),
      default: true,
    });
    const senders = ["sales@shop.example"];
    expect((await ask("PATCH", `/sender-pools/${first}`, { senders })).body.senders).toEqual(
      senders,
    );
    const again = { default: false };
    for (const id of [first, ...others.map((each) => each.id)])
      expect((await ask("PATCH", `/sender-pools/${id}`, again)).status).toBe(200);
  });

  test("decides routes: rules name it, an operator's goes by its gateway alone, and explain says both", async () => {
    const { id, name } = await pool();
    const second = { name: "second", channel: "sms", kind: "simulator", environment: "sandbox" };
    const gateway = (await ask("POST", "/admin/gateways", second, { key: admin })).body.id;
    const rules = [{ match: { sender_pool: id }, policy: "priority", gateways: [gateway] }];
    const set = (body: object) =>
      ask("PUT", "/admin/routing", { environment: "sandbox", ...body }, { key: admin });
    const explain = async (more: object) =>
      (await ask("POST", "/routing/explain", { channel: "sms", to: recipient(3_300), ...more }))
        .body;
    expect((await set({ rules })).status).toBe(200);
    const sent = await send(recipient(3_300), { sender_pool: name });
    expect(await explain({ sender_pool: name })).toMatchObject({
      gateway: "second",
      from: sent.from,
      sender_pool: { reason: "the recipient has it" },
    });
    expect((await set({ rules: [] })).status).toBe(200);
    const shared = { name: "carrier", channel: "sms", senders: ["+15550100077"] };
    const theirs = { ...shared, gateway_id: gateway, environment: "sandbox" };
    expect((await ask("POST", "/sender-pools", theirs)).body.errors[0].path).toBe("gateway_id");
    const made = await ask("POST", "/sender-pools", theirs, { key: admin });
    expect(made.status).toBe(201);
    const other = { key: world.partners[1]!.key };
    const accepted = await ask(
      "POST",
      "/messages",
      { ...said, to: recipient(3_301), sender_pool: "carrier" },
      other,
    );
    expect(accepted.body.from).toBe("+15550100077");
    expect(await explain({ sender_pool: "carrier" })).toMatchObject({ gateway: "second" });
    expect((await ask("GET", "/sender-pools", undefined, other)).body.data).toEqual([]);
  });

  test("is changed under the version that was seen, and is nobody else's", async () => {
    const { id, name } = await pool();
    const etag = (await ask("GET", `/sender-pools/${id}`)).headers.get("etag")!;
    const change = (ifMatch: string, method = "PATCH") =>
      ask(method, `/sender-pools/${id}`, method === "PATCH" ? { senders: ["SHOP"] } : undefined, {
        headers: { "if-match": ifMatch },
      });
    expect((await change('"99"')).status).toBe(412);
    expect((await change(etag)).body.senders).toEqual(["SHOP"]);
    expect((await change(etag, "DELETE")).status).toBe(412);
    const theirs = { key: world.partners[1]!.key };
    for (const method of ["GET", "DELETE"])
      expect((await ask(method, `/sender-pools/${id}`, undefined, theirs)).status).toBe(404);
    const named = await ask(
      "POST",
      "/messages",
      { ...said, to: recipient(1), sender_pool: name },
      theirs,
    );
    expect(named.body.errors).toEqual([
      { path: "sender_pool", code: "not_found", message: "sms has no such pool of yours" },
    ]);
    expect((await change("*", "DELETE")).status).toBe(204);
    expect((await ask("GET", `/sender-pools/${id}`)).status).toBe(404);
    expect(
      (await ask("POST", "/sender-pools", { name, channel: "sms", senders: numbers })).status,
    ).toBe(201);
  });

  test.each([
    [{ senders: ["+15550100001", "15550100001"] }, "senders.1", "duplicate"],
    [{ senders: ["a sender that is too long"] }, "senders.0", "invalid_sender"],
  ])("of %j is refused", async (more, path, code) => {
    const body = { name: "bad", channel: "sms", ...more };
    const { status, body: answer } = await ask("POST", "/sender-pools", body);
    expect([status, answer.errors[0]]).toEqual([422, expect.objectContaining({ path, code })]);
  });

  test("takes no sender that is not in it", async () => {
    const { name } = await pool();
    const body = { ...said, to: recipient(3_500), sender_pool: name, from: "+15550100099" };
    const { status, body: answer } = await ask("POST", "/messages", body);
    expect([status, answer.errors[0]]).toEqual([
      422,
      { path: "from", code: "not_in_pool", message: `is no sender of the pool ${name}` },
    ]);
  });
});

describe("rules for the senders of countries", () => {
  const rulesOf = (rules: object[], headers = {}) =>
    ask("PUT", "/admin/sender-rules", { environment: "sandbox", rules }, { key: admin, headers });
  const inForce = async (...rules: object[]) => {
    const answer = await rulesOf(rules);
    expect([answer.status, answer.body.errors]).toEqual([200, undefined]);
  };
  const us = { country_prefix: "+1" };
  const to = recipient(4_000);
  const refused = async (more: object) => {
    const { status, body } = await ask("POST", "/messages", { ...said, to, ...more });
    expect([status, body.code]).toEqual([422, "sender_not_allowed"]);
    return { ...body.errors[0], country_prefix: body.country_prefix };
  };

  test.each([
    [{ alphanumeric: false }, "SHOP", "alphanumeric_not_allowed"],
    [{ types: ["short_code"] }, "+15550100001", "type_not_allowed"],
    [{ two_way: true }, "SHOP", "not_two_way"],
    [{ registered: ["SHOP"] }, "OTHER", "not_registered"],
    [{ registered: ["SHOP"] }, undefined, "required"],
  ])("%j refuses %s with 422 %s", async (rule, from, code) => {
    await inForce({ ...us, ...rule }, { country_prefix: "48" });
    const before = await world.heads();
    expect(await refused({ ...(from !== undefined && { from }) })).toMatchObject({
      path: "from",
      code,
      country_prefix: "+1",
    });
    expect(await world.heads()).toBe(before);
    expect((await ask("POST", "/messages", { ...said, from, to: "+48501234567" })).status).toBe(
      202,
    );
  });

  test("have a default, a replacement, and the longest prefix; the answer and the event say so", async () => {
    await inForce(
      { ...us, alphanumeric: false, default: "+15550100005", replacement: "+15550100006" },
      { country_prefix: "1555123" },
    );
    const other = "+12025550123";
    const named = await send(other, { from: "SHOP" });
    expect(await requestOf(named.id)).toMatchObject({
      from: "+15550100006",
      sender_rule: { country_prefix: "1", replaced: "SHOP" },
    });
    expect(await send(other, {})).toMatchObject({ from: "+15550100005", sender_rule: {} });
    expect(await requestOf((await send(to, { from: "SHOP" })).id)).toMatchObject({ from: "SHOP" });
    await inForce({ ...us, registered: ["+15550100002"] });
    const { name } = await pool();
    expect((await send(recipient(4_100), { sender_pool: name })).from).toBe("+15550100002");
    const { name: none } = await pool({ senders: ["SHOP"] });
    expect(await refused({ sender_pool: none })).toMatchObject({ path: "sender_pool" });
    const failover = [{ channel: "sms", from: "SHOP", on: ["failed"] }];
    const body = { channel: "whatsapp", to, text: "x", failover };
    expect((await ask("POST", "/messages", body)).body.errors[0].path).toBe("failover.0.from");
  });

  test("that contradict themselves are refused, and so is a version that was not seen", async () => {
    const wrong = [us, { ...us, alphanumeric: false, default: "SHOP" }];
    const { body } = await rulesOf(wrong);
    expect(
      body.errors.map(({ path, code }: { path: string; code: string }) => [path, code]),
    ).toEqual([
      ["rules.1.country_prefix", "duplicate"],
      ["rules.1.default", "alphanumeric_not_allowed"],
    ]);
    const unread = { ...us, registered: ["SHOP", "+48 500 100 200"], default: "Shop & Co" };
    expect((await rulesOf([unread])).body.errors).toMatchObject([
      { path: "rules.0.registered.1", code: "invalid_sender" },
      { path: "rules.0.default", code: "invalid_sender" },
    ]);
    expect((await rulesOf([us], { "if-match": '"99"' })).status).toBe(412);
    const query = "/admin/sender-rules?environment=sandbox";
    expect((await ask("GET", query, undefined, { key: admin })).body.rules).toHaveLength(1);
    expect((await rulesOf([], {})).status).toBe(200);
  });
});
