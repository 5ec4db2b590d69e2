import { generateKeyPairSync, sign } from "node:crypto";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { newId, streamOf } from "@heliograph/contracts";
import { refoldCallbacks } from "@heliograph/delivery";
import { checkpointOf } from "@heliograph/runtime";
import { attemptIdOf, callbackUrl, unsubscribeToken } from "@heliograph/gateways";
import { until } from "@heliograph/testkit";
import { createTransport } from "nodemailer";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openMailListener, type MailListener } from "../src/mail/listener.ts";
import { openRates } from "../src/mail/rates.ts";
import { mailsOfOne, maxAtOnce, maxConnectionsOfOne } from "../src/mail/limits.ts";
import { domain, openMailWorld } from "./mail-world.ts";
import { tryFiles } from "./mail-files.ts";
import { expectKnown, oddWriters } from "./odd-writers.ts";
import { expectSharedTopic, postSes } from "./ses-topic.ts";
import { begun, deliverTo, report, talk } from "./servers.ts";

vi.setConfig({ testTimeout: 30_000 });

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
let setting: Awaited<ReturnType<typeof openMailWorld>>;
let { world, certificate, port, gateway, other, sentTo } = {} as typeof setting;

beforeAll(async () => {
  setting = await openMailWorld(publicKey);
  ({ world, certificate, port, gateway, other, sentTo } = setting);
}, 60_000);
afterAll(() => setting.close());

const live = () => world.platform.contexts.live;
const me = (): string => world.partners[0]!.id;
const deliver = (
  envelope: Parameters<typeof deliverTo>[1],
  raw: Parameters<typeof deliverTo>[2],
  at = port,
): Promise<string> => deliverTo(at, envelope, raw);
const callbacks = async () =>
  (await live().log.readAll({ after: 0n, limit: 1_000, types: ["CallbackReceived"] })).events;

test("mail that came back makes its message bounced and keeps others from its recipient, however often it is delivered", async () => {
  const one = await sentTo("gone@example.com");
  expect(one.returnPath).toMatch(new RegExp(`^b-[a-z0-9-]+@${domain}$`));
  const raw = report("5.1.1", "");
  // Before its end a server says only that it keeps trying.
  expect(await deliver({ from: "", to: one.returnPath }, report("4.4.7", "", "delayed"))).toMatch(
    /^250/,
  );
  for (let times = 0; times < 2; times++)
    expect(await deliver({ from: "", to: one.returnPath.toUpperCase() }, raw)).toMatch(/^250/);
  await until(async () => (await one.periods()).length > 0);
  expect(await one.state()).toMatchObject({
    status: "bounced",
    error: { code: "recipient_rejected" },
  });
  expect((await one.periods()).map(({ data }) => data)).toMatchObject([{ reason: "bounce" }]);
  const receipts = await live().log.readStream(streamOf("receipts", one.messageId));
  expect(receipts.map(({ data }) => data)).toMatchObject([
    { status: "bounced", provider_message_id: one.mailId },
  ]);
  const stored = await callbacks();
  expect(stored).toHaveLength(2);
  const kept = JSON.stringify(stored.map(({ data }) => data)).toLowerCase();
  for (const readable of ["mailer-daemon", one.returnPath.slice(0, 28)])
    expect(kept, "sealed").not.toContain(readable);
});

test("a full mailbox bounces its message alone, and a complaint that names the return path stops what follows", async () => {
  const full = await sentTo("full@example.com");
  await deliver({ from: "", to: full.returnPath }, report("5.2.2", ""));
  const unwanted = await sentTo("cross@example.com");
  const complaintOf = (headers: string): string =>
    [
      "From: fbl@mailbox.example",
      'Content-Type: multipart/report; report-type=feedback-report; boundary="b"',
      "",
      "--b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse",
      `--b\r\nContent-Type: message/rfc822\r\n\r\n${headers}\r\n\r\nHello`,
      "--b--",
    ].join("\r\n");
  // What every answer quotes is not enough.
  for (const headers of [`Message-ID: ${full.mailId}`, `Return-Path: <${unwanted.returnPath}>`])
    expect(
      await deliver({ from: "fbl@mailbox.example", to: `fbl@${domain}` }, complaintOf(headers)),
    ).toMatch(/^250/);
  await until(async () => (await unwanted.periods()).length > 0);
  expect((await unwanted.periods()).map(({ data }) => data)).toMatchObject([
    { reason: "complaint" },
  ]);
  expect((await unwanted.state()).status).toBe("sent");
  expect(await full.state()).toMatchObject({ status: "bounced", error: { code: "mailbox_full" } });
  expect(await full.periods()).toEqual([]);
});

