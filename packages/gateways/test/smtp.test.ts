import { createHash, createVerify, generateKeyPairSync } from "node:crypto";
import { masterKeyOf } from "@heliograph/contracts";
import { freePort, smtpSink, until, type SmtpSink } from "@heliograph/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  configured,
  createGateway,
  providerIdKeys,
  readUnsubscribeToken,
  type Attempt,
  type Gateway,
} from "../src/index.ts";
import { mailIdOf } from "../src/smtp/mail-id.ts";
import { serverIdIn } from "../src/smtp/server-ids.ts";
import { attemptOf, configOf, toolsOf } from "./support.ts";

const never = new AbortController().signal;
const open: Gateway[] = [];
let sink: SmtpSink;
beforeEach(async () => {
  sink = await smtpSink();
});
afterEach(async () => {
  for (const gateway of open.splice(0)) await gateway.close();
  await sink.close();
});

function gatewayTo(port: number, from: string | null = "Shop <shop@shop.example>"): Gateway {
  const config = configOf({
    environment: "live",
    kind: "smtp",
    channel: "email",
    settings: { url: `smtp://127.0.0.1:${port}`, ...(from === null ? {} : { from }) },
  });
  const gateway = createGateway("live", config, toolsOf());
  open.push(gateway);
  return gateway;
}
const send = (changes: Partial<Attempt> = {}, to = "ada@example.com") =>
  gatewayTo(sink.port).send(
    attemptOf(to, { content: { subject: "Your order", text: "Hello\n.\nAda" }, ...changes }),
    never,
  );

test("text and HTML go as alternatives, from the default sender, with the attempt's id as Message-ID", async () => {
  const result = await send({
    content: { subject: "Bestätigung", text: "Grüezi", html: "<p>Grüezi</p>" },
  });
  const attempt = attemptOf("ada@example.com");
  expect(result).toMatchObject({
    type: "accepted",
    providerMessageId: mailIdOf(toolsOf().masterKey, attempt, "shop.example"),
  });
  const [mail] = sink.messages;
  expect(mail).toMatchObject({ from: "shop@shop.example", to: ["ada@example.com"] });
  expect(mail!.raw).toMatch(/^From: Shop <shop@shop\.example>/m);
  expect(mail!.raw).toMatch(/^Message-ID:\s+<m-[a-z0-9]{26}-1-[0-9a-f]{20}@shop/m);
  expect(mail!.raw).toMatch(/multipart\/alternative/);
  expect(mail!.raw).toMatch(/text\/plain/);
  expect(mail!.raw).toMatch(/text\/html/);
});

test("the same attempt sent again has the same Message-ID, the next attempt another", async () => {
  await send();
  await send();
  await send({ attempt: 2 });
  const ids = sink.messages.map(({ raw }) => /^Message-ID:\s+(.*)$/m.exec(raw)![1]);
  expect(new Set(ids).size).toBe(2);
  expect(ids[0]).toBe(ids[1]);
});

test("nothing that a partner writes can add a header or a recipient", async () => {
  await send({
    from: '"Eve\r\nBcc: all@example.com" <eve@example.com>',
    content: { subject: "Hi\r\nBcc: all@example.com\r\n\r\nbody", text: "x" },
  });
  expect(sink.messages[0]).toMatchObject({ from: "eve@example.com", to: ["ada@example.com"] });
  expect(sink.messages[0]!.raw).not.toMatch(/^Bcc:/m);
  for (const to of [
    "a@example.com, b@example.com",
    "a@example.com\r\nRCPT TO:<b@example.com>",
    "A <a@example.com>",
    "a@exa mple.com",
    "nobody",
  ])
    expect(await send({}, to)).toMatchObject({
      type: "rejected",
      error: { code: "invalid_recipient", permanent: true },
    });
  expect(sink.messages).toHaveLength(1);
});

