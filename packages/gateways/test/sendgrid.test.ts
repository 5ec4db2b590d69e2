import { deterministicId } from "@heliograph/contracts";
import { smtpSink } from "@heliograph/testkit";
import { expect, test } from "vitest";
import {
  configured,
  createGateway,
  readCallback,
  verifyCallback,
  type GatewayConfig,
} from "../src/index.ts";
import { mailIdOf } from "../src/smtp/mail-id.ts";
import { postedEvents, sendgridPublicKey } from "./sendgrid.ts";
import { attemptOf, configOf, signer, toolsOf } from "./support.ts";

const tools = toolsOf();
const settings = {
  url: "smtp://smtp.sendgrid.example",
  from: "shop@shop.example",
  events: "sendgrid",
  sendgrid_public_key: sendgridPublicKey,
};
const configWith = (changes: Readonly<Record<string, unknown>> = {}): GatewayConfig =>
  configOf({
    environment: "live",
    name: "mail-1",
    kind: "smtp",
    channel: "email",
    settings: { ...settings, ...changes },
  });
const mailId = mailIdOf(
  tools.masterKey,
  { messageId: deterministicId("msg", "one"), attempt: 1 },
  "shop.example",
);
const seconds = 1_779_546_137;

const read = (events: readonly unknown[], smtpId = mailId) =>
  readCallback(
    configWith(),
    {
      ...postedEvents(
        events.map((event) =>
          typeof event === "object" && event !== null
            ? { email: "ada@example.com", timestamp: seconds, "smtp-id": smtpId, ...event }
            : event,
        ) as object[],
      ),
      contentType: "application/json",
      receivedAt: "2026-05-23T14:22:17Z",
    },
    signer,
  );
const outcomeOf = async (event: object) => {
  const [item] = await read([event]);
  if (item?.kind !== "report") return item?.kind;
  const { status, permanent, error } = item.report;
  return [status, permanent, error?.code, error?.class].filter((part) => part !== undefined);
};

