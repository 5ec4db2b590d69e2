import { apnsDouble, networkLink, until, type ApnsDouble } from "@heliograph/testkit";
import { generateKeyPairSync } from "node:crypto";
import { togetherFaults } from "@heliograph/channels";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { providerTokens } from "../src/apns/provider-tokens.ts";
import { sealedConfig } from "../src/configuration.ts";
import { createHttp2Caller } from "../src/http2-call.ts";
import { configured, createGateway, type Attempt, type Gateway } from "../src/index.ts";
import { apnsToken as to, trust } from "./providers/apns.ts";
import { attemptOf, configOf, toolsOf } from "./support.ts";

const never = new AbortController().signal;
const open: { close(): Promise<void> }[] = [];
let double: ApnsDouble;
let gateway: Gateway;
beforeAll(async () => {
  double = await apnsDouble();
  trust(double.certificate);
  gateway = connect();
});
beforeEach(() => double.behave({ type: "accept" }));
afterAll(async () => {
  for (const each of open) await each.close();
  await double.close();
});

const settingsOf = ({ url, teamId: team_id, keyId: key_id, topic }: ApnsDouble) => ({
  base_url: url,
  team_id,
  key_id,
  topic,
});
const configNow = (settings: object) =>
  configOf({
    environment: "live",
    kind: "apns",
    channel: "push",
    max_concurrent: 64,
    settings: { ...settings },
  });
function connect(settings: object = {}, key = double.key, of = double): Gateway {
  const { masterKey } = toolsOf();
  const config = configNow({ ...settingsOf(of), ...settings });
  const made = createGateway("live", sealedConfig(config, { key }, masterKey), toolsOf());
  open.push(made);
  return made;
}
const attempt = (changes: Partial<Attempt> = {}): Attempt =>
  attemptOf(to, { channel: "push", content: { subject: "Shop", text: "It is here" }, ...changes });
const send = (changes: Partial<Attempt> = {}, by = gateway) => by.send(attempt(changes), never);
const last = () => double.notifications.at(-1)!;
const refuse = (status: number, reason: string, more: object = {}): void =>
  double.behave({ type: "refuse", status, reason, ...more });

test("subject and text are title and body, and the message's own number and end go along; a repeat is known by its id and takes the place of the first", async () => {
  const sent = await send({ validForSeconds: 90, data: { order: "7", aps: "no" } });
  const { messageId, attemptId } = attempt();
  const { device, headers, payload } = last();
  expect(sent).toEqual({ type: "accepted", providerMessageId: headers["apns-id"], status: "sent" });
  expect(device).toBe(to);
  expect(payload).toEqual({
    aps: { alert: { title: "Shop", body: "It is here" } },
    message_id: messageId,
    order: "7",
  });
  expect(headers).toMatchObject({
    "apns-topic": double.topic,
    "apns-push-type": "alert",
    "apns-priority": "10",
    "apns-collapse-id": messageId,
  });
  const expires = Number(headers["apns-expiration"]);
  expect(Math.abs(expires - Date.now() / 1_000 - 90)).toBeLessThan(30);
  await send({ attemptId, attempt: 2, category: "marketing", content: { text: "Again" } });
  expect(last().headers["apns-id"]).toBe(headers["apns-id"]);
  expect(last().headers).toMatchObject({ "apns-priority": "5", "apns-collapse-id": messageId });
  expect(last().headers["apns-expiration"]).toBeUndefined();
  expect(last().payload["aps"]).toEqual({ alert: { body: "Again" } });
  const image = "https://cdn.example/a.png";
  await send({ media: [{ url: image }] });
  expect(last().payload).toMatchObject({ image, aps: { "mutable-content": 1 } });
});