test("a mail names where answers go and how to unsubscribe, in one form and in ASCII", async () => {
  const header = (name: string) =>
    new RegExp(`^${name}:\\s+(.*(?:\r?\n[ \\t].*)*)`, "m")
      .exec(sink.messages.at(-1)!.raw)?.[1]
      ?.replaceAll(/\r?\n[ \t]/g, " ");
  await send({ from: "me@münchen.example", replyTo: '"Help, please" <help@shop.example>' });
  expect(header("From")).toBe("me@xn--mnchen-3ya.example");
  expect(header("Message-ID")).toMatch(/@xn--mnchen-3ya\.example>$/);
  expect(header("Reply-To")).toBe('"Help, please" <help@shop.example>');
  expect(header("List-Unsubscribe")).toBeUndefined();
  await send({ category: "marketing" });
  const { messageId } = attemptOf("ada@example.com");
  const [, own, named] =
    /^<(https:[^>]+)>, <mailto:shop@shop\.example\?subject=unsubscribe%20([^>]+)>$/.exec(
      header("List-Unsubscribe")!,
    )!;
  const token = own!.replace("https://api.example.com/api/v1/unsubscribe/", "");
  expect(named, "a mail is believed by what its subject names").toBe(token);
  expect(readUnsubscribeToken(toolsOf().masterKey, token)).toEqual({
    environment: "live",
    messageId,
  });
  const next = Buffer.alloc(32, 8);
  const both = masterKeyOf(next, toolsOf().masterKey);
  expect(readUnsubscribeToken(both, token), "while the key is rotated").toMatchObject({
    messageId,
  });
  expect(readUnsubscribeToken(next, token)).toBeUndefined();
  const other = token.at(1) === "0" ? "1" : "0";
  for (const forged of [
    token.replace(/^l/, "s"),
    `l${other}${token.slice(2)}`,
    token.slice(0, -1),
    "",
  ])
    expect(readUnsubscribeToken(toolsOf().masterKey, forged)).toBeUndefined();
  expect(header("List-Unsubscribe-Post")).toBe("List-Unsubscribe=One-Click");
  const unsubscribeUrl = `https://shop.example/u?${"x".repeat(800)}`;
  await send({ category: "marketing", replyTo: "a+b@shop.example", unsubscribeUrl });
  expect(header("List-Unsubscribe")).toBe(
    `<${unsubscribeUrl}>, <mailto:a%2Bb@shop.example?subject=unsubscribe%20${token}>`,
  );
  expect(header("List-Unsubscribe-Post")).toBe("List-Unsubscribe=One-Click");
  expect(header("Auto-Submitted"), "a partner's mail is written by the partner").toBeUndefined();
  await send({ inReplyTo: "<first@mail.example>" });
  expect(header("In-Reply-To")).toBe("<first@mail.example>");
  expect(header("References")).toBe("<first@mail.example>");
  const chain = Array.from({ length: 20 }, (_, index) => `<${index}.${"x".repeat(40)}@m.example>`);
  const last = "<last@mail.example>";
  await send({ inReplyTo: last, references: [...chain, last] });
  expect(header("References")?.split(/\s+/), "the chain, folded").toEqual([...chain, last]);
  const folded = sink.messages.at(-1)!.raw.split("\r\n");
  expect(Math.max(...folded.map(({ length }) => length))).toBeLessThan(998);
  await send({ references: chain });
  expect(header("References"), "what answers nothing refers to nothing").toBeUndefined();
  await send({ inReplyTo: "<first@mail.example>\r\nBcc: x@y.example" });
  expect(header("Bcc"), "no header of whoever wrote it").toBeUndefined();
  await send({ automatic: true });
  expect(header("Auto-Submitted"), "so that no machine answers it (RFC 3834)").toBe("auto-replied");
});

test("an address that a send accepts is one that SMTP takes", async () => {
  const label = "b".repeat(61);
  const longest = `a@${label}.${label}.${label}.com`;
  expect(await send({ from: longest }, longest)).toMatchObject({ type: "accepted" });
  expect(sink.messages[0]).toMatchObject({ from: longest, to: [longest] });
});

