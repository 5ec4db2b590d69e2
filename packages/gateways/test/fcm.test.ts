import { fcmDouble, until, type FcmDouble } from "@heliograph/testkit";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { sealedConfig } from "../src/configuration.ts";
import { configured, createGateway, type Attempt, type Gateway } from "../src/index.ts";
import { fcmToken as to } from "./providers/fcm.ts";
import { attemptOf, configOf, toolsOf } from "./support.ts";

const never = new AbortController().signal;
const open: Gateway[] = [];
let double: FcmDouble;
let gateway: Gateway;
beforeAll(async () => {
  double = await fcmDouble();
  gateway = connect();
});
beforeEach(() => {
  double.behave({ type: "accept" });
  double.tokens({ type: "grants", expiresIn: 3_600 });
});
afterAll(async () => {
  for (const each of open) await each.close();
  await double.close();
});

function connect(settings: object = {}, service_account = double.serviceAccount): Gateway {
  const { masterKey } = toolsOf();
  const all = { base_url: double.url, project_id: double.projectId, ...settings };
  const config = configOf({ environment: "live", kind: "fcm", channel: "push", settings: all });
  const made = createGateway(
    "live",
    sealedConfig(config, { service_account }, masterKey),
    toolsOf(),
  );
  open.push(made);
  return made;
}
const attempt = (changes: Partial<Attempt> = {}): Attempt =>
  attemptOf(to, { channel: "push", content: { subject: "Shop", text: "It is here" }, ...changes });
const send = (changes: Partial<Attempt> = {}, by = gateway) => by.send(attempt(changes), never);
const last = () => double.messages.at(-1)!;
const refuse = (status: number, word: string, more: object = {}): void =>
  double.behave({ type: "refuse", status, word, ...more });

test("subject and text are title and body; the data says which message it is, and a repeat takes its place on the device", async () => {
  const sent = await send({ validForSeconds: 90.7, data: { order: "7" } });
  expect(sent).toEqual({ type: "accepted", providerMessageId: last().name, status: "sent" });
  const { messageId: tag } = attempt();
  expect(last().message).toMatchObject({
    token: to,
    notification: { title: "Shop", body: "It is here" },
    data: { order: "7", message_id: tag },
    android: { priority: "HIGH", ttl: "90s", notification: { tag } },
    apns: { headers: { "apns-priority": "10", "apns-collapse-id": tag } },
    webpush: { headers: { TTL: "90", Urgency: "high" }, notification: { tag } },
  });
  const { headers } = last().message["apns"] as { headers: Record<string, string> };
  const expires = Number(headers["apns-expiration"]);
  expect(Math.abs(expires - Date.now() / 1_000 - 90)).toBeLessThan(30);
  await send({ content: { text: "<b>" }, category: "marketing", validForSeconds: 9e9 });
  const { notification, android } = last().message as Record<string, object>;
  expect(notification).toEqual({ body: "<b>" });
  expect(android).toMatchObject({ priority: "NORMAL", ttl: "2419200s" });
  const image = "https://cdn.example/a.png";
  await send({ media: [{ url: image }] });
  expect(last().message).toMatchObject({
    notification: { body: "It is here", image },
    apns: { payload: { aps: { "mutable-content": 1 } }, fcm_options: { image } },
  });
});

test("the sender's own data, badge, sound, channel and collapse key go to Android and to iOS", async () => {
  const push = { data: { order: "7" }, badge: 3, sound: "ding", collapse_key: "order-7" };
  await send({ content: { text: "Hi", push: { ...push, channel_id: "orders" } } });
  const tag = "order-7";
  expect(last().message).toMatchObject({
    data: { order: "7", message_id: attempt().messageId },
    android: {
      collapse_key: "order-7",
      notification: { tag, sound: "ding", channel_id: "orders", notification_count: 3 },
    },
    apns: {
      headers: { "apns-collapse-id": "order-7" },
      payload: { aps: { badge: 3, sound: "ding" } },
    },
    webpush: { notification: { tag } },
  });
  // On iOS 0 takes the number away; Android would count by itself.
  await send({ content: { text: "Hi", push: { badge: 0 } } });
  expect(last().message).toMatchObject({ apns: { payload: { aps: { badge: 0 } } } });
  const { android } = last().message as Record<string, { notification: object }>;
  expect(android!.notification).toEqual({ tag: attempt().messageId });
});

