import { deterministicId } from "@heliograph/contracts";
import { selfSignedCertificate } from "@heliograph/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  configured,
  readCallback,
  verifyCallback,
  type CallbackRequest,
  type GatewayConfig,
  type Verdict,
} from "../src/index.ts";
import { mailIdOf } from "../src/smtp/mail-id.ts";
import { returnPathOf } from "../src/smtp/return-path.ts";
import { canonicalText, SnsMessage } from "../src/smtp/sns.ts";
import { certificateUrl, confirmationUrl, postedBySns, topic } from "./sns.ts";
import { configOf, signer as signerOfReturnPaths, toolsOf } from "./support.ts";

const tools = toolsOf();
const settings = { url: "smtp://email-smtp.example", events: "ses", sns_topics: [topic] };
const configWith = (changes: Readonly<Record<string, unknown>> = {}): GatewayConfig =>
  configOf({
    environment: "live",
    name: "mail-1",
    kind: "smtp",
    channel: "email",
    settings: { ...settings, ...changes },
  });
let signer: Awaited<ReturnType<typeof selfSignedCertificate>>;
beforeAll(async () => {
  signer = await selfSignedCertificate();
});
afterAll(() => signer.remove());

const first = (request: CallbackRequest, config = configWith()): Verdict =>
  verifyCallback(config, request, tools.masterKey).verdict;
/** The verdict, and where something was asked for before it, with the certificate of the signer at every address. */
function settled(request: CallbackRequest, config?: GatewayConfig) {
  const asked: string[] = [];
  let verdict = first(request, config);
  while (verdict.kind === "asks") {
    asked.push(verdict.url);
    verdict = verdict.decide(signer.certificate);
  }
  return { kind: verdict.kind, asked };
}
const forged = { kind: "forged", asked: [] };
const confirmation = { Type: "SubscriptionConfirmation", Token: "2336412f37" };

test("a configuration names the topics that are believed", () => {
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
  expect(fault({ sns_topics: undefined })).toMatch(/sns_topics: is required/);
  expect(fault({ events: undefined })).toMatch(/sns_topics: is for settings.events/);
  expect(fault({ sns_topics: [] })).toMatch(/sns_topics/);
  for (const arn of [
    "mail",
    topic.replace("sns", "sqs"),
    `${topic}/x`,
    topic.replace("1:", "1.evil.example:"),
  ])
    expect(fault({ sns_topics: [arn] })).toMatch(/sns_topics must be ARNs/);
});

test("the text that is signed has the fields in SNS's order, a subject only where there is one", () => {
  const message = { Message: "m", MessageId: "i", Timestamp: "t", TopicArn: "a" };
  const proof = { SignatureVersion: "1", Signature: "", SigningCertURL: "" };
  const text = (more: object) => canonicalText(SnsMessage.parse({ ...message, ...proof, ...more }));
  expect(text({ Type: "Notification" })).toBe(
    "Message\nm\nMessageId\ni\nTimestamp\nt\nTopicArn\na\nType\nNotification\n",
  );
  expect(text({ Type: "Notification", Subject: "s" })).toContain("\ni\nSubject\ns\nTimestamp\n");
  expect(text({ ...confirmation, SubscribeURL: "u" })).toBe(
    "Message\nm\nMessageId\ni\nSubscribeURL\nu\nTimestamp\nt\nToken\n2336412f37\nTopicArn\na\nType\nSubscriptionConfirmation\n",
  );
});

test("what SNS signed is believed, by either version, and nothing that was touched", () => {
  for (const SignatureVersion of ["1", "2"])
    expect(settled(postedBySns(signer.key, { SignatureVersion }))).toEqual({
      kind: "genuine",
      asked: [certificateUrl],
    });
  const { kind } = settled(postedBySns(signer.key, { Signature: "AAAA" }));
  expect(kind).toBe("forged");
  const genuine = postedBySns(signer.key);
  const touched = JSON.parse(genuine.body.toString()) as object;
  for (const change of [{ Message: "{ }" }, { Subject: "x" }, { SignatureVersion: "1" }])
    expect(
      settled({ ...genuine, body: Buffer.from(JSON.stringify({ ...touched, ...change })) }).kind,
    ).toBe("forged");
  for (const body of ["", "[]", "null", "{}", "%PDF"])
    expect(settled({ ...genuine, body: Buffer.from(body) })).toEqual(forged);
  expect(settled({ ...genuine, method: "GET" })).toEqual(forged);
  expect(settled(postedBySns(signer.key, { SignatureVersion: "3" }))).toEqual(forged);
  const asks = first(genuine);
  if (asks.kind !== "asks") throw new Error(asks.kind);
  expect(asks.keep).toBe(true);
  expect(() => asks.decide("-----BEGIN CERTIFICATE-----"), "no certificate: come again").toThrow();
});

