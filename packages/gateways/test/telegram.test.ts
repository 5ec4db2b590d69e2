import { telegramDouble, type TelegramDouble } from "@heliograph/testkit";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { sealedConfig } from "../src/configuration.ts";
import {
  createGateway,
  parseInbound,
  readCallback,
  type Attempt,
  type Gateway,
  type GatewayTools,
  type SendResult,
} from "../src/index.ts";
import { attemptOf, configOf, signer, toolsOf } from "./support.ts";

const never = new AbortController().signal;
const channel = "telegram";
let double: TelegramDouble;
let gateway: Gateway;
beforeAll(async () => {
  double = await telegramDouble();
  gateway = connect(double.botToken);
});
beforeEach(() => double.behave({ type: "accept" }));
afterAll(async () => {
  await gateway.close();
  await double.close();
});

const moves: string[] = [];
const onMoved: NonNullable<GatewayTools["onMoved"]> = async ({ partner, to }, now) => {
  moves.push(`${partner} ${to} ${now}`);
  if (now === "-9") throw new Error("the log is away");
  if (now === "-10") return new Promise(() => undefined);
  return now !== "-11";
};

function connect(bot_token: string): Gateway {
  const settings = { base_url: double.url };
  const config = configOf({ environment: "live", kind: "telegram", channel, settings });
  const secrets = { bot_token, secret_token: double.secretToken };
  const tools = toolsOf({ onMoved });
  return createGateway("live", sealedConfig(config, secrets, tools.masterKey), tools);
}
const send = (changes: Partial<Attempt> = {}): Promise<SendResult> =>
  gateway.send(attemptOf("88112233", { channel, ...changes }), never);
const last = () => double.messages.at(-1)!;

test("a text goes as it is, without being read as markup, to the chat's number", async () => {
  const text = "a < b & <i>c</i> *d* _e_ [f](g) 👩‍👩‍👧";
  expect(await send({ content: { text } })).toEqual({
    type: "accepted",
    providerMessageId: `88112233.${last().id}`,
    status: "sent",
  });
  expect(last()).toMatchObject({ method: "sendMessage", parameters: { chat_id: 88112233, text } });
  expect(Object.keys(last().parameters)).toEqual(["chat_id", "text"]);
});

test("HTML goes as markup in the place of the text, also under a file, and is bounded by what is left of it", async () => {
  const html = "<b>Paid</b>: 3 &lt; 4";
  const mode = { parse_mode: "HTML" };
  await send({ content: { text: "Paid: 3 < 4", html } });
  expect(last().parameters).toEqual({ chat_id: 88112233, text: html, ...mode });
  const media = [{ url: "https://m.example/0", type: "image/png" }];
  await send({ content: { html }, media });
  expect(last().parameters).toMatchObject({ caption: html, ...mode });
  await send({ content: { html }, media: [...media, ...media] });
  const [first, second] = last().parameters["media"] as readonly object[];
  expect([first, second]).toMatchObject([{ caption: html, ...mode }, { type: "photo" }]);
  expect(second).not.toHaveProperty("parse_mode");
  const before = double.messages.length;
  const long = (count: number) => `<i>${"x".repeat(count)}</i>`;
  for (const attempt of [
    { content: { html: long(5_000) } },
    { content: { html: long(1_025) }, media },
  ])
    expect(await send(attempt)).toMatchObject({ error: { code: "content_rejected" } });
  expect(double.messages).toHaveLength(before);
  for (const attempt of [
    { content: { html: long(4_096) } },
    { content: { html: long(1_024) }, media },
  ])
    expect((await send(attempt)).type).toBe("accepted");
});

test("one file is one call of its kind, several are an album, and what one call cannot carry is refused for good", async () => {
  const media = (...types: readonly (string | undefined)[]): NonNullable<Attempt["media"]> =>
    types.map((type, n) => ({ url: `https://m.example/${n}`, ...(type && { type }) }));
  for (const [type, method, name] of [
    ["image/jpeg", "sendPhoto", "photo"],
    ["IMAGE/PNG; x=1", "sendPhoto", "photo"],
    ["video/mp4", "sendVideo", "video"],
    ["audio/mpeg", "sendAudio", "audio"],
    ["image/svg+xml", "sendDocument", "document"],
    [undefined, "sendDocument", "document"],
  ] as const) {
    await send({ content: { text: "Hi" }, media: media(type) });
    expect(last()).toMatchObject({
      method,
      parameters: { [name]: "https://m.example/0", caption: "Hi" },
    });
  }
  const album = await send({ content: { text: "Both" }, media: media("image/png", "video/mp4") });
  expect(album.type).toBe("accepted");
  expect(last()).toMatchObject({
    method: "sendMediaGroup",
    parameters: {
      media: [
        { type: "photo", media: "https://m.example/0", caption: "Both" },
        { type: "video", media: "https://m.example/1" },
      ],
    },
  });
  const before = double.messages.length;
  for (const attempt of [
    { content: { text: "x".repeat(1_025) }, media: media("image/png") },
    { content: {}, media: media("image/png", "application/pdf") },
    { content: {} },
  ])
    expect(await send(attempt)).toMatchObject({
      type: "rejected",
      error: { code: "content_rejected", permanent: true },
    });
  expect(double.messages).toHaveLength(before);
});