test("the sender's own data stand beside `aps`, its badge and sound in it, and its collapse key is the one of the notification", async () => {
  const push = { data: { order: "7" }, badge: 0, sound: "ding.aiff", collapse_key: "order-7" };
  const shown = { text: "Hi", push: { ...push, channel_id: "orders" } };
  await send({ content: shown });
  expect(last().payload).toEqual({
    aps: { alert: { body: "Hi" }, badge: 0, sound: "ding.aiff" },
    message_id: attempt().messageId,
    order: "7",
  });
  expect(last().headers["apns-collapse-id"]).toBe("order-7");
});

test("what is just not too much for a push when it is sent is not too much for APNs", async () => {
  for (const [letter, media] of [
    ["x", []],
    ["é", [{ url: "https://cdn.example/a.png" }]],
    ['"', [{ url: "https://cdn.example/a.png" }]],
  ] as const) {
    const data = Object.fromEntries(Array.from({ length: 49 }, (_, at) => [`key${at}`, letter]));
    const content = (fill: number) => ({
      subject: "Shop",
      text: "It is here",
      push: { data: { ...data, z: letter.repeat(fill) }, badge: 99_999, sound: "default" },
    });
    let fill = 1;
    while (fill < 4_096 && togetherFaults("push", content(fill + 1), media).length === 0) fill++;
    expect((await send({ content: content(fill), media })).type).toBe("accepted");
  }
});

test("what APNs cannot carry is refused for good before it is asked: 4,096 bytes as they are sent go, and no more", async () => {
  const before = double.notifications.length;
  for (const [changes, code] of [
    [{ content: {} }, "content_rejected"],
    [{ content: { text: "\u0001".repeat(900) } }, "content_rejected"],
    [{ to: "dev_0HC2ECXSATASBAN5W9948MRD02" }, "invalid_recipient"],
    [{ to: "fMEP0vJqS0:APA91bHqX-device" }, "invalid_recipient"],
  ] as const)
    expect(await send(changes)).toMatchObject({
      type: "rejected",
      error: { code, permanent: true },
    });
  expect(double.notifications).toHaveLength(before);
  await send({ content: { text: "é" } });
  const room = 4_096 - Buffer.byteLength(JSON.stringify(last().payload));
  const filled = (more: number) => send({ content: { text: `é${"x".repeat(more)}` } });
  expect((await filled(room)).type).toBe("accepted");
  const text = "it is larger than 4096 bytes";
  expect(await filled(room + 1)).toMatchObject({ error: { provider: { text } } });
});

test("a refusal is classed by its reason, else by its status, and only an app that is gone makes a device go", async () => {
  const timestamp = 1_700_000_000_123;
  for (const [status, reason, code, permanent, gone, throttles] of [
    [410, "Unregistered", "recipient_unreachable", true, { since: timestamp }],
    [410, "ExpiredToken", "recipient_unreachable", true, { since: timestamp }],
    [400, "BadDeviceToken", "invalid_recipient", true, undefined],
    [400, "DeviceTokenNotForTopic", "invalid_recipient", true, undefined],
    [413, "PayloadTooLarge", "content_rejected", true, undefined],
    [429, "TooManyRequests", "provider_throttled", false, undefined, "recipient"],
    [429, "TooManyProviderTokenUpdates", "provider_throttled", false, undefined, "gateway"],
    [429, "SomethingNew", "provider_throttled", false, undefined, "gateway"],
    [403, "InvalidProviderToken", "gateway_authentication_failed", false, undefined],
    [400, "TopicDisallowed", "gateway_authentication_failed", false, undefined],
    [403, "SomethingNew", "gateway_authentication_failed", false, undefined],
    [404, "SomethingNew", "gateway_authentication_failed", false, undefined],
    [400, "BadCollapseId", "provider_rejected", true, undefined],
    [410, "SomethingNew", "provider_rejected", true, undefined],
    [503, "Shutdown", "provider_unavailable", false, undefined],
  ] as const) {
    refuse(status, reason, { ...(status === 410 && { timestamp }) });
    const result = await send();
    expect(result).toMatchObject({
      ...(throttles === undefined ? { type: "rejected" } : { type: "unavailable", throttles }),
      error: { code, permanent, provider: { code: reason } },
    });
    expect([reason, "gone" in result ? result.gone : undefined]).toEqual([reason, gone]);
    expect(JSON.stringify(result)).not.toContain(to);
  }
  double.behave({ type: "answer", status: 410, body: "%PDF" });
  expect(await send()).not.toHaveProperty("gone");
  refuse(429, "TooManyProviderTokenUpdates", { retryAfter: "30" });
  expect(await send()).toMatchObject({ type: "unavailable", retryAfterMs: 30_000 });
  for (const status of [500, 502]) {
    refuse(status, "InternalServerError");
    expect((await send()).type).toBe("uncertain");
  }
});