test("what FCM cannot carry is refused for good before it is asked", async () => {
  const before = double.messages.length;
  for (const [changes, code] of [
    [{ content: {} }, "content_rejected"],
    [{ content: { text: "😀".repeat(900) }, data: { more: "x".repeat(500) } }, "content_rejected"],
    [{ to: "dev_0HC2ECXSATASBAN5W9948MRD02" }, "invalid_recipient"],
    [{ to: "0a".repeat(32) }, "invalid_recipient"],
  ] as const)
    expect(await send(changes)).toMatchObject({
      type: "rejected",
      error: { code, permanent: true },
    });
  expect(double.messages).toHaveLength(before);
});

test("a refusal is classed by FCM's code, else by its status, and only what is said of the token makes a device go", async () => {
  for (const [status, word, more, code, permanent, gone] of [
    [404, "NOT_FOUND", { errorCode: "UNREGISTERED" }, "recipient_unreachable", true, true],
    [400, "INVALID_ARGUMENT", { field: "message.token" }, "invalid_recipient", true, true],
    [
      400,
      "INVALID_ARGUMENT",
      {
        errorCode: "INVALID_ARGUMENT",
        message: "The registration token is not a valid FCM registration token",
      },
      "invalid_recipient",
      true,
      true,
    ],
    [400, "INVALID_ARGUMENT", { field: "message.data[0].value" }, "content_rejected", true, false],
    [
      400,
      "INVALID_ARGUMENT",
      { errorCode: "INVALID_ARGUMENT", message: "Android message is too big" },
      "content_rejected",
      true,
      false,
    ],
    [404, "NOT_FOUND", {}, "gateway_authentication_failed", false, false],
    [
      403,
      "PERMISSION_DENIED",
      { errorCode: "SENDER_ID_MISMATCH" },
      "invalid_recipient",
      true,
      false,
    ],
    [403, "PERMISSION_DENIED", {}, "gateway_authentication_failed", false, false],
    [
      401,
      "UNAUTHENTICATED",
      { errorCode: "THIRD_PARTY_AUTH_ERROR" },
      "account_not_allowed",
      true,
      false,
    ],
    [400, "FAILED_PRECONDITION", {}, "provider_rejected", true, false],
  ] as const) {
    refuse(status, word, { message: `About ${to}.`, ...more });
    const result = await send();
    const raw = "errorCode" in more ? more.errorCode : word;
    expect(result).toMatchObject({
      type: "rejected",
      error: { code, permanent, provider: { code: raw } },
    });
    expect([status, word, more, "gone" in result]).toEqual([status, word, more, gone]);
    expect(JSON.stringify(result)).not.toContain(to);
  }
});

test("a quota is waited for as long as FCM says, else a minute; 503 without a time and 500 may have been delivered", async () => {
  const quota = { errorCode: "QUOTA_EXCEEDED" };
  for (const [retryAfter, retryAfterMs] of [
    ["120", 120_000],
    [undefined, 60_000],
    ["nonsense", 60_000],
  ] as const) {
    refuse(429, "RESOURCE_EXHAUSTED", { ...quota, ...(retryAfter && { retryAfter }) });
    expect(await send()).toMatchObject({
      type: "unavailable",
      error: { code: "provider_throttled", provider: { code: "QUOTA_EXCEEDED" } },
      retryAfterMs,
      // Of the device or of the project.
      throttles: "unknown",
    });
  }
  refuse(503, "UNAVAILABLE", { errorCode: "UNAVAILABLE", retryAfter: "30" });
  expect(await send()).toMatchObject({ type: "unavailable", retryAfterMs: 30_000 });
  refuse(503, "UNAVAILABLE", { errorCode: "UNAVAILABLE" });
  expect(await send()).toEqual({ type: "uncertain", cause: "connection_lost" });
  refuse(500, "INTERNAL", { errorCode: "INTERNAL" });
  expect((await send()).type).toBe("uncertain");
  double.behave({ type: "answer", status: 200, body: "{}" });
  expect((await send()).type).toBe("uncertain");
});