// The row "SNS trust": nothing is fetched but from SNS itself, and for a topic that is configured.
test.each([
  "https://s3.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
  "https://sns.eu-west-1.amazonaws.com.evil.example/SimpleNotificationService-0123456789abcdef.pem",
  "https://evil.example/SimpleNotificationService-0123456789abcdef.pem",
  "https://sns.eu-west-1.amazonaws.com@evil.example/SimpleNotificationService-0123456789abcdef.pem",
  "https://x@sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
  "https://sns.eu-west-1.amazonaws.com:8443/SimpleNotificationService-0123456789abcdef.pem",
  "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
  "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem",
  "https://sns.eu-west-1.amazonaws.com.cn/SimpleNotificationService-0123456789abcdef.pem",
  "https://sns.eu-west-1.amazonaws.com/bucket/SimpleNotificationService-0123456789abcdef.pem",
  "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem?x=1",
  "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef.pem#.pem",
  "https://sns.eu-west-1.amazonaws.com/../SimpleNotificationService-0123456789abcdef.pem",
  "https://169.254.169.254/SimpleNotificationService-0123456789abcdef.pem",
])("no certificate is asked for at %s", (SigningCertURL) => {
  expect(settled(postedBySns(signer.key, { SigningCertURL }))).toEqual(forged);
});

test("of a topic that is not configured nothing is asked for, and one in China is at its own host", () => {
  const other = topic.replace("mail", "other");
  expect(settled(postedBySns(signer.key, { TopicArn: other }))).toEqual(forged);
  const china = "arn:aws-cn:sns:cn-north-1:123456789012:mail";
  const url =
    "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-0123456789abcdef.pem";
  const request = postedBySns(signer.key, { TopicArn: china, SigningCertURL: url });
  expect(settled(request, configWith({ sns_topics: [topic, china] }))).toEqual({
    kind: "genuine",
    asked: [url],
  });
});

test("a subscription is confirmed at SNS alone, for its own topic, once its question is known to be genuine", () => {
  const asked = (SubscribeURL: string) =>
    settled(postedBySns(signer.key, { ...confirmation, SubscribeURL }));
  expect(asked(confirmationUrl)).toEqual({
    kind: "handshake",
    asked: [certificateUrl, confirmationUrl],
  });
  for (const url of [
    "http://169.254.169.254/latest/meta-data/",
    confirmationUrl.replace("https:", "http:"),
    confirmationUrl.replace("amazonaws.com", "amazonaws.com.evil.example"),
    confirmationUrl.replace("sns.", "x@sns."),
    confirmationUrl.replace(".com/", ".com:8443/"),
    confirmationUrl.replace("eu-west-1.", "us-east-1."),
    confirmationUrl.replace("ConfirmSubscription", "DeleteTopic"),
    confirmationUrl.replace(":mail", ":other"),
    `${confirmationUrl}&Action=DeleteTopic`,
    `${confirmationUrl}#x`,
  ])
    expect(asked(url), url).toEqual({ kind: "forged", asked: [certificateUrl] });
  const unsigned = { ...confirmation, SubscribeURL: confirmationUrl, Signature: "AAAA" };
  expect(settled(postedBySns(signer.key, unsigned))).toEqual({
    kind: "forged",
    asked: [certificateUrl],
  });
  const bye = { ...confirmation, Type: "UnsubscribeConfirmation", SubscribeURL: confirmationUrl };
  expect(settled(postedBySns(signer.key, bye))).toEqual({
    kind: "genuine",
    asked: [certificateUrl],
  });
});

const messageId = deterministicId("msg", "one");
const mailId = mailIdOf(tools.masterKey, { messageId, attempt: 1 }, "shop.example");
const mail = {
  messageId: "0102018f-ses-000000",
  source: "shop@shop.example",
  headers: [null, { name: "Message-ID", value: mailId }],
  commonHeaders: { messageId: "0102018f-ses-000000" },
};
const read = (message: unknown, changes: object = {}) => {
  const Message = typeof message === "string" ? message : JSON.stringify(message);
  return readCallback(
    configWith(),
    {
      ...postedBySns(signer.key, { Message, ...changes }),
      contentType: "text/plain",
      receivedAt: "2026-05-23T14:22:17Z",
    },
    signerOfReturnPaths,
  );
};
const outcomeOf = async (event: object) => {
  const [item] = await read({ mail, ...event });
  if (item?.kind !== "report") return item?.kind;
  const { status, permanent, error } = item.report;
  return [status, permanent, error?.code, error?.class].filter((part) => part !== undefined);
};
const bounce = (label: string, status?: string, diagnosticCode?: string) => {
  const [bounceType, bounceSubType] = label.split("/");
  const recipient = { emailAddress: "ada@example.com", status, diagnosticCode };
  return {
    eventType: "Bounce",
    bounce: { bounceType, bounceSubType, bouncedRecipients: [recipient] },
  };
};
const complaint = (complaintFeedbackType?: string | null) => {
  return { eventType: "Complaint", complaint: { complaintFeedbackType } };
};

