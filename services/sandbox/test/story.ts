import type { Environment } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { addContact, say } from "@heliograph/testkit/people";
import type { World } from "@heliograph/testkit/world";
import { expect } from "vitest";
import { headersOf, normaliser } from "./alike.ts";

type Step = {
  readonly name: string;
  readonly status: number;
  readonly headers: unknown;
  readonly body: unknown;
};
export type Teller = ReturnType<typeof teller>;

/** Makes calls in one environment, and keeps what they were answered. */
export function teller(world: World, environment: Environment, key: string) {
  const steps: Step[] = [];
  const alike = normaliser();
  async function step(
    name: string,
    method: string,
    path: string,
    body?: unknown,
    options: object = {},
  ) {
    const answer = await world.call(method, `/api/v1${path}`, { key, body, ...options });
    const { status, headers } = answer;
    if (answer.body?.environment !== undefined)
      expect(answer.body.environment, name).toBe(environment);
    steps.push({ name, status, headers: headersOf(headers), body: alike(answer.body) });
    return answer.body;
  }
  const read = async (path: string) => (await world.call("GET", `/api/v1${path}`, { key })).body;
  const ends = async (id: string, status: string) => {
    await until(async () => (await read(`/messages/${id}`)).status === status);
    await step(`${status} message`, "GET", `/messages/${id}`);
    // The money is settled a moment after what it is settled for.
    const types = await until(async () => {
      const { data } = await read(`/messages/${id}/timeline`);
      const all: string[] = data.map(({ type }: { type: string }) => type).toSorted();
      return all.some((type) => /^Funds(?:Captured|Released)$/.test(type)) && all;
    });
    steps.push({ name: "timeline", status: 200, headers: {}, body: types });
  };
  return { environment, steps, alike, step, read, ends };
}

const sms = { channel: "sms", to: "+15550110001", text: "Hello" };
const mail = { channel: "email", from: "shop@example.org", subject: "Hi", text: "Hello" };

/** Each channel, and each end that a message can have. */
export async function sends({ step, ends }: Teller): Promise<void> {
  for (const [body, status] of [
    [{ ...sms, client_ref: "a", metadata: { order: 1 }, tags: ["x"] }, "delivered"],
    [{ ...sms, channel: "whatsapp", to: "+15550110014" }, "read"],
    [{ ...mail, to: "delivered@example.org" }, "delivered"],
    [{ channel: "push", to: `dev_${"A".repeat(26)}`, subject: "t", text: "x" }, "delivered"],
    [{ channel: "telegram", to: "88110001", text: "x" }, "delivered"],
    [{ channel: "broadcast", to: "everybody", text: "x" }, "sent"],
    [{ ...sms, to: "+15550110003" }, "failed"],
    [{ ...sms, to: "+15550110004" }, "delivered"],
    [{ ...sms, to: "+15550110005" }, "failed"],
    [{ ...mail, to: "bounced@example.org" }, "bounced"],
  ] as const) {
    const { id } = await step(`send ${JSON.stringify(body)}`, "POST", "/messages", body);
    await ends(id, status);
  }
}

export async function refusals({ step, ends }: Teller): Promise<void> {
  for (const [name, body] of [
    ["a number that is none", { ...sms, to: "1" }],
    ["no channel", { to: "+15550110001", text: "x" }],
    ["an unknown field", { ...sms, colour: "red" }],
    ["what is not there yet", { ...sms, quiet_hours: {} }],
    ["no such template", { ...sms, text: undefined, template: "none", language: "en" }],
    ["a time that is past", { ...sms, send_at: "2020-01-01T00:00:00Z" }],
    ["nothing to read", { ...sms, text: " " }],
    ["no message", []],
  ] as const)
    await step(name, "POST", "/messages", body);
  await step("not JSON", "POST", "/messages", undefined, { raw: "{" });
  await step("a dry run", "POST", "/messages?dry_run=true", sms);
  const headers = { "idempotency-key": "k-1" };
  const { id } = await step("with a key", "POST", "/messages", sms, { headers });
  await step("again", "POST", "/messages", sms, { headers });
  await step("the key for another", "POST", "/messages", { ...sms, text: "Other" }, { headers });
  await ends(id, "delivered");
  await step("no such message", "GET", `/messages/msg_${"0".repeat(26)}`);
  await step("no such route", "GET", "/nothing");
  await step("no such method", "PUT", "/messages", {});
  await step("no key", "GET", "/balance", undefined, { key: `ak_test_${"0".repeat(36)}` });
  await step("a scope that it has not", "GET", "/admin/partners");
}

