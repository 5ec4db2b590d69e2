import { generateKeyPairSync } from "node:crypto";
import { service as contacts } from "@heliograph/contacts";
import { service as conversations } from "@heliograph/conversations";
import { newId, streamOf, type EventType } from "@heliograph/contracts";
import { service as control } from "@heliograph/control";
import { service as delivery } from "@heliograph/delivery";
import { service as dispatch } from "@heliograph/dispatch";
import { service as inbound } from "@heliograph/inbound";
import { service as mobile } from "@heliograph/mobile";
import {
  fcmDouble,
  telegramDouble,
  twilioDouble,
  until,
  whatsappDouble,
  type TwilioDouble,
} from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { service as suppressions } from "@heliograph/suppressions";
import { service as wallet } from "@heliograph/wallet";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { service as ingress } from "../src/index.ts";
import { followsMove } from "./telegram-move.ts";

const origin = "https://in.example";
/** The most that is taken of a provider at once. */
const maxCallbackBytes = 1_000_000;
let world: World;
let twilio: TwilioDouble;
let key: string;
let partner: string;
let gateway: { readonly id: string; readonly callback_url: string };
beforeAll(async () => {
  twilio = await twilioDouble();
  world = await openWorld({
    services: [
      ingress,
      wallet,
      dispatch,
      delivery,
      inbound,
      contacts,
      conversations,
      control,
      mobile,
      suppressions,
    ],
    consumers: "run",
    env: { HELIOGRAPH_PUBLIC_URL: origin, HELIOGRAPH_RETRY_SCALE: "0.02" },
  });
  ({ id: partner } = await world.addPartner());
  await world.fund(partner, "1000", "live");
  key = await world.addKey(partner, { environment: "live" });
  gateway = await add({
    name: "twilio-1",
    channel: "sms",
    kind: "twilio",
    settings: { base_url: twilio.url, account_sid: twilio.accountSid, from: "+15550100000" },
    secrets: { auth_token: twilio.authToken },
  });
}, 60_000);
beforeEach(() => twilio.behave({ type: "accept" }));
afterAll(async () => {
  await world.close();
  await twilio.close();
});

const live = () => world.platform.contexts.live;
/** Makes a gateway of the partner's. */
async function add(body: object): Promise<{ readonly id: string; readonly callback_url: string }> {
  const admin = await world.addKey(partner, { environment: "live", scopes: ["admin"] });
  const given = { partner_id: partner, ...body };
  const made = await world.call("POST", "/api/v1/admin/gateways", { key: admin, body: given });
  expect(made.status).toBe(201);
  return made.body;
}
/** What stands behind the public address. */
const behind = (url: string): string => url.replace(origin, `http://127.0.0.1:${world.port}`);
const post = (callback: Parameters<TwilioDouble["post"]>[0]): Promise<number> =>
  twilio.post({ ...callback, url: behind(callback.url) });
const text = async (to: string): Promise<string> => {
  const { status, body } = await world.call("POST", "/api/v1/messages", {
    key,
    body: { channel: "sms", to, text: "Your code is 1234" },
  });
  expect(status).toBe(202);
  return body.message_id ?? body.id;
};
const typesOf = async (id: string): Promise<readonly string[]> =>
  (await live().log.readStream(streamOf("message", id))).map(({ type }) => type);
const comes = (id: string, type: EventType) =>
  until(async () => (await typesOf(id)).includes(type), { timeoutMs: 20_000 });
const sidOf = (to: string): string =>
  twilio.messages.find(({ form }) => form.get("To") === to)!.sid;
const count = async (type: EventType): Promise<number> =>
  (await live().log.readAll({ after: 0n, limit: 1_000, types: [type] })).events.length;

