import { service as control } from "@heliograph/control";
import { newId, streamOf } from "@heliograph/contracts";
import { service as delivery } from "@heliograph/delivery";
import { service as dispatch } from "@heliograph/dispatch";
import { service as ingress } from "@heliograph/ingress";
import { loosely, until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { parse } from "csv-parse/sync";
import { afterAll, beforeAll, expect, test } from "vitest";
import { service } from "../src/index.ts";

let world: World;
let admin: string;
beforeAll(async () => {
  world = await openWorld({
    services: [ingress, service, dispatch, delivery, control],
    consumers: "run",
  });
  const operator = await world.addPartner();
  admin = await world.addKey(operator.id, { environment: "live", scopes: ["admin", "*"] });
});
afterAll(() => world.close());

type Options = Parameters<World["call"]>[2];
const call = (method: string, path: string, options: Options) =>
  world.call(method, `/api/v1${path}`, options);
const put = (path: string, key: string, body: object, headers = {}) =>
  call("PUT", path, { key, body, headers });
const sms = (key: string, to = "+15551230001", more: object = {}) =>
  call("POST", "/messages", { key, body: { channel: "sms", to, text: "hello", ...more } });
const balance = async (key: string, currency = "") =>
  (await call("GET", `/balance${currency && `?currency=${currency}`}`, { key })).body;
const sandbox = () => world.platform.contexts.sandbox;
const walletEvents = (name: string) =>
  sandbox().log.readStream(streamOf("wallet", name), { limit: 1_000 });
/** A partner in whose list one segment of SMS costs 0.0125, and that is a list of its own. */
let lists = 0;
async function partnerWithList(funds: string, entries: object[], more: object = {}) {
  const partner = await world.addPartner({ funds });
  const list = `list_${++lists}`;
  const published = await put("/admin/prices", admin, { list, version: 1, entries, ...more });
  expect(published.status).toBe(201);
  const assigned = await put(`/admin/partners/${partner.id}/price-list`, admin, { list });
  expect([assigned.status, assigned.body.list]).toEqual([200, list]);
  return { ...partner, list };
}
const flat = (per_segment: string) => [{ channel: "sms", prefix: "", per_segment }];
/** Until nothing of the partner's messages is held any more. */
const settled = (key: string, currency = "") =>
  until(async () => (await balance(key, currency)).held === "0");

test("a correction has its reason and author, goes either way, and never beyond what there is and is lent", async () => {
  const { id, key } = await world.addPartner({ funds: "5" });
  const path = `/admin/partners/${id}/adjustments`;
  const adjust = (amount: string, headers = {}, using = admin) =>
    call("POST", path, {
      key: using,
      body: { amount, reason: "=goodwill", environment: "sandbox" },
      headers,
    });
  const once = { "idempotency-key": newId("req") };
  const first = await adjust("-1.50", once);
  expect([first.status, first.body]).toMatchObject([
    201,
    { amount: "-1.5", available: "3.5", reason: "=goodwill", currency: "USD" },
  ]);
  expect((await adjust("-1.50", once)).body).toEqual(first.body);
  expect((await adjust("0.25")).body.available).toBe("3.75");
  const later = { "idempotency-key": newId("req") };
  const beyond = await adjust("-3.750001", later);
  expect([beyond.status, beyond.body.code]).toEqual([402, "insufficient_funds"]);
  // Declined again it is as it was, and with what it takes the same key goes through, once.
  expect((await adjust("-3.750001", later)).status).toBe(402);
  expect((await adjust("0.000001")).body.available).toBe("3.750001");
  const through = await adjust("-3.750001", later);
  expect([through.status, through.body.available]).toEqual([201, "0"]);
  expect((await adjust("-3.750001", later)).body).toEqual(through.body);
  expect((await adjust("3.75")).body.available).toBe("3.75");
  expect((await adjust("1", {}, key)).status).toBe(403);
  expect((await adjust("0")).status).toBe(422);
  expect((await balance(key)).available).toBe("3.75");
  const { data } = (await call("GET", "/wallet/transactions?kind=adjustment", { key })).body;
  const author = loosely(first.body).author;
  expect(author).toMatch(/^key_/);
  expect(data.map((row: object) => [loosely(row).amount, loosely(row).author])).toEqual(
    ["3.75", "-3.750001", "0.000001", "0.25", "-1.5"].map((amount) => [amount, author]),
  );
  // Lent by an administrator alone, and then it may go below zero.
  expect((await put("/wallet/settings", key, { credit_limit: "9" })).status).toBe(403);
  const lend = { partner_id: id, environment: "sandbox", credit_limit: "1" };
  // With the only kind of operator's key that is made.
  const operator = await world.addKey(id, { admin: true });
  expect((await put("/wallet/settings", operator, lend)).body.credit_limit).toBe("1");
  expect((await adjust("-4.75")).body.available).toBe("-1");
  const proof = (await call("GET", "/wallet/proof", { key })).body;
  expect(proof).toMatchObject({ matches: true, balance: "-1" });
});

test("a top-up whose key also made a message is found again by what it asked for", async () => {
  const { key } = await world.addPartner({ funds: "5" });
  const headers = { "idempotency-key": newId("req") };
  const topUp = (amount: string) =>
    call("POST", "/wallet/topups", { key, body: { amount }, headers });
  const first = await topUp("1");
  expect(first.status).toBe(201);
  // As an earlier release left it.
  await sandbox().pool.query("delete from ingress.idempotency where key = $1", [
    headers["idempotency-key"],
  ]);
  const body = { channel: "sms", to: "+15551230001", text: "hello" };
  expect((await call("POST", "/messages", { key, body, headers })).status).toBe(202);
  const again = await topUp("1");
  expect([again.status, again.body.transaction_id]).toEqual([201, first.body.transaction_id]);
  const batch = { key, body: { messages: [body] }, headers };
  expect((await call("POST", "/messages/batch", batch)).body.code).toBe("idempotency_key_reused");
});

test("settings are changed field by field, under their tag", async () => {
  const { key } = await world.addPartner({ funds: "5" });
  const before = await call("GET", "/wallet/settings", { key });
  expect(before.body).toEqual({
    currency: "USD",
    low_balance_threshold: null,
    spend_limit_day: null,
    spend_limit_month: null,
    credit_limit: null,
  });
  const etag = before.headers.get("etag")!;
  const one = await put("/wallet/settings", key, { spend_limit_day: "2.50" }, { "if-match": etag });
  expect(one.body).toMatchObject({ spend_limit_day: "2.5", low_balance_threshold: null });
  const late = await put("/wallet/settings", key, { spend_limit_day: "9" }, { "if-match": etag });
  expect([late.status, late.body.code]).toEqual([412, "precondition_failed"]);
  const both = await put("/wallet/settings", key, { low_balance_threshold: "1" });
  expect(both.body).toMatchObject({ spend_limit_day: "2.5", low_balance_threshold: "1" });
  const none = await put("/wallet/settings", key, { spend_limit_day: null });
  expect(none.body).toMatchObject({ spend_limit_day: null, low_balance_threshold: "1" });
  for (const bad of [{ spend_limit_day: "-1" }, { spend_limit_day: 1 }, { other: "1" }])
    expect((await put("/wallet/settings", key, bad)).status).toBe(422);
});

test("a spend limit refuses with 402 what is known to exceed it, and rejects what the wallet finds out, charging nothing", async () => {
  const { id, key } = await partnerWithList("5", flat("1"));
  await put("/wallet/settings", key, { spend_limit_day: "2" });
  expect((await sms(key)).status).toBe(202);
  expect((await sms(key)).status).toBe(202);
  // Known here once the wallet has taken the limit up and this process has heard of it.
  const body = { channel: "sms", to: "+15551230001", text: "hello" };
  await until(async () => {
    const { status } = await call("POST", "/messages?dry_run=true", { key, body });
    return status === 402;
  });
  const third = await sms(key);
  expect([third.status, third.body.code]).toEqual([402, "spend_limit_reached"]);
  // A process that did not know: its message is in the log, and the wallet decides.
  const accepted = await until(async () => {
    const held = loosely(await walletEvents(id)).flatMap((event: object) =>
      loosely(event).type === "FundsHeld" ? loosely(event).data.entries : [],
    );
    return held.length === 2 && held;
  });
  await settled(key);
  const message = await sandbox().log.readStream(streamOf("message", accepted[0].message_id));
  const messageId = newId("msg");
  const requested = message[0]!;
  await sandbox().log.append([
    {
      stream: streamOf("message", messageId),
      expected: "no_stream",
      events: [
        {
          id: crypto.randomUUID(),
          type: "MessageRequested",
          data: { ...loosely(requested.data), message_id: messageId },
          metadata: requested.metadata,
        },
      ],
    },
  ]);
  const rejected = await until(async () => {
    const { body } = await call("GET", `/messages/${messageId}`, { key });
    return body.status === "rejected" && body;
  });
  expect(rejected.error).toMatchObject({ code: "spend_limit_reached", class: "account" });
  expect((await balance(key)).available).toBe("3");
});

test("rows and totals of a statement agree to the last micro-unit, in both formats", async () => {
  const { id, key } = await partnerWithList("1", flat("0.0125"));
  for (const to of ["+15551230001", "+15551230001", "+15551230003"])
    expect((await sms(key, to)).status).toBe(202);
  await settled(key);
  await call("POST", `/admin/partners/${id}/adjustments`, {
    key: admin,
    body: { amount: "0.0375", reason: "=SUM(A1)", environment: "sandbox" },
  });
  const month = new Date().toISOString().slice(0, 7);
  const json = (await call("GET", `/wallet/statements/${month}`, { key })).body;
  const sum = (rows: readonly { change: string }[]): number =>
    rows.reduce((total, { change }) => total + Math.round(Number(change) * 1e6), 0);
  expect(json).toMatchObject({ opening: "0", closing: (await balance(key)).available });
  expect(json.closing).toBe("1.0125");
  expect(sum(json.entries)).toBe(1_012_500);
  const listed = (await call("GET", "/wallet/transactions?limit=100", { key })).body.data;
  const plain = json.entries.map(
    ({ change: _, held_change: __, ...rest }: Record<string, string>) => rest,
  );
  expect(plain).toEqual(listed.toReversed());

  for (const [limit, more] of [
    [json.entries.length - 1, true],
    [json.entries.length, false],
  ] as const) {
    const some = (await call("GET", `/wallet/statements/${month}?limit=${limit}`, { key })).body;
    expect(some).toEqual({ ...json, entries: json.entries.slice(0, limit), more });
  }
  const cut = await call("GET", `/wallet/statements/${month}?format=csv&limit=1`, { key });
  expect([cut.status, cut.body.errors[0].path]).toEqual([422, "limit"]);

  const csv = await fetch(
    `http://127.0.0.1:${world.port}/api/v1/wallet/statements/${month}?format=csv`,
    { headers: { authorization: `Bearer ${key}` } },
  );
  expect(csv.headers.get("content-type")).toContain("text/csv");
  const rows: {
    kind: string;
    change: string;
    id: string;
    balance_after: string;
    reason: string;
  }[] = parse(await csv.text(), { columns: true });
  const inside = rows.slice(1, -1);
  expect([rows[0]!.kind, rows[0]!.balance_after]).toEqual(["opening", "0"]);
  expect([rows.at(-1)!.kind, rows.at(-1)!.balance_after]).toEqual(["closing", "1.0125"]);
  expect(inside.map((row) => row.id)).toEqual(json.entries.map((row: { id: string }) => row.id));
  expect(sum(inside)).toBe(1_012_500);
  // What somebody wrote does not run as a formula.
  expect(inside.at(-1)!.reason).toBe("'=SUM(A1)");
  const earlier = (await call("GET", "/wallet/statements/2020-02", { key })).body;
  expect(earlier).toMatchObject({ opening: "0", entries: [], closing: "0" });
  expect((await call("GET", "/wallet/statements/2999-01", { key })).status).toBe(404);
  expect((await call("GET", "/wallet/statements/2020-13", { key })).status).toBe(422);
});

test("the longest prefix prices, whatever is cheaper or comes first; preview, hold and statement agree; what has no price is refused", async () => {
  const entries = [
    { channel: "sms", prefix: "346", per_segment: "0.05" },
    { channel: "sms", prefix: "1", per_segment: "0.01" },
    { channel: "sms", prefix: "34600", per_segment: "0.04" },
    { channel: "sms", prefix: "1234", per_segment: "0.2" },
    { channel: "sms", prefix: "1234", category: "marketing", per_segment: "0.3" },
    { channel: "sms", prefix: "1234", min_segments: 3, per_segment: "0.15" },
  ];
  const { id, key, list } = await partnerWithList("50", entries);
  const preview = async (query: string) => {
    const { status, body } = await call("GET", `/prices/preview?channel=sms&${query}`, { key });
    return status === 200 ? `${body.cost} ${body.prefix}` : body.code;
  };
  const to = "to=%2B12345550123";
  expect(await preview(to)).toBe("0.2 1234");
  expect(await preview(`${to}&segments=2`)).toBe("0.4 1234");
  expect(await preview(`${to}&segments=3`)).toBe("0.45 1234");
  expect(await preview(`${to}&category=marketing&segments=3`)).toBe("0.9 1234");
  expect(await preview("to=%2B34600123456")).toBe("0.04 34600");
  expect(await preview("to=%2B34612345678")).toBe("0.05 346");
  expect(await preview("to=%2B447911123456")).toBe("no_price");
  const since = await sandbox().log.head();
  const refused = await sms(key, "+447911123456");
  expect([refused.status, refused.body.code]).toEqual([422, "no_price"]);
  // Of this partner: messages of the tests before may still move the log.
  const { events } = await sandbox().log.readAll({ after: since, limit: 1_000 });
  expect(events.filter(({ metadata }) => metadata.partner === id)).toEqual([]);
  const sent = await sms(key, "+12345550123");
  expect(sent.body.cost_estimate).toBe("0.2");
  const path = `/wallet/transactions?message_id=${sent.body.id}&kind=hold`;
  const hold = await until(async () => (await call("GET", path, { key })).body.data[0]);
  expect(loosely(hold).amount).toBe("0.2");

  // A change counts from its time on, for what is accepted then; the message says by which version it was priced.
  const later = new Date(Date.now() + 86_400_000).toISOString();
  const next = { list, version: 3, effective_from: later, entries: flat("9") };
  expect((await put("/admin/prices", admin, next)).status).toBe(201);
  expect(await preview(to)).toBe("0.2 1234");
  // Operators see both, and who pays by them.
  const published = (query = `?list=${list}`) =>
    call("GET", `/admin/prices${query}`, { key: admin });
  const [shown] = (await published()).body.data;
  expect(shown).toMatchObject({ list, currency: "USD", partner_count: 1, partner_ids: [id] });
  expect(shown.versions).toMatchObject([
    { ...next, in_force: false },
    { version: 1, in_force: true },
  ]);
  const paged = (await published("?limit=1")).body;
  const more = (await published(`?limit=10&after=${paged.next_cursor}`)).body.data;
  const names = [...paged.data, ...more].map((each: object) => loosely(each).list);
  expect(names.every((name, index) => index === 0 || names[index - 1] < name)).toBe(true);
  expect(names).toContain(list);
  const standard = (await published("?list=standard")).body.data[0];
  expect(standard.partner_ids).not.toContain(id);
  expect((await call("GET", "/admin/prices", { key })).status).toBe(403);
  const now = { list, version: 4, entries: flat("0.7") };
  expect((await put("/admin/prices", admin, now)).status).toBe(201);
  expect(await preview(to)).toBe("0.7 ");
  expect((await put("/admin/prices", admin, now)).status).toBe(201);
  for (const [body, status] of [
    [{ ...now, entries: flat("0.8") }, 409],
    [{ ...now, version: 2 }, 409],
    [{ ...now, version: 5, currency: "EUR" }, 409],
    [{ ...now, version: 5, entries: [...flat("1"), ...flat("2")] }, 422],
    [{ ...now, version: 5, entries: flat("-1") }, 422],
  ] as const)
    expect((await put("/admin/prices", admin, body)).status).toBe(status);
  const [requested] = await sandbox().log.readStream(streamOf("message", sent.body.id));
  expect(loosely(requested!.data).price).toMatchObject({ list, version: 1, per_segment: "0.2" });
});

test("a price list in another currency has a wallet of its own, and the first one stays as it is", async () => {
  const { id, key } = await partnerWithList("7", flat("0.5"), { currency: "EUR" });
  const topUp = (body: object) => call("POST", "/wallet/topups", { key, body });
  expect((await sms(key)).body.code).toBe("insufficient_funds");
  expect((await topUp({ amount: "2", currency: "EUR" })).body.available).toBe("2");
  expect((await topUp({ amount: "2", currency: "GBP" })).status).toBe(422);
  expect((await sms(key)).status).toBe(202);
  // This one fails: what it held comes back to the wallet that it came from.
  expect((await sms(key, "+15551230003")).status).toBe(202);
  await until(async () => {
    const events = await walletEvents(`${id}.EUR`);
    return events.some(({ type }) => type === "FundsReleased");
  });
  await settled(key, "EUR");
  expect(await balance(key, "EUR")).toMatchObject({ available: "1.5", currency: "EUR" });
  expect(await balance(key)).toMatchObject({ available: "7", held: "0", currency: "USD" });
  const { data } = (await call("GET", "/wallets", { key })).body;
  expect(data.map((each: object) => loosely(each).currency).slice(0, 2)).toEqual(["USD", "EUR"]);
  const list = await call("GET", "/wallet/transactions?currency=EUR", { key });
  expect(list.body.data.map((each: object) => loosely(each).kind).toSorted()).toEqual([
    "capture",
    "hold",
    "hold",
    "release",
    "topup",
  ]);
  const proof = await call("GET", "/wallet/proof?currency=EUR", { key });
  expect(proof.body).toMatchObject({ matches: true, balance: "1.5", currency: "EUR" });
});
