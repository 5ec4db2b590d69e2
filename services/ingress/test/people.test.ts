import { service as contacts } from "@heliograph/contacts";
import { service as conversations } from "@heliograph/conversations";
import { service as delivery } from "@heliograph/delivery";
import { service as dispatch } from "@heliograph/dispatch";
import { service as inbound } from "@heliograph/inbound";
import { service as lifecycle } from "@heliograph/lifecycle";
import { service as wallet } from "@heliograph/wallet";
import { streamOf } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, it } from "vitest";
import { service as ingress } from "../src/index.ts";

/** From what a person writes to what the partner is told and answers, with every service that has a part in it. */
let world: World;
beforeAll(async () => {
  world = await openWorld({
    services: [ingress, wallet, dispatch, delivery, inbound, contacts, conversations, lifecycle],
    consumers: "run",
    partners: [{}, {}],
  });
});
afterAll(() => world.close());

const call = (method: string, path: string, body?: object, partner = 0) =>
  world.call(method, `/api/v1${path}`, {
    key: world.partners[partner]!.key,
    ...(body !== undefined && { body }),
  });
const writes = async (body: object, partner = 0): Promise<string> =>
  (await call("POST", "/sandbox/inbound", { channel: "sms", ...body }, partner)).body.message_id;

type Told = { readonly type: string; readonly data: Record<string, unknown> };
/** What a partner was told of a message, and of the contact and conversation it came to. */
async function toldOf(messageId: string, partner = 0): Promise<readonly Told[]> {
  const all = async (): Promise<readonly Told[]> =>
    (await call("GET", "/events?limit=100", undefined, partner)).body.data;
  const received = await until(
    async () =>
      (await all()).find(
        ({ type, data }) => type === "message.received" && data["message_id"] === messageId,
      ),
    { what: `message.received of ${messageId}` },
  );
  const { contact_id, conversation_id } = received.data;
  return (await all()).filter(
    ({ data }) => data["contact_id"] === contact_id || data["conversation_id"] === conversation_id,
  );
}
const typesOf = (told: readonly Told[]) => told.map(({ type }) => type);

it("A stranger's first message is told in its order, and the second one matches", async () => {
  const from = "+15553330001";
  const first = await writes({ from, text: "Hello", profile_name: "Ada" });
  const told = await toldOf(first);
  expect(typesOf(told)).toEqual(["contact.created", "conversation.opened", "message.received"]);
  expect(told[0]?.data).toMatchObject({ name: "Ada", message_id: first });
  expect(told[2]?.data).toMatchObject({
    from,
    to: "+15550109999",
    text: "Hello",
    contact_id: told[0]?.data["contact_id"],
  });
  const again = await toldOf(await writes({ from, text: "Are you there?" }));
  expect(typesOf(again).slice(3)).toEqual(["contact.matched", "message.received"]);
});

it("One contact of two conversations: the channel's own, and a contact that existed before it wrote", async () => {
  const from = "+15553330002";
  const { body: contact } = await call("POST", "/contacts", {
    name: "Ben",
    external_ids: [
      { source: "sms", id: from },
      { source: "whatsapp", id: from },
    ],
  });
  const [bySms, byWhatsapp] = [
    await toldOf(await writes({ from, text: "By SMS" })),
    await toldOf(await writes({ from, text: "By WhatsApp", channel: "whatsapp" })),
  ];
  expect(typesOf(bySms)).toContain("contact.matched");
  const ids = byWhatsapp.flatMap(({ type, data }) =>
    type === "conversation.opened" ? [data["conversation_id"]] : [],
  );
  expect(new Set(ids).size).toBe(2);
  const { body } = await call("GET", `/contacts/${contact.id}/messages`);
  expect(body.data.map(({ text }: { text: string }) => text)).toEqual(["By WhatsApp", "By SMS"]);
});

it("Identity crosses tenants: the same number is a contact of its own with each partner", async () => {
  const from = "+15553330003";
  const [one, other] = [
    await toldOf(await writes({ from, text: "One" })),
    await toldOf(await writes({ from, text: "Other" }, 1), 1),
  ];
  expect(one[0]?.data["contact_id"]).not.toBe(other[0]?.data["contact_id"]);
  expect(typesOf(other)).toContain("contact.created");
});

it("Duplicated and shuffled, what providers post is one conversation for each person and each message once", async () => {
  const people = ["+15553330011", "+15553330012", "+15553330013"];
  const posts = people.flatMap((from) =>
    [1, 2, 3, 4].map((n) => ({ from, text: `${n}`, provider_message_id: `${from}-${n}` })),
  );
  const shuffled = [...posts, ...posts, ...posts].toSorted((left, right) =>
    left.provider_message_id.slice(-1) < right.provider_message_id.slice(-1) ? 1 : -1,
  );
  const ids = new Set(await Promise.all(shuffled.map((post) => writes(post))));
  expect(ids.size).toBe(posts.length);
  for (const id of ids) await toldOf(id);
  const { log } = world.platform.contexts.sandbox;
  const { events } = await log.readAll({ after: 0n, limit: 5_000, types: ["MessageReceived"] });
  const own = events.filter(({ data }) => ids.has(data.message_id));
  expect(own).toHaveLength(posts.length);
  expect(new Set(own.map(({ data }) => data.conversation_id)).size).toBe(people.length);
});

it("An answer reaches the person, and the conversation tells both sides of it", async () => {
  const told = await toldOf(await writes({ from: "+15553330099", text: "Where is my order?" }));
  const at = `/conversations/${String(told.at(-1)?.data["conversation_id"])}`;
  const { body: sent } = await call("POST", `${at}/messages`, { text: "It leaves today." });
  await until(async () => {
    const { body } = await call("GET", `${at}/messages`);
    return body.data.some(
      ({ id, status }: { id: string; status: string }) => id === sent.id && status === "delivered",
    );
  });
  const { body } = await call("GET", `${at}/messages`);
  expect(body.data.map(({ text }: { text: string }) => text)).toEqual([
    "Where is my order?",
    "It leaves today.",
  ]);
});

it("Broken threading headers: a reply in a long thread refers to the whole chain, and so does the next", async () => {
  const references = "<1@ada.example> <2@shop.\r\n example>\r\n\t<3@ada.example>";
  const mail = { channel: "email", from: "ada@ada.example", subject: "Re: Order 7", text: "When?" };
  const answer = async (message: object): Promise<Record<string, unknown>> => {
    const told = await toldOf(await writes({ ...mail, ...message }));
    const at = `/conversations/${String(told.at(-1)?.data["conversation_id"])}`;
    const { body } = await call("POST", `${at}/messages`, { text: "Today." });
    const { log } = world.platform.contexts.sandbox;
    return (await log.readStream(streamOf("message", body.id), { limit: 1 }))[0]!.data;
  };
  const first = { provider_message_id: "<4@ada.example>", in_reply_to: "<3@ada.example>" };
  expect(await answer({ ...first, references })).toMatchObject({
    in_reply_to: "<4@ada.example>",
    references: ["<1@ada.example>", "<2@shop.example>", "<3@ada.example>"],
  });
  const next = { provider_message_id: "<6@ada.example>", in_reply_to: "<5@shop.example>" };
  expect(await answer(next)).toMatchObject({
    in_reply_to: "<6@ada.example>",
    references: ["<5@shop.example>"],
  });
});