test("a message is sent, and what its provider signs makes it delivered, once", async () => {
  const to = "+15550000101";
  const id = await text(to);
  await comes(id, "MessageSent");
  const sid = sidOf(to);
  expect(twilio.messages.at(-1)!.form.get("StatusCallback")).toMatch(`${gateway.callback_url}?`);
  for (const word of ["queued", "delivered", "sent", "delivered"])
    expect(await post(twilio.status(sid, word))).toBe(200);
  await comes(id, "MessageDelivered");
  // A late one changes nothing, and says nothing twice.
  expect((await typesOf(id)).filter((type) => type === "MessageDelivered")).toHaveLength(1);
  const events = await live().log.readAll({ after: 0n, limit: 1_000, types: ["CallbackReceived"] });
  expect(events.events).toHaveLength(3);
  // The number is of a person.
  expect(JSON.stringify(events.events.map(({ data }) => data))).not.toContain("5550000101");
});

test("what is forged changes nothing, is kept nowhere, and is told from an address that is none", async () => {
  const to = "+15550000102";
  const id = await text(to);
  await comes(id, "MessageSent");
  const before = await count("CallbackReceived");
  const genuine = twilio.status(sidOf(to), "delivered");
  const forged = { ...genuine, headers: { ...genuine.headers, "x-twilio-signature": "AAAA" } };
  expect(await post(forged)).toBe(401);
  expect(await post({ ...genuine, url: genuine.url.replace("?", "?x=1&") })).toBe(401);
  const elsewhere = genuine.url.replace(/callbacks\/([^/]+)\/.{3}/, "callbacks/$1/AAA");
  expect(await post({ ...genuine, url: elsewhere })).toBe(404);
  expect(await count("CallbackReceived")).toBe(before);
  expect(await typesOf(id)).not.toContain("MessageDelivered");
});

test("a report that overtakes the answer to its send waits for it", async () => {
  const to = "+15550000103";
  twilio.behave({ type: "accept", delayMs: 300 });
  const id = await text(to);
  await until(() => twilio.messages.some(({ form }) => form.get("To") === to));
  // Without our own id in the address nothing but the provider's tells whose it is.
  const early = twilio.status(sidOf(to), "delivered", {}, gateway.callback_url);
  expect(await post(early)).toBe(200);
  await comes(id, "MessageDelivered");
  expect(await count("ReceiptUnmatched")).toBe(1);
});

test("a message whose answer was lost is found by our own id", async () => {
  const to = "+15550000104";
  twilio.behave({ type: "reset" });
  const id = await text(to);
  await comes(id, "DispatchUncertain");
  expect(await post(twilio.status(sidOf(to), "delivered"))).toBe(200);
  await comes(id, "MessageDelivered");
  expect(twilio.messages.filter(({ form }) => form.get("To") === to)).toHaveLength(1);
});

test("a failure that is overtaken by a late word stays one, with the provider's code beside it", async () => {
  const to = "+15550000105";
  const id = await text(to);
  await comes(id, "MessageSent");
  expect(await post(twilio.status(sidOf(to), "undelivered", { ErrorCode: "30034" }))).toBe(200);
  await comes(id, "MessageFailed");
  expect(await post(twilio.status(sidOf(to), "sent", { ErrorCode: "30034" }))).toBe(200);
  const { body } = await world.call("GET", `/api/v1/messages/${id}`, { key });
  expect(body).toMatchObject({
    status: "failed",
    error: { code: "account_not_allowed", provider: { code: "30034" } },
  });
});

test("whom the provider calls opted out is suppressed here too", async () => {
  const to = "+15550000108";
  twilio.behave({ type: "refuse", status: 400, code: 21610 });
  const id = await text(to);
  await comes(id, "MessageFailed");
  await until(async () => (await count("SuppressionStarted")) === 1);
  const again = { channel: "sms", to, text: "Again" };
  const { status, body } = await world.call("POST", "/api/v1/messages", { key, body: again });
  expect([status, body.code]).toEqual([422, "recipient_suppressed"]);
});