test("a report finds its message at whichever of the gateways that share an address it was sent by, and one on a mail that never was takes no place among those that wait", async () => {
  const one = await sentTo("second@example.com", other);
  const never = `<${attemptIdOf(newId("msg"), 1)}@shop.example>`;
  // Of another program's mail, by what SES calls it.
  await postSes(live(), gateway, { eventType: "Delivery", mail: { messageId: "0102018f-ses" } });
  for (const mailId of [never, one.mailId])
    await deliver({ from: "", to: "shop@shop.example" }, report("5.1.1", mailId));
  await until(async () => (await one.state()).status === "bounced");
  const receipts = await live().log.readStream(streamOf("receipts", one.messageId));
  expect(receipts.map(({ data }) => data)).toMatchObject([{ gateway: "mail-2" }]);
  const types = ["ReceiptUnmatched"] as const;
  expect((await live().log.readAll({ after: 0n, limit: 9, types })).events).toEqual([]);
});

test("what SES tells of a mail finds it by whichever gateway of its topic it comes, and counts once", () =>
  expectSharedTopic(setting));

test("events of the provider that passes mail on say the same as mail that comes back, and what it did not sign says nothing", async () => {
  const gone = await sentTo("gone-2@example.com");
  const cross = await sentTo("cross-2@example.com");
  const { masterKey } = world.platform;
  const address = callbackUrl("", masterKey, gateway.gateway_id);
  const post = (events: readonly unknown[], signedBy = privateKey) => {
    const body = JSON.stringify(events);
    const at = String(Math.floor(Date.now() / 1_000));
    return world.call("POST", address, {
      body: events,
      headers: {
        "x-twilio-email-event-webhook-signature": sign(
          "sha256",
          Buffer.from(at + body),
          signedBy,
        ).toString("base64"),
        "x-twilio-email-event-webhook-timestamp": at,
      },
    });
  };
  const at = { timestamp: Math.floor(Date.now() / 1_000), email: "x@example.com" };
  const bounce = { event: "bounce", type: "bounce", status: "5.1.1", "smtp-id": gone.mailId };
  const complaint = { event: "spamreport", "smtp-id": cross.mailId.slice(1, -1) };
  const events = [{ ...at, ...complaint }, 7, { ...at, ...bounce }];
  const before = (await callbacks()).length;
  const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  expect((await post(events, other)).status).toBe(401);
  expect(await callbacks(), "nothing is kept of a forged one").toHaveLength(before);
  for (let times = 0; times < 2; times++) expect((await post(events)).status).toBe(200);
  expect(await callbacks()).toHaveLength(before + 1);
  await until(async () => (await gone.periods()).length > 0 && (await cross.periods()).length > 0);
  expect(await gone.state()).toMatchObject({
    status: "bounced",
    error: { code: "recipient_rejected" },
  });
  const reasons = [...(await gone.periods()), ...(await cross.periods())].map(({ data }) => data);
  expect(reasons).toMatchObject([{ reason: "bounce" }, { reason: "complaint" }]);
});