test.each([
  [
    "recipient 4xx",
    { type: "reject-recipient", code: 451 },
    { code: "recipient_deferred", class: "recipient", permanent: false },
  ],
  [
    "recipient 5xx",
    { type: "reject-recipient", code: 550 },
    { code: "recipient_rejected", class: "recipient", permanent: true },
  ],
  [
    "content 4xx",
    { type: "reject-data", code: 451 },
    { code: "content_deferred", class: "content", permanent: false },
  ],
  [
    "content 5xx",
    { type: "reject-data", code: 554 },
    { code: "content_rejected", class: "content", permanent: true },
  ],
  [
    "421 greeting",
    { type: "busy" },
    { code: "provider_unavailable", class: "provider", permanent: false },
  ],
] as const)("a reply decides what failed and whether for good: %s", async (_, behaviour, error) => {
  sink.behave(behaviour);
  const result = await send();
  expect(result).toMatchObject({ type: "rejected", error });
  expect(
    (result as { error: { provider: { text: string } } }).error.provider.text.length,
  ).toBeGreaterThan(0);
});

test("a connection lost after the content is uncertain, and the pool does not repeat the message", async () => {
  sink.behave({ type: "close-before-reply" });
  expect(await send()).toEqual({ type: "uncertain", cause: "connection_lost" });
  sink.behave({ type: "accept" });
  expect((await send({}, "bob@example.com")).type).toBe("accepted");
  expect(sink.messages.map(({ to }) => to[0])).toEqual(["ada@example.com", "bob@example.com"]);
});

test.each([
  { type: "reject-recipient", code: 450, text: "4.2.0 Greylisted, see postgrey.schweikert.ch" },
  { type: "reject-recipient", code: 451, text: "4.7.1 Please try again later" },
  { type: "reject-data", code: 451, text: "Grey-listing in action" },
] as const)("a server that greylists is told from one that fails: $text", async (behaviour) => {
  sink.behave(behaviour);
  expect(await send()).toMatchObject({
    type: "rejected",
    error: { code: "greylisted", class: "recipient", permanent: false },
  });
});

test("without a connection there was no attempt", async () => {
  const result = await gatewayTo(await freePort()).send(attemptOf("ada@example.com"), never);
  expect(result).toMatchObject({
    type: "unavailable",
    error: { code: "gateway_unreachable", class: "gateway", permanent: false },
  });
});

test("a server that hangs up at a recipient was tried, or its message would come back for ever", async () => {
  sink.behave({ type: "hang-up-at-recipient" });
  expect(await send()).toMatchObject({
    type: "rejected",
    error: { code: "gateway_unreachable", class: "gateway", permanent: false },
  });
});

test("giving up after the content was sent is uncertain; before, it is a timeout and nothing is sent later", async () => {
  sink.behave({ type: "accept", delayMs: 3_000 });
  const caller = new AbortController();
  const late = gatewayTo(sink.port).send(attemptOf("ada@example.com"), caller.signal);
  await until(() => sink.messages.length === 1);
  caller.abort();
  expect(await late).toEqual({ type: "uncertain", cause: "timeout" });
  const aborted = AbortSignal.abort();
  expect(await gatewayTo(sink.port).send(attemptOf("bob@example.com"), aborted)).toMatchObject({
    type: "rejected",
    error: { code: "gateway_timeout" },
  });
  expect(sink.messages).toHaveLength(1);
});

test("one connection carries many messages", async () => {
  const gateway = gatewayTo(sink.port);
  for (let index = 0; index < 20; index++)
    await gateway.send(attemptOf(`user${index}@example.com`), never);
  expect(sink.messages).toHaveLength(20);
});

/** As a mail program reads it: unfolded (RFC 5322 §2.2.3), encoded words decoded and what is between them dropped (RFC 2047 §6.2). */
function subjectOf(raw: string): string {
  const [, value] = /^Subject:((?:[^\r]|\r\n[ \t])*)/m.exec(raw)!;
  return value!
    .replaceAll(/\r\n(?=[ \t])/g, "")
    .trim()
    .replaceAll(/(\?=)\s+(?==\?)/g, "$1")
    .replaceAll(/=\?UTF-8\?([BQ])\?([^?]*)\?=/gi, (_, kind: string, text: string) =>
      kind.toUpperCase() === "B"
        ? `<${Buffer.from(text, "base64").toString("hex")}>`
        : `<${Buffer.from(
            text
              .replaceAll("_", " ")
              .replaceAll(/=([0-9A-F]{2})/g, (__, hex: string) =>
                String.fromCharCode(Number.parseInt(hex, 16)),
              ),
            "latin1",
          ).toString("hex")}>`,
    )
    .replaceAll("><", "")
    .replaceAll(/<([0-9a-f]+)>/g, (_, hex: string) => Buffer.from(hex, "hex").toString("utf8"));
}

