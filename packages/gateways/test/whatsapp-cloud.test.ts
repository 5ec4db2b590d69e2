import { whatsappDouble, type WhatsappDouble } from "@heliograph/testkit";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { sealedConfig } from "../src/configuration.ts";
import {
  createGateway,
  parseInbound,
  readCallback,
  verifyCallback,
  type Attempt,
  type CallbackItem,
  type Gateway,
  type GatewayConfig,
  type SendResult,
} from "../src/index.ts";
import { attemptOf, configOf, signer, toolsOf } from "./support.ts";

const never = new AbortController().signal;
const channel = "whatsapp";
const address = "https://in.example/api/v1/callbacks/gtw_1/tok";
const { masterKey } = toolsOf();
let double: WhatsappDouble;
let gateway: Gateway;
beforeAll(async () => {
  double = await whatsappDouble();
  gateway = createGateway("live", configWith(), toolsOf());
});
beforeEach(() => double.behave({ type: "accept" }));
afterAll(async () => {
  await gateway.close();
  await double.close();
});

function configWith(settings: object = {}, access_token = double.accessToken): GatewayConfig {
  const all = { base_url: double.url, phone_number_id: double.phoneNumberId, ...settings };
  const config = configOf({ environment: "live", kind: "whatsapp_cloud", channel, settings: all });
  const { appSecret: app_secret, verifyToken: verify_token } = double;
  return sealedConfig(config, { access_token, app_secret, verify_token }, masterKey);
}
const send = (changes: Partial<Attempt> = {}): Promise<SendResult> =>
  gateway.send(attemptOf("+15550000001", { channel, ...changes }), never);
const last = () => double.messages.at(-1)!.body;
const templated = (variables: Record<string, string | number | boolean>, language = "en") => ({
  content: {
    text: "Hello Nayeem",
    template: { id: "tpl_1", slug: "order_confirmation", version: 3, language, variables },
  },
});

test("a text and a file are one message to the digits of the number, with our id beside it", async () => {
  expect(await send({ content: { text: "Hi <b> 👋" } })).toMatchObject({
    type: "accepted",
    providerMessageId: double.messages.at(-1)!.wamid,
    status: "accepted",
  });
  expect(last()).toEqual({
    messaging_product: "whatsapp",
    recipient_type: "individual",
    to: "15550000001",
    type: "text",
    text: { body: "Hi <b> 👋", preview_url: true },
    biz_opaque_callback_data: attemptOf("+15550000001").messageId,
  });
  for (const [type, as] of [
    ["image/jpeg", "image"],
    ["video/mp4", "video"],
    ["audio/ogg; codecs=opus", "audio"],
    ["image/svg+xml", "document"],
    ["application/pdf", "document"],
  ] as const) {
    const text = as === "audio" ? {} : { text: "Here" };
    await send({ content: text, media: [{ url: "https://m.example/1", type, name: "a.pdf" }] });
    const expected = {
      link: "https://m.example/1",
      ...(as !== "audio" && { caption: "Here" }),
      ...(as === "document" && { filename: "a.pdf" }),
    };
    expect(last()).toMatchObject({ type: as, [as]: expected });
  }
});

test("a person who shows no number is sent to and written from by the id that Meta has for him", async () => {
  const user = "US.13491208655302741918";
  const result = await gateway.send(attemptOf(user, { channel }), never);
  expect(result).toMatchObject({ type: "accepted" });
  expect(last()).toMatchObject({ recipient_type: "individual", recipient: user });
  expect(last()).not.toHaveProperty("to");
  const contacts = [{ user_id: user, profile: { name: "Ada", username: "ada" } }];
  const written = async (changes: object) => {
    const said = { ...message("m9"), from: undefined, ...changes };
    const [item] = await read(double.values(address, { messages: [said], contacts }));
    if (item?.kind !== "inbound") return item?.kind;
    const { raw, contentType, from } = item;
    const of = { raw, contentType, gateway: { name: "wa", channel } } as const;
    const { alias, profileName, ...reading } = await parseInbound("whatsapp_cloud", of);
    expect(reading.from).toBe(from);
    return [from, alias, profileName];
  };
  expect(await written({ from_user_id: user })).toEqual([user, user, "Ada"]);
  expect(await written({ from: user })).toEqual([user, undefined, "Ada"]);
  const both = { from: "4915551234", from_user_id: user };
  expect(await written(both)).toEqual(["+4915551234", user, "Ada"]);
  for (const nobody of [{}, { from_user_id: "13491208655302741918" }, { from: "ada" }])
    expect(await written(nobody), "an operator is told").toBe("unreadable");
});

