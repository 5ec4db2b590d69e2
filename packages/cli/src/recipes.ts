import { randomInt } from "node:crypto";
import type { EventByType, Heliograph, LifecycleEvent } from "@heliograph/client";

/** Makes an event of a type really happen in a sandbox. */
export type Recipe = (client: Heliograph, signal: AbortSignal) => Promise<unknown>;

/** What nobody can make happen at once, with what makes it happen. */
export const waitsFor: Readonly<Partial<Record<keyof EventByType, string>>> = {
  "webhook_endpoint.disabled": "an endpoint that answers 410",
  "webhook_endpoint.failing": "a day of nothing but failures",
  "webhook_endpoint.recovered": "an answer after a day of nothing but failures",
  "gateway.degraded": "a gateway of yours alone that fails",
  "gateway.recovered": "a gateway of yours alone that works again after it failed",
  "key.expiring": "a key that ends within a week",
  "conversation.overdue": "a team's target that nobody keeps",
};

/** Somebody new each time; the last four digits choose the outcome. */
const someone = (digits = "0001"): string =>
  `+1555${String(randomInt(1000)).padStart(3, "0")}${digits}`;
/** By the clock of the sandbox, which may have been set forward. */
async function inAnHour(client: Heliograph): Promise<string> {
  const { now } = await client.sandbox.clock.advance({ seconds: 0 });
  return new Date(Date.parse(now) + 3_600_000).toISOString();
}
const text = "heliograph trigger";

const sms = (client: Heliograph, more: object = {}, to = someone()) =>
  client.messages.send({ channel: "sms", to, text, ...more });
const mail = (client: Heliograph, name: string) =>
  client.messages.send({ channel: "email", to: `${name}@example.com`, subject: text, text });
/** The contact too, which the message makes. */
const inbound = (client: Heliograph, from = `+1555${randomInt(1_000_000, 10_000_000)}`) =>
  client.sandbox.inbound({ channel: "sms", from, text });
const contact = (client: Heliograph) => client.contacts.create({ name: text });

/** Makes something happen, and waits for what of it is told under this type. */
async function told<Made>(
  client: Heliograph,
  type: string,
  signal: AbortSignal,
  make: () => Promise<Made>,
  isOfIt: (data: LifecycleEvent["data"], made: Made) => boolean = () => true,
): Promise<LifecycleEvent["data"]> {
  const after = await client.events.head({ signal });
  const made = await make();
  for await (const { data } of client.events.follow({ after, types: [type], signal }))
    if (isOfIt(data, made)) return data;
  throw new Error("the feed ended");
}

/** A conversation of somebody new. */
async function conversation(client: Heliograph, signal: AbortSignal): Promise<string> {
  const data = await told(
    client,
    "conversation.opened",
    signal,
    () => inbound(client),
    (opened, { message_id }) => opened["message_id"] === message_id,
  );
  return String(data["conversation_id"]);
}

async function assigned(client: Heliograph, signal: AbortSignal): Promise<string> {
  const id = await conversation(client, signal);
  const { data } = await client.agents.list({ status: "active", limit: 1 }).page();
  if (!data[0]) throw new Error("There is no agent: invite one in the console first.");
  await client.conversations.assign(id, { agent_id: data[0].id });
  return id;
}

async function merged(
  client: Heliograph,
): Promise<{ readonly into: string; readonly merge: string }> {
  const [one, other] = [await contact(client), await contact(client)];
  const { merge_id } = await client.contacts.merge(one.id, { into: other.id });
  return { into: other.id, merge: String(merge_id) };
}

async function lowBalance(client: Heliograph, signal: AbortSignal): Promise<void> {
  const { low_balance_threshold: before } = await client.wallet.settings.get();
  const { available } = await client.balance();
  await client.wallet.settings.set({ low_balance_threshold: available });
  await told(client, "wallet.low_balance", signal, () => sms(client));
  await client.wallet.settings.set({ low_balance_threshold: before });
}

/** Refused after it was accepted: the recipient opts out while the message waits for its time. */
async function rejected(client: Heliograph): Promise<void> {
  const to = someone();
  await sms(client, { send_at: await inAnHour(client) }, to);
  await client.suppressions.add({ channel: "sms", to });
  await client.sandbox.clock.advance({ seconds: 3_601 });
}

export const recipes: Readonly<Partial<Record<keyof EventByType, Recipe>>> = {
  "message.queued": (client) => sms(client),
  "message.sent": (client) => sms(client),
  "message.delivered": (client) => sms(client),
  "message.read": (client) => sms(client, { channel: "whatsapp" }, someone("0014")),
  "message.failed": (client) => sms(client, {}, someone("0003")),
  "message.bounced": (client) => mail(client, "bounced"),
  "message.scheduled": async (client) => sms(client, { send_at: await inAnHour(client) }),
  "message.canceled": async (client) => {
    const sent = await sms(client, { send_at: await inAnHour(client) });
    if ("id" in sent && sent.id) await client.messages.cancel(sent.id);
  },
  "message.expired": async (client) => {
    await sms(client, { validity_seconds: 10 }, someone("0013"));
    await client.sandbox.clock.advance({ seconds: 11 });
  },
  "message.rejected": rejected,
  "message.received": (client) => inbound(client),
  "contact.created": contact,
  "contact.matched": async (client) => {
    const from = `+1555${randomInt(1_000_000, 10_000_000)}`;
    await client.contacts.create({ external_ids: [{ source: "sms", id: from }] });
    await inbound(client, from);
  },
  "contact.merged": merged,
  "contact.unmerged": async (client) => {
    const { into, merge } = await merged(client);
    await client.contacts.unmerge(into, { merge_id: merge });
  },
  "contact.erased": async (client) => client.contacts.erase((await contact(client)).id),
  "conversation.opened": conversation,
  "conversation.assigned": assigned,
  "conversation.unassigned": async (client, signal) =>
    client.conversations.unassign(await assigned(client, signal)),
  "conversation.closed": async (client, signal) =>
    client.conversations.close(await conversation(client, signal)),
  "conversation.reopened": async (client, signal) => {
    const id = await conversation(client, signal);
    await client.conversations.close(id);
    await client.conversations.reopen(id);
  },
  "conversation.snoozed": async (client, signal) =>
    client.conversations.snooze(await conversation(client, signal), {
      until: await inAnHour(client),
    }),
  "wallet.low_balance": lowBalance,
};