test.each([
  ["one word of 998", { subject: "x".repeat(998) }],
  ["words, one of them long", { subject: `Your order ${"y".repeat(950)} is here` }],
  ["998 letters beyond ASCII", { subject: "é".repeat(998) }],
  ["a text and a page on one line each", { text: "x".repeat(5_000), html: "y".repeat(5_000) }],
])("no line is over 998 octets, and the subject is what was written: %s", async (_, content) => {
  await send({
    from: `"${"N".repeat(128)}" <shop@shop.example>`,
    category: "marketing",
    unsubscribeUrl: `https://shop.example/${"u".repeat(870)}`,
    content: { subject: "Your order", text: "Hello", ...content },
  });
  const { raw } = sink.messages[0]!;
  for (const line of raw.split("\r\n")) expect(Buffer.byteLength(line)).toBeLessThanOrEqual(998);
  expect(subjectOf(raw)).toBe("subject" in content ? content.subject : "Your order");
});

test("where no sender is configured a mail is from the server itself, in the form that a mailbox takes", async () => {
  await gatewayTo(sink.port, null).send(attemptOf("ada@example.com"), never);
  const [mail] = sink.messages;
  expect(mail!.from).toBe("no-reply@[127.0.0.1]");
  expect(mail!.raw).toMatch(/^From: <no-reply@\[127\.0\.0\.1\]>\r$/m);
  expect(mail!.raw).toMatch(/^Message-ID:\s+<m-[0-9a-z]{26}-1-[0-9a-f]{20}@\[127\.0\.0\.1\]>\r$/m);
});

test("answers go to the gateway's address where the message names none", async () => {
  const config = configOf({
    environment: "live",
    kind: "smtp",
    channel: "email",
    settings: {
      url: `smtp://127.0.0.1:${sink.port}`,
      from: "shop@shop.example",
      reply_to: "Help <help@shop.example>",
    },
  });
  const gateway = createGateway("live", config, toolsOf());
  open.push(gateway);
  await gateway.send(attemptOf("ada@example.com"), never);
  await gateway.send(attemptOf("ada@example.com", { replyTo: "own@shop.example" }), never);
  expect(sink.messages.map(({ raw }) => /^Reply-To: (.*)$/m.exec(raw)![1])).toEqual([
    "Help <help@shop.example>",
    "own@shop.example",
  ]);
});

/** RFC 6376 §3.4, relaxed headers and body, by nobody's library. */
function isSigned(raw: string, publicKey: string): { fields: readonly string[]; ok: boolean } {
  const end = raw.indexOf("\r\n\r\n");
  const headers = raw.slice(0, end).split(/\r\n(?![ \t])/);
  const relaxed = (header: string): string => {
    const colon = header.indexOf(":");
    const value = header.slice(colon + 1).replaceAll(/\r\n/g, "");
    return `${header.slice(0, colon).trim().toLowerCase()}:${value.replaceAll(/[ \t]+/g, " ").trim()}`;
  };
  const own = headers.find((header) => /^dkim-signature:/i.test(header))!;
  const tags = new Map(
    relaxed(own)
      .slice("dkim-signature:".length)
      .split(";")
      .map((tag) => [
        tag.split("=")[0]!.trim(),
        tag.slice(tag.indexOf("=") + 1).replaceAll(" ", ""),
      ]),
  );
  const lines = raw
    .slice(end + 4)
    .replaceAll(/[ \t]+(?=\r\n)/g, "")
    .replaceAll(/[ \t]+/g, " ");
  const body = `${lines.replace(/(?:\r\n)+$/, "")}\r\n`;
  const bodyHash = createHash("sha256").update(body).digest("base64");
  const fields = tags.get("h")!.split(":");
  const left = [...headers];
  const signed = fields.flatMap((field) => {
    const at = left.findLastIndex((header) =>
      relaxed(header).startsWith(`${field.toLowerCase()}:`),
    );
    return at < 0 ? [] : left.splice(at, 1).map(relaxed);
  });
  const unsigned = relaxed(own).replace(/(; ?b=)[^;]*/, "$1");
  const verify = createVerify("sha256").update([...signed, unsigned].join("\r\n"));
  const ok = verify.verify(publicKey, tags.get("b")!, "base64");
  return {
    fields: fields.map((field) => field.toLowerCase()),
    ok: ok && bodyHash === tags.get("bh"),
  };
}