test("what a person answers stands in the conversation of its address, and what a machine answers nowhere", async () => {
  const one = await sentTo("ada@example.com");
  const written = (id: string, text: string, more: readonly string[] = []) =>
    [
      "From: Ada <ada@example.com>",
      `Message-ID: <${id}@example.com>`,
      `In-Reply-To: ${one.mailId}`,
      ...more,
      "",
      text,
    ].join("\r\n");
  const toHelp = { from: "ada@example.com", to: "HELP@shop.example" };
  await deliver(toHelp, written("away", "I am away", ["Auto-Submitted: auto-replied"]));
  await deliver(toHelp, written("one", "Where is it?"));
  await deliver(toHelp, written("two", "And when?", ["References: <one@example.com>"]));
  const received = async () =>
    (await live().log.readAll({ after: 0n, limit: 100, types: ["MessageReceived"] })).events;
  const events = await until(async () => {
    const all = await received();
    return all.length >= 2 ? all : undefined;
  });
  const open = await live().vault.open(me(), ...events.map(({ data }) => data));
  expect(events.map(({ data }) => open(data))).toMatchObject([
    {
      from: "ada@example.com",
      to: "help@shop.example",
      text: "Where is it?",
      references: [one.mailId],
    },
    { text: "And when?", references: ["<one@example.com>"] },
  ]);
  expect(new Set(events.map(({ data }) => data.conversation_id)).size).toBe(1);
  const opened = await live().log.readAll({ after: 0n, limit: 9, types: ["ConversationOpened"] });
  expect(opened.events).toHaveLength(1);
});

test("STOP stops who wrote it, which an answer to a mail of ours shows; what is forged is shown as such, and stops and answers nobody", async () => {
  const one = await sentTo("bea@example.com");
  const other = await sentTo("cleo@example.com");
  const says = (id: string, text: string, more: readonly string[] = [], subject = "Hi") =>
    deliver(
      { from: "bea@example.com", to: "help@shop.example" },
      [
        "From: bea@example.com",
        `Message-ID: <${id}@example.com>`,
        `Subject: ${subject}`,
        ...more,
        "",
        text,
      ].join("\r\n"),
    );
  const received = async () => {
    const { events } = await live().log.readAll({
      after: 0n,
      limit: 100,
      types: ["MessageReceived"],
    });
    return events.filter(({ data }) => /^<(?:forged|real)-/.test(data.provider.message_id));
  };
  const answered = async () => {
    const types = ["MessageRequested"] as const;
    const { events } = await live().log.readAll({ after: 0n, limit: 1_000, types });
    return events.filter(({ data }) => data.keyword !== undefined);
  };
  // By nothing but its From; by a mail that went to somebody else; by what was made up, in the form of before too.
  const attemptId = attemptIdOf(one.messageId, 1);
  await says("forged-1", "STOP");
  await says("forged-2", "STOP", [`In-Reply-To: ${other.mailId}`]);
  await says("forged-3", "STOP", [`References: <${attemptId}@${domain}> <x@example.com>`]);
  await says("forged-4", "HELP");
  await says("forged-5", "unsubscribe", [], "unsubscribe");
  await says("real-1", "STOP", [`References: <x@example.com> ${one.mailId}`]);
  await until(async () => (await one.periods()).length > 0);
  const periods = await one.periods();
  const events = await received();
  expect(events.map(({ data }) => data.unverified === true)).toEqual([
    true,
    true,
    true,
    true,
    true,
    false,
  ]);
  expect(periods.map(({ data }) => data)).toMatchObject([
    { reason: "keyword", evidence: { message_id: events.at(-1)!.data.message_id } },
  ]);
  expect(await other.periods(), "nor whom the answered mail went to").toEqual([]);
  expect(
    (await answered()).filter(({ data }) => data.keyword === "help"),
    "a forged sender gets no mail of ours",
  ).toEqual([]);
  const shown = await world.call(
    "GET",
    `/api/v1/conversations/${events[0]!.data.conversation_id}/messages`,
    { key: await world.addKey(me(), { environment: "live" }) },
  );
  const said: { direction: string; unverified?: boolean }[] = shown.body.data;
  const marks = said.flatMap(({ direction, unverified = false }) =>
    direction === "inbound" ? [unverified] : [],
  );
  expect(marks).toEqual([true, true, true, true, true, false]);
});

test("STOP in answer to a mail whose server was lost before it said whether it took it stops its recipient", async () => {
  const one = await sentTo("eli@example.com", gateway, "lost");
  await deliver(
    { from: "eli@example.com", to: "help@shop.example" },
    `From: eli@example.com\r\nMessage-ID: <l1@x.example>\r\nIn-Reply-To: ${one.mailId}\r\n\r\nSTOP`,
  );
  await until(async () => (await one.periods()).length > 0);
  expect((await one.periods()).map(({ data }) => data)).toMatchObject([{ reason: "keyword" }]);
});

