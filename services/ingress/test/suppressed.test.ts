import { externalIdName } from "@heliograph/channels";
import { streamOf } from "@heliograph/contracts";
import { suppressionName } from "@heliograph/domain";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { services } from "../src/index.ts";

let world: World;
let partner: { id: string; key: string };
beforeAll(async () => {
  world = await openWorld({ services });
  partner = await world.addPartner();
});
afterAll(() => world.close());

const post = (path: string, body: object, headers: Record<string, string> = {}) =>
  world.call("POST", `/api/v1${path}`, { key: partner.key, body, headers });
const suppress = async (body: object) => {
  const { status, body: made } = await post("/suppressions", body);
  expect(status).toBe(201);
  return made;
};
const sms = (to: string) => ({ channel: "sms", to, text: "Hello" });
/** Another process hears of it by the log, as this one's memory does. */
const refusedSoon = (body: object) =>
  until(async () => {
    const answer = await post("/messages?dry_run=true", body);
    return answer.body.code === "recipient_suppressed" ? answer : undefined;
  });

test("A suppressed recipient is refused alone, in a batch and in a dry run, on that channel only", async () => {
  const to = "+15550200001";
  const { id } = await suppress({ channel: "sms", to });
  await refusedSoon(sms(to));
  const alone = await post("/messages", sms(to));
  expect([alone.status, alone.body]).toEqual([
    422,
    expect.objectContaining({
      code: "recipient_suppressed",
      suppression_id: id,
      errors: [{ path: "to", code: "recipient_suppressed", message: "is suppressed" }],
    }),
  ]);
  const { body } = await post("/messages/batch", { messages: [sms(to), sms("+15550200002")] });
  expect(body.data.map(({ status_code }: { status_code: number }) => status_code)).toEqual([
    422, 202,
  ]);
  expect((await post("/messages", { ...sms(to), channel: "whatsapp" })).status).toBe(202);
  const other = await world.addPartner();
  const theirs = await world.call("POST", "/api/v1/messages", { key: other.key, body: sms(to) });
  expect(theirs.status, "another partner's message").toBe(202);
  await world.call("DELETE", `/api/v1/suppressions/${id}`, { key: partner.key });
  expect((await post("/messages", sms(to))).status, "once it has ended").toBe(202);
});

test("One of marketing stops marketing and nothing else", async () => {
  const to = "ada@example.com";
  await suppress({ channel: "email", to: "ada@EXAMPLE.com", applies_to: "marketing" });
  const mail = { channel: "email", to, subject: "s", text: "x" };
  await refusedSoon({ ...mail, category: "marketing" });
  for (const category of ["transactional", "authentication", undefined])
    expect((await post("/messages", { ...mail, category })).status).toBe(202);
});

test("A key that was accepted before the opt-out is answered as it was then", async () => {
  const to = "+15550200003";
  const key = { "idempotency-key": "before-the-stop" };
  const first = await post("/messages", sms(to), key);
  await suppress({ channel: "sms", to });
  await refusedSoon(sms(to));
  const again = await post("/messages", sms(to), key);
  expect([again.status, again.body]).toEqual([202, first.body]);
});

test("An opt-out outlives the erasure of the contact", async () => {
  const to = "+15550200004";
  await suppress({ channel: "sms", to });
  const { vault } = world.platform.contexts.sandbox;
  await vault.destroy(partner.id, [externalIdName(vault, partner.id, { source: "sms", id: to })]);
  await refusedSoon(sms(to));
  // And a process that starts afterwards knows it from the log.
  await world.restart();
  expect((await post("/messages", sms(to))).body.code).toBe("recipient_suppressed");
});

test("A process that has just started refuses before it has read the whole log", async () => {
  const { log, vault } = world.platform.contexts.sandbox;
  const to = "+15550200005";
  await suppress({ channel: "sms", to });
  await world.restart();
  expect((await post("/messages", sms(to))).body.code).toBe("recipient_suppressed");
  const name = suppressionName(vault, partner.id, "sms", to);
  const [event] = await log.readStream(streamOf("suppression", name));
  expect(JSON.stringify(event!.data), "and the log tells nobody who it is").not.toContain(to);
});