test("an access token is asked for once by all who wait, serves until its end is near, and is renewed before it", async () => {
  const before = double.granted.length;
  const own = connect();
  await Promise.all(Array.from({ length: 20 }, () => send({}, own)));
  await send({}, own);
  expect(double.granted).toHaveLength(before + 1);

  // Near its end: it still serves, and another is fetched meanwhile.
  double.tokens({ type: "grants", expiresIn: 200 });
  const near = connect();
  await send({}, near);
  const [asked, { by }] = [double.asked, last()];
  double.tokens({ type: "hang" });
  expect((await send({}, near)).type).toBe("accepted");
  expect(last().by).toBe(by);
  await until(() => double.asked === asked + 1);

  // Over before it could arrive: nobody uses it twice.
  double.tokens({ type: "grants", expiresIn: 20 });
  const over = connect();
  await send({}, over);
  const ended = last().by;
  await send({}, over);
  expect(last().by).not.toBe(ended);
  expect(double.granted).toHaveLength(before + 4);
});

test("a token that is refused is renewed once and the message sent with the new one; where that helps nobody, nobody is asked for more", async () => {
  const own = connect();
  await send({}, own);
  double.revokeAll();
  const [before, taken] = [double.granted.length, double.messages.length];
  const results = await Promise.all(Array.from({ length: 10 }, () => send({}, own)));
  expect(new Set(results.map(({ type }) => type))).toEqual(new Set(["accepted"]));
  expect(double.granted).toHaveLength(before + 1);
  expect(double.messages).toHaveLength(taken + 10);

  double.revokeAll();
  for (const _ of [1, 2])
    expect(await send({}, own)).toMatchObject({
      type: "rejected",
      error: { code: "gateway_authentication_failed", permanent: false },
    });
  expect(double.granted).toHaveLength(before + 1);
});

test("without an access token nothing was sent, so nothing is uncertain; a burst asks once", async () => {
  const before = double.messages.length;
  const said = { error: "invalid_grant", error_description: "Invalid JWT Signature." };
  const cases = [
    [400, JSON.stringify(said), undefined, "rejected", "gateway_authentication_failed"],
    [403, "{}", undefined, "rejected", "gateway_authentication_failed"],
    [200, "%PDF", undefined, "rejected", "provider_unavailable"],
    [500, "", undefined, "rejected", "provider_unavailable"],
    [429, "", "9", "unavailable", "provider_throttled"],
    [503, "", "9", "unavailable", "provider_unavailable"],
  ] as const;
  for (const [status, body, retryAfter, type, code] of cases) {
    double.tokens({ type: "answer", status, body, ...(retryAfter && { retryAfter }) });
    const own = connect();
    const results = await Promise.all([send({}, own), send({}, own)]);
    for (const result of [...results, await send({}, own)])
      expect(result).toMatchObject({ type, error: { code, permanent: false } });
  }
  double.tokens({ type: "hang" });
  const own = connect();
  const caller = new AbortController();
  const waiting = own.send(attempt(), caller.signal);
  caller.abort();
  expect(await waiting).toMatchObject({ type: "rejected", error: { code: "gateway_timeout" } });
  const away = connect({ token_url: "http://127.0.0.1:1/token" });
  expect(await send({}, away)).toMatchObject({
    type: "unavailable",
    error: { code: "gateway_unreachable" },
  });
  expect(double.messages).toHaveLength(before);
});

test("an assertion that another key signed gets no token, and the check says so; with the right one it sends nothing", async () => {
  const before = double.messages.length;
  await gateway.check!(never);
  const { privateKey } = (await import("node:crypto")).generateKeyPairSync("rsa", {
    modulusLength: 1_024,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const file = { ...JSON.parse(double.serviceAccount), private_key: privateKey };
  const other = connect({}, JSON.stringify(file));
  await expect(other.check!(never)).rejects.toThrow("invalid_grant Invalid JWT Signature.");
  const elsewhere = connect({ project_id: "another" });
  await expect(elsewhere.check!(never)).rejects.toThrow("404");
  expect(double.messages).toHaveLength(before);
});

test("a key file that cannot work is refused when the gateway is made, and not quoted", () => {
  const config = configOf({
    environment: "live",
    kind: "fcm",
    channel: "push",
    settings: { project_id: "shop" },
  });
  const file = JSON.parse(double.serviceAccount);
  for (const [account, said] of [
    ["hunter2", /must be the JSON key file/],
    [{ ...file, client_email: undefined }, /must be the JSON key file/],
    [{ ...file, private_key: "-----BEGIN hunter2" }, /must be a private key of RSA/],
    [{ ...file, token_uri: "file:///hunter2" }, /must be the JSON key file/],
  ] as const) {
    const service_account = typeof account === "string" ? account : JSON.stringify(account);
    const make = () => configured(config, { service_account }, toolsOf().masterKey);
    expect(make).toThrow(said);
    expect(make).not.toThrow(/hunter2/);
  }
});