test("a template goes by its name and language, its values by name or by place, in body, header and buttons", async () => {
  await send(templated({ name: "Nayeem", order_id: "TR-204821", paid: true }, "pt-BR"));
  expect(last()).toMatchObject({
    type: "template",
    template: {
      name: "order_confirmation",
      language: { code: "pt_BR" },
      components: [
        {
          type: "body",
          parameters: [
            { type: "text", parameter_name: "name", text: "Nayeem" },
            { type: "text", parameter_name: "order_id", text: "TR-204821" },
            { type: "text", parameter_name: "paid", text: "true" },
          ],
        },
      ],
    },
  });
  const eleven = Array.from({ length: 11 }, (_, n) => [String(n + 1), `v${n + 1}`]);
  await send(templated({ ...Object.fromEntries(eleven), header: "Top", button_0: "x/1" }));
  const { components } = (last() as { template: { components: { type: string }[] } }).template;
  expect(components.find(({ type }) => type === "body")).toEqual({
    type: "body",
    parameters: eleven.map(([, text]) => ({ type: "text", text })),
  });
  expect(components).toContainEqual({
    type: "header",
    parameters: [{ type: "text", text: "Top" }],
  });
  expect(components).toContainEqual({
    type: "button",
    sub_type: "url",
    index: "0",
    parameters: [{ type: "text", text: "x/1" }],
  });
  const shown = (): readonly object[] =>
    (last() as { template: { components: readonly object[] } }).template.components;
  await send(templated({ quick_reply_1: "yes", copy_code_0: "SAVE10" }));
  expect(shown()).toEqual([
    {
      type: "button",
      sub_type: "copy_code",
      index: "0",
      parameters: [{ type: "coupon_code", coupon_code: "SAVE10" }],
    },
    {
      type: "button",
      sub_type: "quick_reply",
      index: "1",
      parameters: [{ type: "payload", payload: "yes" }],
    },
  ]);
  const bill = { url: "https://m.example/b", type: "application/pdf", name: "bill.pdf" };
  await send({ ...templated({ name: "Nayeem" }), media: [bill] });
  expect(shown()[0], "a file is its header").toEqual({
    type: "header",
    parameters: [{ type: "document", document: { link: bill.url, filename: "bill.pdf" } }],
  });
  await send(templated({}));
  expect(last()).toMatchObject({
    template: { name: "order_confirmation", language: { code: "en" } },
  });
});

test("what Meta would refuse is refused before it is sent, with its path", async () => {
  const before = double.messages.length;
  for (const [attempt, why] of [
    [templated({ name: "a\nb" }), "variables.name has a line break"],
    [templated({ name: "a\tb" }), "variables.name has a line break or a tab"],
    [templated({ name: "a     b" }), "variables.name has more than four blanks"],
    [templated({ button_0: "" }), "variables.button_0 is empty"],
    [{ content: {} }, "no text"],
    [
      { content: { text: "x".repeat(1_025) }, media: [{ url: "https://m.example/1" }] },
      "1024 characters",
    ],
    [
      { content: { text: "x" }, media: [{ url: "https://m.example/1", type: "audio/ogg" }] },
      "no text beside it",
    ],
    [
      { content: {}, media: [{ url: "https://m.example/1" }, { url: "https://m.example/2" }] },
      "one file",
    ],
    [
      { ...templated({ header: "x" }), media: [{ url: "https://m.example/1" }] },
      "a text or a file",
    ],
    [
      { ...templated({}), media: [{ url: "https://m.example/1", type: "audio/ogg" }] },
      "takes no sound",
    ],
  ] as const) {
    const result = await send(attempt);
    expect(result).toMatchObject({
      type: "rejected",
      error: { code: "content_rejected", permanent: true },
    });
    expect(JSON.stringify(result)).toContain(why);
  }
  expect((await send(templated({ name: "a    b" }))).type).toBe("accepted");
  expect(double.messages).toHaveLength(before + 1);
});