test("what a person writes comes to the partner, with the picture", async () => {
  const form = {
    MessageSid: "MM1",
    SmsSid: "MM1",
    SmsStatus: "received",
    From: "+15550000106",
    To: "+15550100000",
    Body: "Where is it?",
    NumMedia: "1",
    MediaUrl0: "https://media.example/1",
    MediaContentType0: "image/png",
  };
  const callback = twilio.signed(gateway.callback_url, form);
  expect(await post(callback)).toBe(200);
  expect(await post(callback)).toBe(200);
  await until(async () => (await count("MessageReceived")) === 1, { timeoutMs: 20_000 });
  expect(await count("InboundReceived")).toBe(1);
});

test("what a person writes to a bot opens a conversation, and the answer goes to the same chat; the secret is kept nowhere", async () => {
  const double = await telegramDouble();
  try {
    const made = await add({
      name: "shop-bot",
      channel: "telegram",
      kind: "telegram",
      settings: { base_url: double.url },
      secrets: { bot_token: double.botToken, secret_token: double.secretToken },
    });
    const before = await count("CallbackReceived");
    const message = {
      message_id: 7,
      date: 1_700_000_000,
      chat: { id: 88112233, type: "private" },
      from: { id: 88112233, first_name: "Ada" },
      text: "Do you ship to Łódź?",
    };
    const update = double.update(made.callback_url, { message });
    const forged = { ...update.headers, "x-telegram-bot-api-secret-token": "wrong" };
    expect(await post({ ...update, headers: forged })).toBe(401);
    expect(await post(update)).toBe(200);
    expect(await post(update)).toBe(200);
    const list = () => world.call("GET", "/api/v1/conversations?channel=telegram", { key });
    const opened = await until(async () => (await list()).body.data[0], { timeoutMs: 20_000 });
    expect(opened).toMatchObject({
      inbox: "shop-bot",
      address: { source: "telegram", id: "88112233" },
      contact: { name: "Ada" },
      last_message: { text: "Do you ship to Łódź?" },
    });
    expect(await count("CallbackReceived")).toBe(before + 1);
    const answer = await world.call("POST", `/api/v1/conversations/${opened.id}/messages`, {
      key,
      body: { text: "We do: 2 < 3 days" },
    });
    expect(answer.status).toBe(202);
    await comes(answer.body.message_id ?? answer.body.id, "MessageSent");
    expect(double.messages.map(({ parameters }) => parameters)).toEqual([
      { chat_id: 88112233, text: "We do: 2 < 3 days" },
    ]);
    const kept = await live().log.readAll({ after: 0n, limit: 1_000, types: ["CallbackReceived"] });
    const data = kept.events.at(-1)!.data;
    const seen = JSON.stringify((await live().vault.open(partner, data))(data));
    expect(seen).toContain("content-type");
    expect(seen).not.toContain(double.secretToken);
    await followsMove({ world, key, partner, post, comes }, double, made, opened.id);
  } finally {
    await double.close();
  }
});