export async function manyAndLater({ step, ends }: Teller): Promise<void> {
  const messages = [
    { ...sms, to: "+15550110101" },
    { ...sms, to: "2" },
  ];
  const batch = await step("a batch", "POST", "/messages/batch", { messages });
  await ends(batch.data[0].message.id, "delivered");
  const send_at = new Date(Date.now() + 3_600_000).toISOString();
  const { id } = await step("for later", "POST", "/messages", { ...sms, send_at });
  await step("canceled", "POST", `/messages/${id}/cancel`, {});
  await step("canceled twice", "POST", `/messages/${id}/cancel`, {});
  const languages = { en: { text: "Hi {{name}}" } };
  const variables = { name: { type: "string", required: true } };
  const template = { slug: "greeting", channel: "sms", languages, variables };
  await step("a template", "POST", "/templates", template);
  const by = { channel: "sms", to: sms.to, template: "greeting", language: "en" };
  const filled = await step("by it", "POST", "/messages", { ...by, variables: { name: "Ada" } });
  await ends(filled.id, "delivered");
  await step("a variable too few", "POST", "/messages", { ...by, variables: {} });
}

export async function people(teller: Teller, world: World, partner: string): Promise<void> {
  const { step, read, ends, environment } = teller;
  const external_ids = [{ source: "crm", id: "c-1" }];
  const contact = await step("a contact", "POST", "/contacts", { name: "Ada", external_ids });
  await step("the same id", "POST", "/contacts", { name: "Bob", external_ids });
  await step("changed", "PATCH", `/contacts/${contact.id}`, { name: "Ada L." });
  await step("read", "GET", `/contacts/${contact.id}`);
  await step("found", "GET", "/contacts/by-external-id/crm/c-1");

  const context = world.platform.contexts[environment];
  const person = await addContact(context, partner);
  await say(context, { partner, contact: person, text: "Where is it?", from: "+15550138001" });
  const { id } = await until(async () => (await read("/conversations")).data[0]);
  await step("the conversation", "GET", `/conversations/${id}`);
  await step("what was said", "GET", `/conversations/${id}/messages`);
  await step("a note", "POST", `/conversations/${id}/notes`, { text: "late" });
  const reply = await step("a reply", "POST", `/conversations/${id}/messages`, { text: "Soon." });
  await ends(reply.id, "delivered");
  const until_ = new Date(Date.now() + 3_600_000).toISOString();
  await step("rests", "POST", `/conversations/${id}/snooze`, { until: until_ });
  await step("closed", "POST", `/conversations/${id}/close`, {});
  await step("a suppression", "POST", "/suppressions", { channel: "sms", to: "+15550199999" });
  await step("to whom it stops", "POST", "/messages", { ...sms, to: "+15550199999" });
}

export async function money({ step, read }: Teller, endpoint: { id: string }): Promise<void> {
  await until(async () => (await read("/balance")).held === "0");
  await step("the balance", "GET", "/balance");
  await step("the proof", "GET", "/wallet/proof");
  await step("event types", "GET", "/event-types");
  await step("the endpoint", "GET", `/webhook-endpoints/${endpoint.id}`);
  await step("it rests", "PATCH", `/webhook-endpoints/${endpoint.id}`, { status: "disabled" });
}
