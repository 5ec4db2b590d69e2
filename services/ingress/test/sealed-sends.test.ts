import { newId } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { externalIdName } from "@heliograph/channels";
import { afterAll, beforeAll, expect, test } from "vitest";
import { services } from "../src/index.ts";
import { everything, formsOf } from "./stored.ts";

let world: World;
let partner: { id: string; key: string };
beforeAll(async () => {
  world = await openWorld({
    services,
    consumers: "run",
    env: { HELIOGRAPH_ENCRYPT_MESSAGES: "on" },
  });
  partner = await world.addPartner();
});
afterAll(() => world.close());

const call = (method: string, path: string, body?: object, headers: Record<string, string> = {}) =>
  world.call(method, `/api/v1${path}`, {
    key: partner.key,
    headers,
    ...(body !== undefined && { body }),
  });
const sandbox = () => world.platform.contexts.sandbox;

const delivered = (id: string) =>
  until(async () => {
    const { body } = await call("GET", `/messages/${id}`);
    return body.status === "delivered" && body;
  });

test("with all sends encrypted a message lives as ever, and nothing that is stored tells to whom it went or what it said", async () => {
  const to = "+15551239876";
  const text = "Your parcel waits at Elm Street";
  const key = { "idempotency-key": newId("req") };
  const body = { channel: "sms", to, text, client_ref: "r-1" };
  const sent = await call("POST", "/messages", body, key);
  expect([sent.status, sent.body.to]).toEqual([202, to]);
  const shown = await delivered(sent.body.id);
  expect([shown.to, shown.content.text]).toEqual([to, text]);
  expect((await call("POST", "/messages", body, key)).text).toBe(sent.text);
  expect((await call("POST", "/messages", { ...body, text: "x" }, key)).body.code).toBe(
    "idempotency_key_reused",
  );
  const list = await until(async () => {
    const { body: page } = await call("GET", `/messages?to=${encodeURIComponent(to)}`);
    return page.data.length === 1 && page;
  });
  expect(list.data[0]).toMatchObject({ id: sent.body.id, to });
  const timeline = await call("GET", `/messages/${sent.body.id}/timeline`);
  expect(timeline.text).toContain(text);
  expect(timeline.text).not.toContain("sealed:");
  const feed = await until(async () => {
    const { body: page } = await call("GET", "/events");
    return page.data.some(({ type }: { type: string }) => type === "message.delivered") && page;
  });
  for (const { data } of feed.data) expect(data.to).toBe(to);
  const stored = await everything(sandbox().pool);
  for (const each of [to, text])
    for (const form of formsOf(each)) expect(stored).not.toContain(form);
});

test("an address whose contact is erased reads [erased] everywhere, what waits to be sent to it is refused and paid back, and sums stay", async () => {
  const to = "+15551239877";
  const balance = async (): Promise<{ available: string; held: string }> =>
    (await call("GET", "/balance")).body;
  const key = { "idempotency-key": newId("req") };
  const body = { channel: "sms", to, text: "the first words of it" };
  const first = await call("POST", "/messages", body, key);
  await delivered(first.body.id);
  // The wallet captures after the delivery.
  const before = await until(async () => {
    const shown = await balance();
    return shown.held === "0" && shown;
  });
  const send_at = new Date(Date.now() + 32_000).toISOString();
  const later = await call("POST", "/messages", {
    ...body,
    text: "the later words of it",
    send_at,
  });
  await until(async () => (await balance()).held !== before.held);
  const name = externalIdName(sandbox().vault, partner.id, { source: "sms", id: to });
  await sandbox().vault.destroy(partner.id, [name]);
  const { body: shown } = await call("GET", `/messages/${first.body.id}`);
  expect([shown.to, shown.content.text, shown.cost]).toEqual([
    "[erased]",
    "[erased]",
    first.body.cost_estimate,
  ]);
  expect((await call("GET", `/messages?to=${encodeURIComponent(to)}`)).body.data).toEqual([]);
  const again = await call("POST", "/messages", body, key);
  expect([again.status, again.body.code]).toEqual([410, "contact_erased"]);
  const rejected = await until(
    async () => {
      const { body: message } = await call("GET", `/messages/${later.body.id}`);
      return message.status === "rejected" && message;
    },
    { timeoutMs: 50_000 },
  );
  expect(rejected.error.code).toBe("contact_erased");
  await until(async () => (await balance()).held === before.held);
  expect((await balance()).available).toBe(before.available);
  const stored = await everything(sandbox().pool);
  for (const each of [to, "the later words of it"])
    for (const form of formsOf(each)) expect(stored, form).not.toContain(form);
}, 90_000);