// The row "SES labels": the class of the status decides, and what is not permanent says nothing of the address.
test.each([
  [bounce("Permanent/General", "5.1.1"), ["bounced", true, "recipient_rejected", "recipient"]],
  [bounce("Permanent/NoEmail"), ["bounced", true, "recipient_rejected", "recipient"]],
  [bounce("Permanent/General"), ["bounced", true, "provider_rejected", "provider"]],
  [bounce("Permanent/General", "5.7.1"), ["bounced", true, "policy_rejected", "provider"]],
  [bounce("Permanent/General", "4.4.7"), ["bounced", false, "recipient_deferred", "recipient"]],
  [bounce("Transient/General", "5.4.4"), ["bounced", true, "provider_rejected", "provider"]],
  [bounce("Transient/General", "5.1.1"), ["bounced", true, "provider_rejected", "provider"]],
  [
    bounce("Undetermined/Undetermined", "5.1.1"),
    ["bounced", true, "provider_rejected", "provider"],
  ],
  [bounce("Transient/MailboxFull"), ["bounced", false, "recipient_deferred", "recipient"]],
  // What answers by itself while somebody is away.
  [bounce("Transient/General"), "ignored"],
  [bounce("Undetermined/Undetermined"), "ignored"],
  [complaint("abuse"), ["complained"]],
  [complaint(null), ["complained"]],
  [complaint("not-spam"), "ignored"],
  [complaint("auth-failure"), "ignored"],
  [{ eventType: "Delivery" }, ["delivered"]],
  [{ notificationType: "Delivery", delivery: {} }, ["delivered"]],
  [
    { eventType: "Reject", reject: { reason: "Bad content" } },
    ["undelivered", true, "content_rejected", "content"],
  ],
  [{ eventType: "Send" }, "ignored"],
  [{ eventType: "DeliveryDelay" }, "ignored"],
  [{ eventType: "Open" }, "ignored"],
  [{ eventType: "constructor" }, "ignored"],
  [{ eventType: "Bounce" }, "unreadable"],
] as const)("%j means %j", async (event, expected) => {
  expect(await outcomeOf(event)).toEqual(expected);
});

test("a mail is found by the Message-ID that it came with, or by its return path, and another's is nobody's", async () => {
  const about = (changes: object) => read({ eventType: "Delivery", mail: { ...mail, ...changes } });
  const delivery = { timestamp: "2026-05-23T14:22:17.000Z" };
  expect(await read({ eventType: "Delivery", mail, delivery })).toEqual([
    {
      kind: "report",
      report: {
        providerMessageId: mailId,
        otherIds: [mail.messageId],
        status: "delivered",
        eventId: "ses.delivery.0102018f-ses-000000",
        occurredAt: delivery.timestamp,
      },
    },
  ]);
  const commonHeaders = { messageId: mailId };
  expect(await about({ headers: undefined, commonHeaders })).toMatchObject([
    { report: { providerMessageId: mailId } },
  ]);
  const path = returnPathOf(tools.masterKey, configWith().gateway_id, { messageId, attempt: 1 });
  expect(await about({ headers: [], source: `${path.toUpperCase()}@Shop.example` })).toMatchObject([
    { report: { providerMessageId: mailId, messageId } },
  ]);
  const strangers = [{ name: "Message-ID", value: "<somebody@else.example>" }];
  expect(await about({ headers: strangers })).toMatchObject([{ kind: "ignored" }]);
  expect(await about({ headers: [] }), "without headers by what SES calls it").toMatchObject([
    { report: { providerMessageId: mail.messageId, mayBeOthers: true } },
  ]);
  const elsewhere = returnPathOf(tools.masterKey, "gtw_other", { messageId, attempt: 1 });
  for (const forged of [elsewhere, path.replace(/.{20}$/, "0".repeat(20))]) {
    const source = `${forged}@shop.example`;
    const [item] = await about({ headers: [], source });
    expect(item, forged).toMatchObject({ report: { mayBeOthers: true } });
    expect(item, forged).not.toHaveProperty("report.messageId");
    expect(await about({ headers: strangers, source })).toMatchObject([{ kind: "ignored" }]);
  }
});

test("words are without the address, and what is no event changes nothing", async () => {
  const text = "smtp; 550 5.1.1 <ada@example.com>: unknown";
  const event = bounce("Permanent/General", "5.1.1", text);
  const told = await read({ mail, ...event });
  expect(told).toMatchObject([
    {
      report: {
        diagnostic: "550 5.1.1 <<recipient>>: unknown",
        eventId: "ses.bounce.0102018f-ses-000000",
      },
    },
  ]);
  expect(await read({ mail, ...event }), "told again, the same event").toEqual(told);
  expect(await read("Successfully validated SNS topic.")).toMatchObject([{ kind: "ignored" }]);
  const bye = { ...confirmation, Type: "UnsubscribeConfirmation", SubscribeURL: confirmationUrl };
  expect(await read("You have chosen", bye)).toMatchObject([{ kind: "ignored" }]);
});
