import { newId } from "@heliograph/contracts";
import { service as control } from "@heliograph/control";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { service } from "../src/index.ts";

let world: World;
let admin: string;
beforeAll(async () => {
  world = await openWorld({ services: [service, control] });
  const { id } = await world.addPartner();
  admin = await world.addKey(id, { environment: "live", scopes: ["admin"] });
});
afterAll(() => world.close());

const sms = { channel: "sms", to: "+15551230001", text: "hello" };
const numbers = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ ...sms, to: `+1555123${1000 + index}` }));
const limited = async (limits: object) => {
  const partner = await world.addPartner();
  const path = `/api/v1/admin/partners/${partner.id}`;
  const { status } = await world.call("PATCH", path, { key: admin, body: limits });
  expect(status).toBe(200);
  return partner;
};
const send = (key: string, body: object, headers: Record<string, string> = {}) =>
  world.call("POST", "/api/v1/messages", { key, body, headers });
const batch = (key: string, messages: readonly object[], headers: Record<string, string> = {}) =>
  world.call("POST", "/api/v1/messages/batch", { key, body: { messages }, headers });
const limits = async (key: string) => (await world.call("GET", "/api/v1/limits", { key })).body;
const policies = async (key: string) =>
  Object.fromEntries(
    (await limits(key)).policies.map((policy: { name: string; remaining: number }) => [
      policy.name,
      policy.remaining,
    ]),
  );

/** A list of RFC 9651 whose members are strings with parameters that are integers. */
function listIn(text: string): Record<string, Record<string, number>> {
  return Object.fromEntries(
    text.split(", ").map((member) => {
      expect(member).toMatch(/^"[a-z]+"(;[a-z]=\d+)+$/);
      const [name, ...rest] = member.split(";");
      const parameters = rest.map((each) => each.split("="));
      return [name!.slice(1, -1), Object.fromEntries(parameters.map(([k, v]) => [k, Number(v)]))];
    }),
  );
}

test("the headers are lists of the policies that a call has met, on refusals too, with the same names and numbers as GET /limits", async () => {
  const { key } = await limited({
    rate_limit: { requests: 10, window_seconds: 100, burst: 4 },
    message_rate: 1,
    daily_messages: 5,
  });
  // At once: a second that passes between them would give the other one a place.
  const both = await Promise.all([send(key, sms), send(key, sms)]);
  const answers = both.toSorted((one, other) => one.status - other.status);
  expect(answers.map(({ status }) => status)).toEqual([202, 429]);
  const [first, second] = answers.map(({ headers }) => ({
    policy: listIn(headers.get("ratelimit-policy")!),
    left: listIn(headers.get("ratelimit")!),
  }));
  expect(first!.policy).toEqual({
    requests: { q: 10, w: 100 },
    burst: { q: 4, w: 40 },
    messages: { q: 1, w: 1 },
    day: { q: 5, w: 86_400 },
  });
  expect(Object.keys(first!.left)).toEqual(Object.keys(first!.policy));
  expect(first!.left).toMatchObject({
    requests: { r: 3 },
    burst: { r: 3, t: 10 },
    messages: { r: 0, t: 1 },
    day: { r: 4 },
  });
  expect(first!.left["day"]!["t"]).toBeLessThanOrEqual(86_400);
  expect(second!.left["messages"]).toEqual({ r: 0, t: 1 });
  expect(answers[1]!.body).toMatchObject({ code: "rate_limited", policy: "messages" });
  expect(answers[1]!.headers.get("retry-after")).toBe("1");
  expect(answers[1]!.headers.has("ratelimit-remaining")).toBe(false);
  // Whoever sends more than he may pays for having asked.
  expect(await policies(key)).toMatchObject({ requests: 1, burst: 1, day: 4 });
});

