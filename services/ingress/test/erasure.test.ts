import { newId } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { services } from "../src/index.ts";
import { everything, formsOf } from "./stored.ts";

let world: World;
let partner: { id: string; key: string };
beforeAll(async () => {
  world = await openWorld({ services, consumers: "run" });
  partner = await world.addPartner();
});
afterAll(() => world.close());

const sandbox = () => world.platform.contexts.sandbox;
const call = (method: string, path: string, body?: object, headers: Record<string, string> = {}) =>
  world.call(method, `/api/v1${path}`, {
    key: partner.key,
    headers,
    ...(body !== undefined && { body }),
  });
type Person = { phone: string; texts: string[]; contact: string; conversation: string };

/** Somebody who wrote, was answered, noted down, changed, asked for a consent and listed in an import. */
async function somebody(name: string, phone: string): Promise<Person> {
  const texts = [
    `${name} asks for help`,
    `We help ${name} at once`,
    `${name} is a good customer`,
    `${name} Lastname of Somewhere`,
    `${name} signed on paper`,
    `${name} wants the golden plan`,
  ];
  const [asks, answers, notes, full, evidence, plan] = texts;
  await call("POST", "/sandbox/inbound", { channel: "sms", from: phone, text: asks });
  const conversation = await until(async () => {
    const { body } = await call("GET", "/conversations");
    return body.data.find(({ address }: { address: { id: string } }) => address.id === phone);
  });
  const contact: string = conversation.contact.id;
  const key = { "idempotency-key": newId("req") };
  const reply = await call(
    "POST",
    `/conversations/${conversation.id}/messages`,
    { text: answers },
    key,
  );
  expect(reply.status, reply.text).toBe(202);
  const own = { "idempotency-key": newId("req") };
  expect(
    (await call("POST", `/conversations/${conversation.id}/notes`, { text: notes }, own)).status,
  ).toBe(201);
  expect(
    (
      await call(
        "PATCH",
        `/contacts/${contact}`,
        { name: full, attributes: { plan } },
        { "idempotency-key": newId("req") },
      )
    ).status,
  ).toBe(200);
  // The audit keeps paths, and no erasure reaches it.
  const path = `/contacts/by-external-id/sms/${encodeURIComponent(phone)}`;
  expect((await call("PUT", path, { language: "en" })).status).toBe(200);
  const consent = { channel: "sms", purpose: "news", status: "granted", evidence };
  const consented = await call("POST", `/contacts/${contact}/consents`, consent);
  expect(consented.status, consented.text).toBe(201);
  await until(async () => {
    const { body } = await call("GET", `/messages/${reply.body.id}`);
    return body.status === "delivered";
  });
  // The wallet captures after the delivery, and the sums that are compared later move with it.
  await until(async () => (await call("GET", "/balance")).body.held === "0");
  return { phone, texts, contact, conversation: conversation.id };
}

test("after an erasure no table holds a text of the person, plain or in base64; others stay readable and sums stay equal", async () => {
  const ada = await somebody("Ada", "+15557771231");
  const bea = await somebody("Bea", "+15557771232");
  const sums = async (): Promise<object> => ({
    balance: (await call("GET", "/balance")).body,
    messages: (await call("GET", "/messages?limit=100")).body.data.length,
    conversations: (await call("GET", "/conversations")).body.data.length,
    proof: (await call("GET", "/wallet/proof")).body.matches,
  });
  const before = await sums();
  const erasure = await call("DELETE", `/contacts/${ada.contact}`);
  expect(erasure.status).toBe(202);
  expect((await call("GET", `/contacts/${ada.contact}`)).status).toBe(410);
  await until(async () => {
    const { body } = await call("GET", `/contacts/${ada.contact}/erasure`);
    return body.status === "completed";
  });
  await until(async () => {
    const { body } = await call("GET", `/events?types=contact.erased`);
    return body.data.some(
      ({ data }: { data: { contact_id: string } }) => data.contact_id === ada.contact,
    );
  });
  expect(await sums()).toEqual(before);

  const stored = await until(async () => {
    const all = await everything(sandbox().pool);
    return (
      [ada.phone, ...ada.texts].every((text) => !all.includes(text)) &&
      all.includes("/contacts/by-external-id/sms/:external_id") &&
      all
    );
  });
  // In paths the plus is encoded.
  for (const text of [ada.phone, ada.phone.slice(1), ...ada.texts])
    for (const form of formsOf(text))
      expect(stored.includes(form), `${text} as ${form}`).toBe(false);

  const shown = await Promise.all(
    [
      `/conversations/${ada.conversation}`,
      `/conversations/${ada.conversation}/messages`,
      `/conversations/${ada.conversation}/timeline`,
      "/conversations",
      "/messages",
      "/events?limit=1000",
      "/contacts",
      `/contacts?q=${encodeURIComponent(ada.phone)}`,
      "/contacts/export?format=ndjson",
    ].map(async (path) => (await call("GET", path)).text),
  );
  for (const [index, text] of shown.entries())
    for (const each of [ada.phone, ...ada.texts])
      expect(text.includes(each), `${index}: ${each}`).toBe(false);
  expect(shown[1]).toContain("[erased]");
  const other = await call("GET", `/conversations/${bea.conversation}/messages`);
  for (const each of bea.texts.slice(0, 3)) expect(other.text).toContain(each);
  expect((await call("GET", `/contacts/${bea.contact}`)).text).toContain(bea.texts[3]);

  // A copy of the log is no way around it: what is in it is sealed, and the keys are not.
  const { log, vault } = sandbox();
  const copied: string[] = [];
  let after = 0n;
  for (;;) {
    const page = await log.readAll({ after, limit: 500 });
    if (page.events.length === 0) break;
    copied.push(...page.events.map(({ data, metadata }) => JSON.stringify({ data, metadata })));
    after = page.events.at(-1)!.position;
  }
  for (const open of [copied, await vault.openJson(partner.id, copied)])
    for (const text of [ada.phone, ...ada.texts])
      expect(open.some((line) => line.includes(text))).toBe(false);
}, 60_000);