test("Meta shakes hands, and one post of its moves the messages that are known and opens the conversation that is new", async () => {
  const double = await whatsappDouble();
  try {
    const { accessToken, appSecret, verifyToken } = double;
    const made = await add({
      name: "wa",
      channel: "whatsapp",
      kind: "whatsapp_cloud",
      settings: { base_url: double.url, phone_number_id: double.phoneNumberId },
      secrets: {
        access_token: accessToken,
        app_secret: appSecret,
        verify_token: verifyToken,
      },
    });
    const address: string = made.callback_url;
    const before = await count("CallbackReceived");
    const shake = async (token: string) => {
      const query = { "hub.mode": "subscribe", "hub.verify_token": token, "hub.challenge": "77" };
      const answer = await fetch(behind(`${address}?${new URLSearchParams(query).toString()}`));
      return [answer.status, await answer.text()];
    };
    expect(await shake(verifyToken)).toEqual([200, "77"]);
    expect((await shake("other"))[0]).toBe(401);
    expect(await count("CallbackReceived")).toBe(before);

    const to = "+15550000120";
    const sent = await world.call("POST", "/api/v1/messages", {
      key,
      body: { channel: "whatsapp", to, text: "Your table is ready" },
    });
    expect(sent.status).toBe(202);
    await comes(sent.body.id, "MessageSent");
    const { wamid } = double.messages.at(-1)!;
    const at = "1700000000";
    const told = double.values(address, {
      statuses: [
        { id: "wamid.unknown", status: "delivered", timestamp: at },
        { id: wamid, status: "read", timestamp: at },
      ],
      messages: [
        {
          id: "wamid.in",
          from: "15550000120",
          timestamp: at,
          type: "text",
          text: { body: "Thanks" },
        },
      ],
      contacts: [{ wa_id: "15550000120", profile: { name: "Ada" } }],
    });
    expect(await post({ ...told, body: Buffer.concat([told.body, Buffer.from(" ")]) })).toBe(401);
    expect(await post(told)).toBe(200);
    await comes(sent.body.id, "MessageRead");
    const list = () => world.call("GET", "/api/v1/conversations?channel=whatsapp", { key });
    const opened = await until(async () => (await list()).body.data[0], { timeoutMs: 20_000 });
    expect(opened).toMatchObject({
      inbox: "+15550100000",
      address: { source: "whatsapp", id: to },
      contact: { name: "Ada" },
      last_message: { text: "Thanks" },
    });
  } finally {
    await double.close();
  }
});

test("one that cannot be read stands among the dead letters and stops nothing", async () => {
  const to = "+15550000107";
  const id = await text(to);
  await comes(id, "MessageSent");
  expect(await post(twilio.signed(gateway.callback_url, { Nonsense: "1" }))).toBe(200);
  expect(await post(twilio.status(sidOf(to), "delivered"))).toBe(200);
  await comes(id, "MessageDelivered");
  const { rows } = await live().pool.query(
    "select reason from runtime.dead_letters where consumer = 'callbacks'",
  );
  expect(rows).toMatchObject([{ reason: "it has no MessageSid" }]);
});

test("a body that is larger than any provider's is refused before it is looked at, and kept nowhere", async () => {
  const before = await count("CallbackReceived");
  const large = (url: string, bytes: number) =>
    fetch(behind(url), { method: "POST", body: Buffer.alloc(bytes, 0x61) });
  const refused = await large(gateway.callback_url, maxCallbackBytes + 1);
  expect([refused.status, await refused.json()]).toMatchObject([413, { code: "body_too_large" }]);
  // What is not too large is asked for its signature.
  expect((await large(gateway.callback_url, maxCallbackBytes)).status).toBe(401);
  // Nobody's address reads no body.
  const elsewhere = gateway.callback_url.replace(/callbacks\/([^/]+)\/.{3}/, "callbacks/$1/AAA");
  expect((await large(elsewhere, maxCallbackBytes)).status).toBe(404);
  expect(await count("CallbackReceived")).toBe(before);
});