test("a mail that unsubscribes as a mail of ours says how stops advertising to whom that went, whoever it is from", async () => {
  const one = await sentTo("dee@example.com");
  const { masterKey } = world.platform;
  const { messageId } = one;
  const token = unsubscribeToken(masterKey, { environment: "live", messageId });
  for (let times = 0; times < 2; times++)
    await deliver(
      { from: "forwarded@else.example", to: "shop@shop.example" },
      `From: forwarded@else.example\r\nMessage-ID: <u${times}@x.example>\r\nSubject: unsubscribe ${token}\r\n\r\n.`,
    );
  await until(async () => (await one.periods()).length > 0);
  expect((await one.periods()).map(({ data }) => data)).toMatchObject([
    { reason: "unsubscribe", applies_to: "marketing", evidence: { message_id: messageId } },
  ]);
});

test("only who is here gets mail: strangers are refused at the envelope, and who tries on is put down", async () => {
  const before = (await callbacks()).length;
  for (const to of [
    "nobody@shop.example",
    "ada@example.com",
    `b-${"0".repeat(26)}-1-${"0".repeat(20)}@${domain}`,
  ])
    expect(await deliver({ from: "", to }, "Subject: x\r\n\r\nx")).toMatch(/^550/);
  const tries = Array.from({ length: 12 }, (_, at) => `RCPT TO:<try${at}@shop.example>`);
  const answers = await talk(port, ["EHLO x.example", "MAIL FROM:<>", ...tries]);
  expect(answers.slice(3)).toEqual([...Array.from({ length: 9 }, () => "550"), "421"]);
  const auth = await talk(port, ["EHLO x.example", "AUTH PLAIN AGEAYg=="]);
  expect(auth.at(-1)).toMatch(/^5/);
  expect((await callbacks()).length).toBe(before);
});

test("who sends slowly keeps nobody's mail out, one address has so many connections, and mail to the postmaster is taken without a domain", async () => {
  const slow = await Promise.all([
    ...Array.from({ length: maxConnectionsOfOne }, () => begun(port, "127.0.0.2")),
    ...Array.from({ length: maxAtOnce - maxConnectionsOfOne }, () => begun(port, "127.0.0.3")),
  ]);
  try {
    expect(new Set(slow.map(({ answer }) => answer))).toEqual(new Set(["354"]));
    const more = await begun(port, "127.0.0.2");
    expect(more.answer).toBe("421");
    more.socket.destroy();
    const to = "help@shop.example";
    expect(await deliver({ from: "", to }, "Subject: x\r\n\r\nx")).toMatch(/^250/);
  } finally {
    for (const { socket } of slow) socket.destroy();
  }
});

test("history that is read again after a rotation of the master key, by the new key alone, takes nothing back", async () => {
  const { environment, log, pool, vault, directory } = live();
  const head = await log.head();
  await until(async () => (await checkpointOf(pool, "provider_callbacks")) >= head);
  const sums = await refoldCallbacks(
    { environment, log, pool, vault, directory, masterKey: Buffer.alloc(32, 9) },
    {
      gateway: undefined,
      after: 0n,
      to: undefined,
      dryRun: true,
      signal: AbortSignal.timeout(20_000),
      onProgress: () => undefined,
      onCorrection: () => undefined,
    },
  );
  expect(sums).toMatchObject({ receipts: 0, corrected: 0, erased: 0 });
  expect(sums.callbacks).toBeGreaterThan(10);
});

test("a size that is too much is refused before it comes, and of much the beginning is kept", async () => {
  const one = await sentTo("big@example.com");
  const size = await talk(port, ["EHLO x.example", "MAIL FROM:<> SIZE=30000000"]);
  expect(size.at(-1)).toBe("552");
  const before = (await callbacks()).length;
  const raw = `${report("5.1.1", "")}${"x".repeat(70)}\r\n`.concat(
    `${"y".repeat(70)}\r\n`.repeat(20_000),
  );
  expect(await deliver({ from: "", to: one.returnPath }, raw)).toMatch(/^250/);
  const stored = (await callbacks()).at(-1)!;
  expect((await callbacks()).length).toBe(before + 1);
  const { raw: kept, headers } = (await live().vault.open(undefined, stored.data))(stored.data);
  expect(kept.length).toBe(500_000);
  expect(JSON.parse(headers)).toMatchObject({ bytes: expect.stringMatching(/^14\d{5}$/) });
  await until(async () => (await one.state()).status === "bounced");
});