test("a refusal is classed by its words, and by its status where they are not known; they are kept, without whom it was for", async () => {
  for (const [status, description, code, permanent, throttles] of [
    [403, "Forbidden: bot was blocked by the user", "recipient_blocked", true],
    [403, "Forbidden: user is deactivated", "recipient_unreachable", true],
    [403, "Forbidden: something new in 88112233", "recipient_unreachable", true],
    [400, "Bad Request: chat not found", "invalid_recipient", true],
    [400, "Bad Request: message is too long", "content_rejected", true],
    [
      400,
      "Bad Request: not enough rights to send text messages to the chat",
      "account_not_allowed",
      true,
    ],
    [400, "Bad Request: something new", "provider_rejected", true],
    [401, "Unauthorized", "gateway_authentication_failed", false],
    [404, "Not Found", "gateway_authentication_failed", false],
    [429, "Too Many Requests: the message is too long", "provider_throttled", false, "unknown"],
  ] as const) {
    double.behave({ type: "refuse", status, description });
    const result = await send();
    expect(result).toMatchObject({
      ...(throttles === undefined ? { type: "rejected" } : { type: "unavailable", throttles }),
      error: { code, permanent, provider: { code: String(status) } },
    });
    expect(JSON.stringify(result)).not.toContain("88112233");
  }
});

test("the time that Telegram names is waited in full, and no attempt is spent", async () => {
  const description = "Too Many Requests: retry after 2282";
  double.behave({ type: "refuse", status: 429, description, parameters: { retry_after: 2_282 } });
  expect(await send()).toMatchObject({
    type: "unavailable",
    retryAfterMs: 2_282_000,
    // Whether of the chat or of the bot it does not say.
    throttles: "unknown",
  });
  double.behave({ type: "refuse", status: 429, description, parameters: { retry_after: 1e12 } });
  expect(await send()).toMatchObject({ type: "unavailable", retryAfterMs: 86_400_000 });
});

test("what may have been taken is uncertain: a 500, an answer without an id", async () => {
  for (const [status, body] of [
    [500, '{"ok":false,"error_code":500,"description":"Internal Server Error"}'],
    [502, "<html>"],
    [200, "{}"],
    [200, '{"ok":true,"result":true}'],
    [200, '{"ok":true,"result":[]}'],
    [200, '{"ok":true,"result":{"message_id":"5","chat":{"id":1}}}'],
  ] as const) {
    double.behave({ type: "answer", status, body });
    expect([body, (await send()).type]).toEqual([body, "uncertain"]);
  }
});

test("a chat that has moved has its message once, where it is now", async () => {
  double.moved.set(-55, -100_123);
  const before = double.messages.length;
  const moved = await gateway.send(attemptOf("-55", { channel }), never);
  expect(moved).toMatchObject({ type: "accepted", providerMessageId: `-100123.${last().id}` });
  expect(double.messages).toHaveLength(before + 1);
  // One that moves in a circle is not followed.
  double.moved.set(-100_123, -55);
  expect((await gateway.send(attemptOf("-55", { channel }), never)).type).toBe("rejected");
  expect(double.messages).toHaveLength(before + 1);
  // Whoever keeps where chats are is told each time.
  expect(moves).toEqual(["ptn_one -55 -100123", "ptn_one -55 -100123"]);
  double.moved.clear();
});

test.each([
  ["wants nothing there", -11, "recipient_suppressed", true],
  ["may want nothing there: the log is away", -9, "recipient_moved", false],
  ["may want nothing there: the log is slow", -10, "recipient_moved", false],
])("a chat that has moved and %s gets nothing", async (_, now, code, permanent) => {
  double.moved.set(-8, now);
  const before = double.messages.length;
  const signal = now === -10 ? AbortSignal.timeout(300) : never;
  expect(await gateway.send(attemptOf("-8", { channel }), signal)).toMatchObject({
    type: "rejected",
    error: { code, class: "recipient", permanent, provider: { text: expect.any(String) } },
  });
  expect(double.messages).toHaveLength(before);
  double.moved.clear();
});

test("the check asks who the bot is, and says what Telegram says", async () => {
  await gateway.check!(never);
  const other = connect("1:wrong");
  await expect(other.check!(never)).rejects.toThrow("401 Unauthorized");
  await other.close();
});