test("a push to a device of the partner's goes to its token, and one whose token is none any more is dropped", async () => {
  const fcm = await fcmDouble();
  await add({
    name: "fcm-1",
    channel: "push",
    kind: "fcm",
    settings: { base_url: fcm.url, project_id: fcm.projectId },
    secrets: { service_account: JSON.parse(fcm.serviceAccount) },
  });
  const signing = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  await add({
    name: "apns-1",
    channel: "push",
    kind: "apns",
    settings: {
      base_url: "https://127.0.0.1:1",
      team_id: "T".repeat(10),
      key_id: "K".repeat(10),
      topic: "example.app",
    },
    secrets: { key: signing.export({ type: "pkcs8", format: "pem" }) },
  });
  const { pool, vault } = live();
  const token = "fMEP0vJqS0:APA91bHqX-device";
  const register = async (own = token): Promise<string> => {
    const id = newId("dev");
    const sealed = (await vault.seal({ partner, subject: id }))(own);
    await pool.query(
      `insert into mobile_devices.devices (id, partner, agent_id, session_id, token_name, token, platform)
        values ($1, $2, 'agt_1', 'ses_1', $1, $3, 'android')`,
      [id, partner, sealed],
    );
    return id;
  };
  const device = await register();
  // Which gateway a device would go to follows from its token, as with a message.
  const explained = async (to: string): Promise<string> => {
    const body = { channel: "push", to };
    const answer = await world.call("POST", "/api/v1/routing/explain", { key, body });
    expect([answer.status, answer.body.considered.length]).toEqual([200, 1]);
    return answer.body.gateway;
  };
  expect(await explained(device)).toBe("fcm-1");
  expect(await explained(await register("0123456789abcdef".repeat(4)))).toBe("apns-1");
  const push = async (to: string, more = {}): Promise<string> => {
    const body = { channel: "push", to, subject: "Shop", text: "It is here", ...more };
    const answer = await world.call("POST", "/api/v1/messages", { key, body });
    expect(answer.status).toBe(202);
    return answer.body.id;
  };
  const first = await push(device);
  await comes(first, "MessageSent");
  expect(fcm.messages.map(({ message }) => message["token"])).toEqual([token]);
  expect(
    JSON.stringify(
      (await live().log.readStream(streamOf("message", first))).map(({ data }) => data),
    ),
  ).not.toContain(token);
  fcm.behave({ type: "refuse", status: 404, word: "NOT_FOUND", errorCode: "UNREGISTERED" });
  const failed = await push(device);
  await comes(failed, "MessageFailed");
  const { body } = await world.call("GET", `/api/v1/messages/${failed}`, { key });
  expect(body).toMatchObject({
    to: device,
    error: { code: "recipient_unreachable", provider: { code: "UNREGISTERED" } },
  });
  const isDropped = (id: string) =>
    until(async () => {
      const { rowCount } = await pool.query("select from mobile_devices.devices where id = $1", [
        id,
      ]);
      return rowCount === 0;
    });
  await isDropped(device);
  // The same where another channel takes over, and the message does not fail.
  const second = await register();
  const other = { channel: "sms", to: "+15550000177", text: "It is here", on: ["failed"] };
  await comes(await push(second, { failover: [other] }), "FailoverStepFailed");
  await isDropped(second);
  const gone = await push(device);
  await comes(gone, "MessageFailed");
  const { body: last } = await world.call("GET", `/api/v1/messages/${gone}`, { key });
  expect(last.error).toMatchObject({ code: "invalid_recipient", class: "recipient" });
  await fcm.close();
});

// The last one: it uses up what the address may try.
test("a flood of forged callbacks is told to wait, and shuts out no genuine one from the same address", async () => {
  const to = "+15550000109";
  const id = await text(to);
  await comes(id, "MessageSent");
  const before = await count("CallbackReceived");
  const forge = () =>
    fetch(behind(gateway.callback_url), { method: "POST", body: "MessageSid=SM1" });
  const statuses = new Map<number, number>();
  let last: Response | undefined;
  for (let round = 0; round < 14; round++)
    for (const answer of await Promise.all(Array.from({ length: 50 }, forge))) {
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
      if (answer.status === 429) last = answer;
      await answer.arrayBuffer();
    }
  expect(statuses.get(401)).toBeGreaterThan(0);
  expect(new Set(statuses.keys())).toEqual(new Set([401, 429]));
  expect(Number(last!.headers.get("retry-after"))).toBeGreaterThan(0);
  expect(await count("CallbackReceived")).toBe(before);
  expect(await post(twilio.status(sidOf(to), "delivered"))).toBe(200);
  await comes(id, "MessageDelivered");
});