test("a signature covers what unsubscribes, however the lines of a text end, and one that lacks its key is refused", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const config = configOf({
    environment: "live",
    kind: "smtp",
    channel: "email",
    settings: {
      url: `smtp://127.0.0.1:${sink.port}`,
      from: "shop@shop.example",
      return_path_domain: "bounces.shop.example",
      dkim: { domain: "shop.example", selector: "h1" },
    },
  });
  const { masterKey } = toolsOf();
  const sealed = configured(config, { dkim_private_key: privateKey }, masterKey);
  expect(JSON.stringify(sealed)).not.toContain("PRIVATE KEY");
  const gateway = createGateway("live", sealed, toolsOf());
  open.push(gateway);
  const html = `<p>a\rb\nc\r\n.\r\n.d  \r\nGrüße</p>${"x".repeat(4_000)}`;
  const content = { subject: "Sale", text: "a\rb\n.\nc ", html };
  await gateway.send(attemptOf("ada@example.com", { category: "marketing", content }), never);
  await gateway.send(attemptOf("ada@example.com", { automatic: true }), never);
  const [mail, automatic] = sink.messages;
  const { fields, ok } = isSigned(mail!.raw, publicKey);
  expect(fields).toEqual(
    expect.arrayContaining(["list-unsubscribe", "list-unsubscribe-post", "from"]),
  );
  expect(ok).toBe(true);
  const touched = mail!.raw.replace("List-Unsubscribe=One-Click", "List-Unsubscribe=Two-Click");
  expect(isSigned(touched, publicKey).ok).toBe(false);
  expect(mail!.from).toMatch(/^b-[0-9a-z]{26}-1-[0-9a-f]{20}@bounces\.shop\.example$/);
  expect(mail!.raw).toMatch(
    /^Message-ID:\s+<m-[0-9a-z]{26}-1-[0-9a-f]{20}@bounces\.shop\.example>/m,
  );
  expect(automatic!.from, "nobody is to answer what a machine wrote").toBe("");
  expect(() => configured(config, {}, masterKey)).toThrow("secrets.dkim_private_key: is required");
  expect(() => configured(config, { dkim_private_key: "x" }, masterKey)).toThrow(
    "private key in PEM",
  );
  const bare = { ...config, settings: { url: "smtp://a.example" } };
  expect(() => configured(bare, { dkim_private_key: privateKey }, masterKey)).toThrow(
    "settings.dkim: is required",
  );
});

test("a mail that its server gives a name of its own is found by that as well, which is what its recipient answers", async () => {
  const ses = "0102018f1a2b3c4d-5e6f7a8b-9c0d-1e2f-3a4b-5c6d7e8f9a0b-000000";
  const outlook = "<a1@AS8PR01MB0001.eurprd01.prod.outlook.com>";
  expect(serverIdIn(`250 Ok ${ses}`)).toBe(ses);
  expect(serverIdIn(`250 2.0.0 OK ${outlook} [Hostname=x]`)).toBe(outlook);
  expect(serverIdIn("250 Ok queued as 4XyZ")).toBeUndefined();
  sink.behave({ type: "accept", says: `Ok ${ses}` });
  const result = await send();
  sink.behave({ type: "accept" });
  const own = mailIdOf(toolsOf().masterKey, attemptOf("ada@example.com"), "shop.example");
  expect(result).toMatchObject({
    type: "accepted",
    providerMessageId: own,
    serverMessageId: ses,
  });
  const gateway = { kind: "smtp", settings: {} } as const;
  expect(providerIdKeys(gateway, own)).toEqual([own]);
  for (const domain of ["eu-west-1.amazonses.com", "email.amazonses.com"])
    expect(providerIdKeys(gateway, `<${ses}@${domain}>`), domain).toEqual([ses]);
  const other = `<${ses}@amazonses.com.evil.example>`;
  expect(providerIdKeys(gateway, other)).toEqual([other]);
});