test("a configuration lacks nothing that tells whether events are genuine, and says what is wrong with it", () => {
  const fault = (changes: Readonly<Record<string, unknown>>): string => {
    try {
      const { secrets: _, ...config } = configWith(changes);
      configured(config, {}, tools.masterKey);
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(fault({})).toBe("");
  expect(fault({ sendgrid_public_key: undefined })).toMatch(/sendgrid_public_key: is required/);
  expect(fault({ events: undefined })).toMatch(/sendgrid_public_key: is for settings.events/);
  for (const key of ["", "AAAA", `${sendgridPublicKey} `, "-----BEGIN PUBLIC KEY-----"])
    expect(fault({ sendgrid_public_key: key })).toMatch(/must be the verification key/);
  expect(fault({ events: "mailgun" })).toMatch(/settings.events/);
});

test("only what SendGrid signed about now is believed", () => {
  const now = Math.floor(Date.now() / 1_000);
  const verdict = (request: ReturnType<typeof postedEvents>, config = configWith()) =>
    verifyCallback(config, request, tools.masterKey).verdict.kind;
  const genuine = postedEvents([{ event: "open" }]);
  expect(verdict(genuine)).toBe("genuine");
  expect(verdict(postedEvents("[]", now - 24 * 3_600)), "posted again for a day").toBe("genuine");
  const headers = (name: string, value: string) => ({
    ...genuine,
    headers: { ...genuine.headers, [`x-twilio-email-event-webhook-${name}`]: value },
  });
  for (const forged of [
    postedEvents("[]", now - 26 * 3_600),
    postedEvents("[]", now + 600),
    headers("timestamp", String(now - 1)),
    headers("timestamp", "now"),
    headers("timestamp", ""),
    headers("signature", ""),
    headers("signature", "AAAA"),
    { ...genuine, body: genuine.body.subarray(0, -2) },
    { ...genuine, method: "GET" },
  ])
    expect(verdict(forged)).toBe("forged");
  expect(verdict(genuine, configWith({ events: undefined }))).toBe("forged");
});

test.each([
  [{ event: "delivered" }, ["delivered"]],
  [{ event: "spamreport" }, ["complained"]],
  [{ event: "unsubscribe" }, ["unsubscribed"]],
  [{ event: "group_unsubscribe" }, ["unsubscribed"]],
  [
    { event: "bounce", type: "bounce", status: "5.1.1", reason: "550 no such user" },
    ["bounced", true, "recipient_rejected", "recipient"],
  ],
  [
    { event: "bounce", reason: "550 5.1.1 The account does not exist" },
    ["bounced", true, "recipient_rejected", "recipient"],
  ],
  [
    { event: "bounce", type: "bounce", status: "5.7.1" },
    ["bounced", true, "policy_rejected", "provider"],
  ],
  // The class of the status says whether another attempt can help.
  [
    { event: "bounce", type: "bounce", status: "4.2.2" },
    ["bounced", false, "recipient_deferred", "recipient"],
  ],
  // What was blocked says nothing of the address.
  [
    { event: "bounce", type: "blocked", status: "5.1.1" },
    ["bounced", true, "provider_rejected", "provider"],
  ],
  [
    { event: "dropped", reason: "Bounced Address" },
    ["bounced", true, "recipient_rejected", "recipient"],
  ],
  [
    { event: "dropped", reason: "Unsubscribed Address" },
    ["undelivered", true, "policy_rejected", "provider"],
  ],
  [{ event: "dropped" }, ["undelivered", true, "provider_rejected", "provider"]],
  ...["processed", "deferred", "open", "click", "constructor", "group_resubscribe"].map(
    (event) => [{ event }, "ignored"] as const,
  ),
] as const)("%j means %j", async (event, expected) => {
  expect(await outcomeOf(event)).toEqual(expected);
});

test("each event of a post counts alone, under an id of its own and without the address", async () => {
  const reason = "550 5.1.1 <ada@example.com>: unknown";
  const events = [
    { event: "bounce", type: "bounce", reason, status: "5.1.1", sg_event_id: "one" },
    null,
    { event: "delivered", timestamp: "soon" },
    { event: "delivered", "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>" },
    { event: "delivered" },
  ];
  const items = await read(events);
  expect(items.map(({ kind }) => kind)).toEqual([
    "report",
    "unreadable",
    "unreadable",
    "ignored",
    "report",
  ]);
  expect(items[0]).toMatchObject({
    report: {
      providerMessageId: mailId,
      eventId: "sendgrid.one",
      occurredAt: "2026-05-23T14:22:17.000Z",
      diagnostic: "550 5.1.1 <<recipient>>: unknown",
    },
  });
  expect(await read(events)).toEqual(items);
  const many = await read(Array.from({ length: 10_001 }, () => ({ event: "open" })));
  expect(many).toMatchObject([{ kind: "unreadable" }]);
});

test("a mail is found by its Message-ID, with its angle brackets or without, and by what goes with it", async () => {
  const about = (changes: object) => read([{ event: "spamreport", ...changes }]);
  const found = [{ kind: "report", report: { providerMessageId: mailId } }];
  expect(await about({ "smtp-id": mailId.slice(1, -1) })).toMatchObject(found);
  expect(await about({ "smtp-id": undefined })).toMatchObject([{ kind: "ignored" }]);
  const sink = await smtpSink();
  const config = configWith({ url: `smtp://127.0.0.1:${sink.port}` });
  const gateway = createGateway("live", config, tools);
  const sent = await gateway.send(
    attemptOf("ada@example.com", { content: { subject: "Hi", text: "Hello" } }),
    AbortSignal.timeout(5_000),
  );
  await gateway.close();
  const [, header] = /^X-SMTPAPI: (.*)$/im.exec(sink.messages[0]!.raw)!;
  await sink.close();
  const { unique_args: given } = JSON.parse(header!) as { unique_args: object };
  if (sent.type !== "accepted") throw new Error(sent.type);
  expect(await about({ "smtp-id": undefined, ...given })).toMatchObject([
    { report: { providerMessageId: sent.providerMessageId } },
  ]);
});