const told = (content: object) =>
  readCallback(
    { name: "shop-bot", kind: "telegram", channel },
    {
      ...double.update("https://in.example/cb", content),
      contentType: "application/json",
      receivedAt: "2026-05-23T14:22:17Z",
    },
    signer,
  );
async function reading(content: object) {
  const [item, ...others] = await told(content);
  if (item?.kind !== "inbound" || others.length > 0) throw new Error(item?.kind);
  const { raw, contentType, providerMessageId, from } = item;
  const read = await parseInbound("telegram", {
    raw,
    contentType,
    gateway: { name: "shop-bot", channel },
  });
  expect(read).toMatchObject({ providerMessageId, from });
  return read;
}
const chat = { id: 88112233, type: "private" };
const ada = { id: 88112233, is_bot: false, first_name: "Ada", last_name: "Łódź", username: "ada" };

test("what a person writes is read with its name and time; an edit and a reaction say what they are about", async () => {
  const message = { message_id: 7, date: 1_700_000_000, chat, from: ada, text: "Hi <b>" };
  expect(await reading({ message })).toEqual({
    providerMessageId: "88112233.7",
    from: "88112233",
    to: "shop-bot",
    text: "Hi <b>",
    profileName: "Ada Łódź",
    kind: "message",
    at: "2023-11-14T22:13:20.000Z",
  });
  const edited = { ...message, edit_date: 1_700_000_060, text: "Hello" };
  const edit = await reading({ edited_message: edited });
  expect(edit).toMatchObject({ kind: "edit", about: "88112233.7", text: "Hello" });
  expect(edit.at).toBe("2023-11-14T22:14:20.000Z");
  expect(edit.providerMessageId).not.toBe("88112233.7");
  const reaction = { chat, message_id: 7, date: 1_700_000_000, user: ada, old_reaction: [] };
  const liked = { ...reaction, new_reaction: [{ type: "emoji", emoji: "👍" }] };
  expect(await reading({ message_reaction: liked })).toMatchObject({
    kind: "reaction",
    about: "88112233.7",
    text: "👍",
  });
  expect(
    (await reading({ message_reaction: { ...reaction, new_reaction: [] } })).text,
  ).toBeUndefined();
});

test("a file is named beside what is written under it, a bot is no person, and a group is called what it is called", async () => {
  const bare = { message_id: 8, date: 1_700_000_000, chat };
  expect((await reading({ message: { ...bare, photo: [{ file_id: "x" }] } })).text).toBe("[photo]");
  const sizes = [
    { file_id: "small", file_size: 9 },
    { file_id: "large", file_size: 99 },
  ];
  expect((await reading({ message: { ...bare, photo: sizes } })).files).toEqual([
    { file: "large", bytes: 99 },
  ]);
  const bill = { document: { file_id: "x", file_name: "bill.pdf" }, caption: "Here" };
  expect((await reading({ message: { ...bare, ...bill } })).text).toBe("[bill.pdf] Here");
  const robot = { ...ada, is_bot: true };
  expect((await reading({ message: { ...bare, from: robot, text: "x" } })).automatic).toBe(true);
  const group = { id: -100_123, type: "supergroup", title: "Neighbours" };
  expect(await reading({ message: { ...bare, chat: group, from: ada, text: "x" } })).toMatchObject({
    from: "-100123",
    profileName: "Neighbours",
  });
});

test("a group that became a supergroup is told of by both chats, and says nothing else", async () => {
  const bare = { message_id: 9, date: 1_700_000_000, from: ada };
  const [old, now] = [-55, -100_123].map((id) => ({ id, title: "Neighbours" }));
  const moved = { from: "-55", movedTo: "-100123" };
  const here = await reading({ message: { ...bare, chat: old, migrate_to_chat_id: -100_123 } });
  expect(here).toMatchObject(moved);
  expect(here).not.toHaveProperty("text");
  expect(
    await reading({ message: { ...bare, chat: now, migrate_from_chat_id: -55 } }),
  ).toMatchObject(moved);
  expect(
    await told({ message: { ...bare, chat: old, migrate_to_chat_id: "-100123" } }),
  ).toMatchObject([{ kind: "ignored" }]);
});

test("other updates change nothing, and what is no update stops nothing", async () => {
  const bare = { message_id: 9, date: 1_700_000_000, chat };
  expect(await told({ my_chat_member: { chat } })).toEqual([
    { kind: "ignored", what: "my_chat_member" },
  ]);
  expect(await told({ message: { ...bare, new_chat_members: [ada] } })).toMatchObject([
    { kind: "ignored" },
  ]);
  for (const wrong of [
    { message: { ...bare, date: 1e15, text: "x" } },
    { message: { ...bare, chat: { id: "1" }, text: "x" } },
    { message: [] },
  ])
    expect(await told(wrong)).toMatchObject([{ kind: "unreadable" }]);
});