test("what cannot be stored is to come again, and is taken then", async () => {
  const { settings, directory, masterKey } = world.platform;
  const context = live();
  let away = true;
  const log = {
    ...context.log,
    append: (appends: Parameters<typeof context.log.append>[0]) =>
      away ? Promise.reject(new Error("the log is away")) : context.log.append(appends),
  };
  const environments = { live: { ...context, log }, sandbox: world.platform.contexts.sandbox };
  const stopping = new AbortController();
  const rates = openRates();
  const alone: MailListener = (await openMailListener(
    {
      settings: { ...settings, inboundSmtp: { host: "127.0.0.1", port: 0, tls: undefined } },
      directory,
      masterKey,
      environments,
      logger: context.logger,
      stopping: stopping.signal,
    },
    rates,
  ))!;
  const one = await sentTo("later@example.com");
  const raw = report("5.1.1", "");
  expect(await deliver({ from: "", to: one.returnPath }, raw, alone.port)).toMatch(/^451/);
  away = false;
  expect(await deliver({ from: "", to: one.returnPath }, raw, alone.port)).toMatch(/^250/);
  await until(async () => (await one.state()).status === "bounced");
  const offered = await talk(alone.port, ["EHLO x.example", "STARTTLS"]);
  expect(offered.at(-1), "without a certificate there is no encryption to offer").toMatch(/^5/);
  rates.count(
    "127.0.0.1",
    Array.from({ length: 2 * mailsOfOne.requests }, () => "other"),
  );
  expect(await deliver({ from: "", to: one.returnPath }, raw, alone.port), "too many").toMatch(
    /^450/,
  );
  // A connection that is open ends when the process begins to stop, and the stop does not wait for its words.
  const idle = connect(alone.port, "127.0.0.1");
  const ended = new Promise((resolve) => idle.once("close", resolve));
  idle.resume().on("error", () => undefined);
  await new Promise((resolve) => idle.once("data", resolve));
  stopping.abort();
  await ended;
  await alone.close();
});

test("mail comes encrypted where there is a certificate, and that one", async () => {
  const transport = createTransport({
    host: "localhost",
    port,
    requireTLS: true,
    tls: { ca: await readFile(certificate.caFile), servername: "localhost" },
  });
  await expect(transport.verify()).resolves.toBe(true);
  transport.close();
});

test("one mail to two addresses of ours is there for each of their partners", async () => {
  const key = await world.addKey(me(), { environment: "live", scopes: ["admin"] });
  const assigned = await world.call("PUT", "/api/v1/admin/senders", {
    key,
    body: {
      gateway_id: gateway.gateway_id,
      address: "sales@shop.example",
      partner_id: world.partners[1]!.id,
    },
  });
  expect(assigned.status).toBe(200);
  const raw = "From: Ada <ada@example.com>\r\nMessage-ID: <both@example.com>\r\n\r\nHello";
  const to = ["help@shop.example", "sales@shop.example"];
  expect(await deliver({ from: "ada@example.com", to }, raw)).toMatch(/^250/);
  const stored = await until(async () => {
    const types = ["InboundReceived"] as const;
    const { events } = await live().log.readAll({ after: 0n, limit: 99, types });
    const own = events.filter(({ data }) => data.provider_message_id === "<both@example.com>");
    return own.length === 2 ? own : undefined;
  });
  expect(new Set(stored.map(({ data }) => data.message_id)).size).toBe(2);
});

test.each(oddWriters)("a mail from %s is a contact's, known as %s", (from, known) =>
  expectKnown(setting, from, known),
);

test("files of a mail stand in its conversation, open by a link for the partner alone, and go with the contact", async () => {
  expect(await tryFiles(setting)).toEqual([0, []]);
});