test("a refusal is classed by its code, else by its status; the code is kept, and nobody's number", async () => {
  for (const [status, code, reason, permanent, throttles] of [
    [400, 131047, "session_window_closed", true],
    [404, 132001, "template_rejected", true],
    [400, 131026, "recipient_unreachable", true],
    [400, 131050, "recipient_opted_out", true],
    [400, 131056, "provider_throttled", false, "recipient"],
    [400, 131048, "provider_throttled", false, "gateway"],
    [400, 131049, "recipient_unreachable", true],
    [400, 131057, "provider_unavailable", false],
    [403, 131031, "account_not_allowed", true],
    [403, 200, "gateway_authentication_failed", false],
    [401, 190, "gateway_authentication_failed", false],
    [400, 999_999, "provider_rejected", true],
  ] as const) {
    double.behave({ type: "refuse", status, code, message: "15550000001 is not it" });
    const result = await send();
    expect(result).toMatchObject({
      ...(throttles === undefined ? { type: "rejected" } : { type: "unavailable", throttles }),
      error: { code: reason, permanent, provider: { code: String(code) } },
    });
    expect(JSON.stringify(result)).not.toContain("5550000001");
  }
  for (const [status, body] of [
    [500, '{"error":{"code":131000,"message":"Something went wrong"}}'],
    [200, "{}"],
    [200, '{"messages":[]}'],
    [200, '{"messages":[{"id":""}]}'],
  ] as const) {
    double.behave({ type: "answer", status, body });
    expect([body, (await send()).type]).toEqual([body, "uncertain"]);
  }
});

test("the check asks for the number; a base address with a version keeps it", async () => {
  await gateway.check!(never);
  for (const [config, error] of [
    [configWith({}, "wrong"), "401"],
    [configWith({ phone_number_id: "1" }), "400"],
  ] as const) {
    const other = createGateway("live", config, toolsOf());
    await expect(other.check!(never)).rejects.toThrow(error);
    await other.close();
  }
  const versioned = configWith({ base_url: `${double.url}/v25.1/` });
  const other = createGateway("live", versioned, toolsOf());
  await other.check!(never);
  await other.close();
  expect(double.requests.at(-1)!.path).toMatch(/^\/v25\.1\/106540352242922\?/);
});

const verdictOf = (request: Parameters<typeof verifyCallback>[1]) =>
  verifyCallback(configWith(), request, masterKey).verdict;
const asked = (query: Record<string, string>) =>
  verdictOf({
    method: "GET",
    url: `${address}?${new URLSearchParams(query).toString()}`,
    headers: {},
    body: Buffer.alloc(0),
  });

test("the handshake gives the challenge back to who has the token, and to nobody else", () => {
  const right = {
    "hub.mode": "subscribe",
    "hub.verify_token": double.verifyToken,
    "hub.challenge": "1158201444",
  };
  expect(asked(right)).toEqual({
    kind: "handshake",
    answer: { status: 200, contentType: "text/plain", body: "1158201444" },
  });
  for (const wrong of [
    { ...right, "hub.verify_token": "other" },
    { ...right, "hub.mode": "unsubscribe" },
    { ...right, "hub.challenge": "<script>" },
    { "hub.challenge": "1" },
  ])
    expect(asked(wrong).kind).toBe("forged");
});

test("a signature is over every byte, under the app's secret alone", () => {
  const genuine = double.signed(address, '{"a":"\\u00e4"}');
  expect(verdictOf(genuine).kind).toBe("genuine");
  const name = "x-hub-signature-256";
  const signature = genuine.headers[name];
  for (const [value, body] of [
    [signature, Buffer.from('{"a":"ä"}')],
    [signature.replace("sha256=", "sha1="), genuine.body],
    [signature.slice(0, -2), genuine.body],
    ["", genuine.body],
  ] as const)
    expect(verdictOf({ ...genuine, headers: { [name]: value }, body }).kind).toBe("forged");
});

const read = (request: ReturnType<WhatsappDouble["signed"]>): Promise<readonly CallbackItem[]> =>
  readCallback(
    { name: "wa", kind: "whatsapp_cloud", channel },
    { ...request, contentType: "application/json", receivedAt: "2026-05-23T14:22:17Z" },
    signer,
  );
const status = (id: string, word: string) => ({ id, status: word, timestamp: "1700000000" });
const message = (id: string, more: object = {}) => ({
  id,
  from: "4915551234",
  timestamp: "1700000001",
  type: "text",
  text: { body: `Text of ${id}` },
  ...more,
});