test("one session and one token carry everything, whichever gateway of the key sends", async () => {
  const own = await apnsDouble();
  open.push(own);
  const [first, second] = [connect({}, own.key, own), connect({}, own.key, own)];
  const sent = await Promise.all(
    Array.from({ length: 80 }, (_, number) =>
      send({ attemptId: `atp_${number}` }, number % 2 ? first : second),
    ),
  );
  expect(new Set(sent.map(({ type }) => type))).toEqual(new Set(["accepted"]));
  expect([own.counts.opened, own.seen.size]).toEqual([2, 1]);
  // No more at once than APNs allows, which it may change; nothing is lost meanwhile.
  own.allow(1);
  await send({}, first);
  await Promise.all(Array.from({ length: 20 }, () => send({}, first)));
  expect(own.notifications).toHaveLength(101);
  expect([own.counts.opened, own.counts.mostUnderWay]).toEqual([2, 1]);
  // Who waits for its turn has sent nothing.
  own.behave({ type: "hang" });
  const patience = new AbortController();
  const hanging = first.send(attempt(), patience.signal);
  await until(() => own.notifications.length === 102);
  const waiting = first.send(attempt(), patience.signal);
  // A call there and back over the other session: by then it waits.
  await second.check!(never);
  patience.abort();
  expect((await hanging).type).toBe("uncertain");
  expect(await waiting).toMatchObject({ type: "rejected", error: { code: "gateway_timeout" } });
});

test("a token serves for forty minutes from its `iat`, and one that is refused is replaced once in twenty", () => {
  const { privateKey: key } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const tokens = providerTokens({ teamId: "TEAM", keyId: "KEY", key });
  const minute = 60_000;
  const start = 1_700_000_000_900;
  const first = tokens.current(start);
  const iatOf = (token: string): number =>
    JSON.parse(Buffer.from(token.split(".")[1]!, "base64url").toString()).iat;
  expect(iatOf(first)).toBe(1_700_000_000);
  expect(tokens.current(start + 39 * minute)).toBe(first);
  const second = tokens.current(iatOf(first) * 1_000 + 40 * minute);
  expect(iatOf(second) - iatOf(first)).toBe(40 * 60);
  const third = tokens.instead(second, start + 41 * minute)!;
  expect(third).not.toBe(second);
  // Whoever comes with the old one meanwhile gets the new one.
  expect(tokens.instead(second, start + 41 * minute)).toBe(third);
  expect(tokens.instead(third, start + 60 * minute)).toBeUndefined();
  expect(tokens.instead(third, start + 62 * minute)).not.toBe(third);
  // A clock that was set back by hours.
  expect(iatOf(tokens.current(start - 600 * minute))).toBe(1_700_000_000 - 600 * 60);
});

test("a token that APNs calls expired is renewed once, and the message sent with the new one", async () => {
  const own = await apnsDouble();
  open.push(own);
  const by = connect({}, own.key, own);
  await send({}, by);
  own.expireTokens();
  const results = await Promise.all(Array.from({ length: 10 }, () => send({}, by)));
  expect(new Set(results.map(({ type }) => type))).toEqual(new Set(["accepted"]));
  expect([own.seen.size, own.notifications.length]).toEqual([2, 11]);
  own.expireTokens();
  expect(await send({}, by)).toMatchObject({
    type: "rejected",
    error: { code: "gateway_authentication_failed", provider: { code: "ExpiredProviderToken" } },
  });
  expect(own.seen.size).toBe(2);
});