test("the messages of a batch are counted each, and the same batch sent again goes on where it was stopped", async () => {
  const { key } = await limited({ message_rate: 8 });
  const headers = { "idempotency-key": newId("req") };
  const ids = new Set<string>();
  let accepted = 0;
  let tries = 0;
  await until(async () => {
    const { body } = await batch(key, numbers(14), headers);
    const refused = body.data.filter((item: { status_code: number }) => item.status_code !== 202);
    for (const { error, status_code } of refused) {
      expect([status_code, error.code, error.policy]).toEqual([429, "rate_limited", "messages"]);
      expect(error.retry_after_seconds).toBeGreaterThanOrEqual(1);
    }
    if (tries++ === 0) expect(body.accepted).toBe(8);
    expect(body.accepted).toBeGreaterThanOrEqual(accepted);
    accepted = body.accepted;
    for (const { message } of body.data) if (message) ids.add(message.id);
    return accepted === 14;
  });
  expect(ids.size).toBe(14);
});

test("a day's messages end for all at once, survive a restart, and are not used up by what is refused or repeated", async () => {
  const { id, key } = await limited({ daily_messages: 6 });
  const headers = { "idempotency-key": newId("req") };
  const first = await send(key, sms, headers);
  for (let index = 0; index < 3; index++)
    expect((await send(key, sms, headers)).text).toBe(first.text);
  expect((await send(key, { ...sms, to: "x" })).status).toBe(422);
  expect(await policies(key)).toMatchObject({ day: 5 });
  const { body } = await batch(key, [...numbers(3), { ...sms, to: "x" }]);
  expect(body.accepted).toBe(3);
  await world.restart();
  expect(await policies(key)).toMatchObject({ day: 2 });
  const last = await batch(key, numbers(4));
  expect(last.body.accepted).toBe(2);
  const refused = await send(key, sms);
  expect(refused.body).toMatchObject({ code: "rate_limited", policy: "day" });
  const wait = Number(refused.headers.get("retry-after"));
  const midnight = 86_400 - (Math.floor(Date.now() / 1000) % 86_400);
  expect(Math.abs(wait - midnight)).toBeLessThan(3);
  // What was accepted is answered as it was then.
  expect((await send(key, sms, headers)).text).toBe(first.text);
  const path = `/api/v1/admin/partners/${id}`;
  await world.call("PATCH", path, { key: admin, body: { daily_messages: 7 } });
  expect([(await send(key, sms)).status, (await send(key, sms)).status]).toEqual([202, 429]);
});

test("many at once are never more than a day's messages", async () => {
  const { key } = await limited({ daily_messages: 250 });
  const sends = Array.from({ length: 6 }, () => batch(key, numbers(40)));
  const singles = Array.from({ length: 40 }, () => send(key, sms));
  const accepted = (await Promise.all(sends)).reduce((sum, { body }) => sum + body.accepted, 0);
  const alone = (await Promise.all(singles)).filter(({ status }) => status === 202).length;
  expect(accepted + alone).toBe(250);
  expect(await policies(key)).toMatchObject({ day: 0 });
});

test("one recipient gets no more than its share, the others theirs", async () => {
  const { key } = await limited({ recipient_rate: { messages: 2, window_seconds: 3_600 } });
  const { body } = await batch(key, [sms, sms, sms, { ...sms, to: "+15551230002" }]);
  expect(body.data.map((item: { status_code: number }) => item.status_code)).toEqual([
    202, 202, 429, 202,
  ]);
  const refused = await send(key, sms);
  expect(refused.body).toMatchObject({ code: "rate_limited", policy: "recipient" });
  expect(refused.headers.get("retry-after")).toBe("1800");
});

test("numbers of other countries are refused, alone, in a batch and as a dry run; addresses that are no numbers are not", async () => {
  const { key } = await limited({ allowed_countries: ["DE"] });
  const german = { ...sms, to: "+4915112345678" };
  for (const path of ["/api/v1/messages", "/api/v1/messages?dry_run=true"]) {
    const refused = await world.call("POST", path, { key, body: sms });
    expect([refused.status, refused.body.code]).toEqual([422, "country_not_allowed"]);
    expect((await world.call("POST", path, { key, body: german })).status).toBe(202);
  }
  const { body } = await batch(key, [german, sms, { ...sms, to: "+88216123456" }]);
  expect(body.data.map((item: { status_code: number }) => item.status_code)).toEqual([
    202, 422, 422,
  ]);
  const mail = { channel: "email", to: "ada@example.com", subject: "Hello", text: "Hello" };
  expect((await send(key, mail)).body.code).not.toBe("country_not_allowed");
  expect(await limits(key)).toMatchObject({ allowed_countries: ["DE"], status: "active" });
});