test("every entry, status and message of a post is read, and one that is wrong takes none of the others along", async () => {
  const items = await read(
    double.values(
      address,
      {
        statuses: [status("w1", "sent"), { nonsense: true }, status("w2", "read")],
        messages: [message("m1"), { id: 5 }],
        contacts: [null, { wa_id: "4915551234", profile: { name: "Ada" } }],
      },
      { statuses: [status("w3", "delivered"), status("w4", "warning")], messages: [message("m2")] },
    ),
  );
  expect(
    items.map((item) =>
      item.kind === "report"
        ? [item.report.providerMessageId, item.report.status]
        : item.kind === "inbound"
          ? item.providerMessageId
          : item.kind,
    ),
  ).toEqual([
    ["w1", "sent"],
    "unreadable",
    ["w2", "read"],
    "m1",
    "unreadable",
    ["w3", "delivered"],
    "ignored",
    "m2",
  ]);
  const [other] = await read(
    double.signed(address, {
      object: "whatsapp_business_account",
      entry: [{ changes: [{ field: "account_update", value: { event: "x" } }] }],
    }),
  );
  expect(other).toEqual({ kind: "ignored", what: "account_update" });
});

test("a failure has its code and reason, and our own id where it is ours", async () => {
  const { messageId } = attemptOf("+15550000001");
  const failed = (errors: readonly object[], data: string) =>
    read(
      double.status(address, "w1", "failed", {
        recipient_id: "15550000001",
        biz_opaque_callback_data: data,
        errors,
      }),
    );
  const details = { error_data: { details: "15550000001 is no user" } };
  const [item] = await failed([{ code: 131026, title: "Undeliverable", ...details }], messageId);
  expect(item).toMatchObject({
    report: {
      messageId,
      status: "undelivered",
      permanent: true,
      occurredAt: "2023-11-14T22:13:20.000Z",
      error: { code: "recipient_unreachable", provider: { code: "131026" } },
      diagnostic: "<recipient> is no user",
    },
  });
  // Passing for a send, final for a delivery; and without a word there is a reason all the same.
  expect(await failed([{ code: 131048 }], "somebody's")).toMatchObject([
    { report: { error: { code: "undelivered", permanent: true } } },
  ]);
  const [bare] = await failed([], "");
  expect(bare).toMatchObject({ report: { diagnostic: "the provider gave no reason" } });
  expect(bare).not.toHaveProperty("report.messageId");
});

test("what a person writes, chooses, sends and feels is read with its name and our number", async () => {
  const reading = async (more: object) => {
    const contacts = [{ wa_id: "4915551234", profile: { name: "Ada Łódź" } }];
    const [item] = await read(
      double.values(address, { messages: [message("m1", { text: undefined, ...more })], contacts }),
    );
    if (item?.kind !== "inbound") throw new Error(item?.kind);
    const { raw, contentType } = item;
    return parseInbound("whatsapp_cloud", { raw, contentType, gateway: { name: "wa", channel } });
  };
  expect(await reading({ text: { body: "Hi" } })).toEqual({
    providerMessageId: "m1",
    from: "+4915551234",
    to: "+15550100000",
    text: "Hi",
    profileName: "Ada Łódź",
    kind: "message",
    at: "2023-11-14T22:13:21.000Z",
  });
  for (const [more, text] of [
    [{ type: "button", button: { text: "Yes", payload: "Y" } }, "Yes"],
    [{ type: "interactive", interactive: { list_reply: { id: "1", title: "Blue" } } }, "Blue"],
    [{ type: "image", image: { id: "1", caption: "Look" } }, "[image] Look"],
    [{ type: "document", document: { id: "1", filename: "bill.pdf" } }, "[bill.pdf]"],
    [{ type: "location", location: { latitude: 1, longitude: 2 } }, "[location]"],
    [{ type: "something_new" }, "[something_new]"],
  ] as const)
    expect((await reading(more)).text).toBe(text);
  const bill = { id: "77", filename: "bill.pdf", mime_type: "application/pdf" };
  expect((await reading({ type: "document", document: bill })).files).toEqual([
    { file: "77", name: "bill.pdf", type: "application/pdf" },
  ]);
  expect(
    await reading({ type: "reaction", reaction: { message_id: "w1", emoji: "👍" } }),
  ).toMatchObject({
    kind: "reaction",
    about: "w1",
    text: "👍",
  });
});