test("after a GOAWAY that closes nothing the rest goes over a new session at once, and what was not looked at goes there too", async () => {
  await send();
  const [opened, taken] = [double.counts.opened, double.notifications.length];
  double.behave({ type: "goaway" });
  const sent = await Promise.all(Array.from({ length: 5 }, () => send()));
  expect(new Set(sent.map(({ type }) => type))).toEqual(new Set(["accepted"]));
  expect([double.counts.opened, double.notifications.length]).toEqual([opened + 1, taken + 5]);
});

test("what a provider closes unread is sent again, three times at most, and then may go elsewhere", async () => {
  const taken = double.notifications.length;
  double.behave({ type: "refuse_stream", times: 2 });
  expect((await send()).type).toBe("accepted");
  double.behave({ type: "refuse_stream", times: 3 });
  expect(await send()).toMatchObject({
    type: "unavailable",
    error: { provider: { code: "REFUSED_STREAM" } },
  });
  expect(double.notifications.length).toBe(taken + 1);
});

test("what was under way when the connection broke is uncertain, and the next goes over another", async () => {
  const opened = double.counts.opened;
  await send();
  double.behave({ type: "reset" });
  expect(await send()).toEqual({ type: "uncertain", cause: "connection_lost" });
  double.behave({ type: "accept" });
  expect((await send()).type).toBe("accepted");
  expect(double.counts.opened).toBe(opened + 1);
  double.behave({ type: "hang" });
  const own = connect();
  const taken = double.notifications.length;
  const hanging = send({}, own);
  await until(() => double.notifications.length === taken + 1);
  await own.close();
  expect((await hanging).type).toBe("uncertain");
});

test("a connection that went silent is left: before the next call where it was idle, and after one that nobody answered", async () => {
  const link = await networkLink({ target: double.port });
  open.push(link);
  const origin = `https://localhost:${link.port}`;
  const caller = (askAfterMs: number) => {
    const made = createHttp2Caller(
      origin,
      { max_concurrent: 4, timeout_ms: 5_000 },
      { askAfterMs, answerMs: 50 },
    );
    open.push(made);
    return (signal: AbortSignal) =>
      made.call({ method: "GET", url: `${origin}/`, headers: {} }, signal);
  };
  const silence = async (): Promise<void> => {
    const { silences } = link.seen;
    await until(() => link.seen.silences > silences);
    link.weather({ silences: 0 });
  };
  for (const askAfterMs of [0, 60_000]) {
    const call = caller(askAfterMs);
    expect(await call(never)).toMatchObject({ kind: "answered", answer: { status: 404 } });
    link.weather({ silences: 1 });
    const patience = new AbortController();
    const next = call(patience.signal);
    await silence();
    if (askAfterMs > 0) {
      patience.abort();
      expect(await next).toEqual({ kind: "uncertain", cause: "timeout" });
    } else expect((await next).kind).toBe("answered");
    expect((await call(never)).kind).toBe("answered");
  }
});

test("the check is let in and sends nothing, or says what APNs says; what is no HTTP/2 is away", async () => {
  const before = double.notifications.length;
  await gateway.check!(never);
  const { privateKey } = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  await expect(connect({}, privateKey).check!(never)).rejects.toThrow("403 InvalidProviderToken");
  const other = connect({ topic: "com.example.other" });
  await expect(other.check!(never)).rejects.toThrow("400 TopicDisallowed");
  expect(double.notifications).toHaveLength(before);
});

test("a key that cannot work is refused when the gateway is made, and not quoted", () => {
  const { privateKey } = generateKeyPairSync("ec", {
    namedCurve: "P-384",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  for (const key of ["hunter2", privateKey]) {
    const make = () => configured(configNow(settingsOf(double)), { key }, toolsOf().masterKey);
    expect(make).toThrow(/must be the text of Apple's .p8 file/);
    expect(make).not.toThrow(/hunter2|BEGIN/);
  }
});
