import type { MasterKey } from "@heliograph/contracts";
import { z } from "zod";
import type { CallbackItem, Report, Signer } from "../callbacks.ts";
import { jsonIn } from "../json-in.ts";
import { failureOf } from "../failure.ts";
import { bounceOf, isComplaint, notOfAddress, stranger } from "./bounce.ts";
import { deliveredStatus } from "./enhanced-status.ts";
import { smtpErrors } from "./errors.ts";
import { attemptOfMailId, mailIdsOfPath, ownMailId } from "./mail-id.ts";
import { giverOf, readReturnPath } from "./return-path.ts";
import { SnsMessage } from "./sns.ts";

const Text = z.string().max(4_000);
const Header = z.object({ name: z.string(), value: z.string() });
const Mail = z.object({
  messageId: z.string().min(1).max(200),
  /** The return path. */
  source: Text.catch(""),
  headers: z.array(z.unknown()).max(1_000).catch([]),
  commonHeaders: z.object({ messageId: Text.catch("") }).catch({ messageId: "" }),
});
const Recipient = z.object({
  emailAddress: Text.catch(""),
  status: Text.catch(""),
  diagnosticCode: Text.catch(""),
});
const Bounce = z.object({
  bounceType: z.string().max(64),
  bounceSubType: z.string().max(64).catch(""),
  // Every attempt has one recipient.
  bouncedRecipients: z.array(Recipient).min(1).max(100),
  feedbackId: z.string().max(200).catch(""),
  timestamp: z.iso.datetime({ offset: true }).optional().catch(undefined),
});
const Complaint = z.object({
  complaintFeedbackType: z.string().max(64).nullish().catch(null),
  feedbackId: z.string().max(200).catch(""),
  timestamp: z.iso.datetime({ offset: true }).optional().catch(undefined),
});
const Delivery = z.object({
  timestamp: z.iso.datetime({ offset: true }).optional().catch(undefined),
});
const Reject = z.object({ reason: Text.catch("") });

/** Under one name by the publishing of events, under the other by notifications of an identity. */
const Event = z
  .object({ mail: Mail, eventType: z.string().max(64), notificationType: z.string().max(64) })
  .partial({ eventType: true, notificationType: true })
  .loose();
type Event = z.infer<typeof Event>;
type Gateway = Signer & { readonly name: string };

/** What SES means by a label, where the recipient has no status of its own (SES, "Bounce types"). Of other labels nothing is known: an automatic answer is called `Transient`, `General` too. */
const labels: Readonly<Record<string, string>> = {
  "Permanent/General": "5.0.0",
  "Permanent/NoEmail": "5.1.1",
  "Permanent/Suppressed": "5.1.1",
  "Permanent/OnAccountSuppressionList": "5.1.1",
  "Transient/MailboxFull": "4.2.2",
  "Transient/MessageTooLarge": "4.3.4",
  "Transient/ContentRejected": "4.6.0",
  "Transient/AttachmentRejected": "4.6.0",
};

type Ids = Pick<
  Report,
  "providerMessageId" | "otherIds" | "messageId" | "attempt" | "sentBy" | "mayBeOthers"
>;
type Outcome = Pick<
  Report,
  "status" | "permanent" | "error" | "diagnostic" | "eventId" | "occurredAt"
>;

/** What a post of SNS tells: one event of SES about one mail, or something about the topic. */
export function readSns(posted: unknown, gateway: Gateway): readonly CallbackItem[] {
  const { Type: type, Message: text } = SnsMessage.parse(posted);
  if (type !== "Notification") return [{ kind: "ignored", what: type }];
  const message = jsonIn(text);
  // SES writes a sentence to a topic that it is to use from now on.
  if (typeof message !== "object" || message === null) return [{ kind: "ignored", what: "a text" }];
  return [readEvent(Event.parse(message), gateway)];
}

function readEvent(event: Event, gateway: Gateway): CallbackItem {
  const word = event.eventType ?? event.notificationType ?? "";
  const outcome = Object.hasOwn(outcomes, word) ? outcomes[word]!(event, gateway.name) : undefined;
  // `Send`, `DeliveryDelay`, `Open`, `Click` and words that are new are no ends.
  if (outcome === undefined) return { kind: "ignored", what: word || "no type" };
  const ids = idsOf(event.mail, gateway);
  return ids === undefined ? stranger : { kind: "report", report: { ...ids, ...outcome } };
}

/**
 * SES gives a mail another Message-ID, and tells ours among the headers that it came with; the return path names the attempt as well, where this gateway gave it out, or one that shares the topic: other programs of the account write
 * what they like. Where it tells no header of a mail, what it calls the mail itself stands in its answer to us. Undefined for mail of other programs.
 */
function idsOf(
  { messageId: sesId, source, headers, commonHeaders }: z.infer<typeof Mail>,
  { masterKey, gatewayId, sharing = () => [] }: Gateway,
): Ids | undefined {
  const own = headers
    .flatMap((header) => Header.safeParse(header).data ?? [])
    .filter(({ name }) => name.toLowerCase() === "message-id")
    .map(({ value }) => value);
  const [named] = [...own, commonHeaders.messageId].flatMap((text) => ownMailId(text) ?? []);
  const [, local = "", domain = ""] = /^<?([^@]{1,64})@([^@>]{1,255})>?$/.exec(source) ?? [];
  const sentBy = giverOf(masterKey, [gatewayId, ...sharing(domain.toLowerCase())], local);
  const path = sentBy === undefined ? undefined : readReturnPath(local);
  if (named === undefined && path === undefined && own.length > 0) return undefined;
  const ofPath = path && mailIdsOfPath(masterKey, path, domain.toLowerCase());
  const byPath = ofPath === undefined ? [] : [...ofPath.signed, ofPath.plain];
  const [first, ...others] = [
    ...new Set([...(named === undefined ? [] : [named]), ...byPath, sesId]),
  ];
  return {
    providerMessageId: first!,
    otherIds: others,
    ...path,
    ...(sentBy !== undefined && { sentBy }),
    ...(!isProven(masterKey, named) && path === undefined && { mayBeOthers: true }),
  };
}

/** An id that an earlier release gave out is unsigned: a mail that it names is known by now, or nobody's. */
const isProven = (masterKey: MasterKey, named = ""): boolean =>
  attemptOfMailId(masterKey, named) !== undefined;

const outcomes: Readonly<Record<string, (event: Event, gateway: string) => Outcome | undefined>> = {
  Bounce: bounced,
  Complaint: complained,
  Delivery({ mail, ...event }) {
    const { timestamp: occurredAt } = Delivery.parse(event["delivery"] ?? {});
    return { status: "delivered", eventId: `ses.delivery.${mail.messageId}`, occurredAt };
  },
  // It was taken and is not sent: something harmful is in it.
  Reject({ mail, ...event }, gateway) {
    const { reason } = Reject.parse(event["reject"] ?? {});
    const fault = { code: "content_rejected", ...smtpErrors.content_rejected };
    const error = failureOf(gateway, fault, { code: "Reject", text: reason });
    return {
      status: "undelivered",
      permanent: true,
      error,
      diagnostic: error.provider!.text!,
      eventId: `ses.reject.${mail.messageId}`,
    };
  },
};

/** The status of the recipient decides, and a label only where there is none. What SES calls `General` without calling it permanent, or is undetermined about, stops nothing to the address. */
function bounced({ mail, ...event }: Event, gateway: string): Outcome | undefined {
  const { bounceType, bounceSubType, bouncedRecipients, feedbackId, timestamp } = Bounce.parse(
    event["bounce"],
  );
  const { status, diagnosticCode, emailAddress } = bouncedRecipients[0]!;
  const stated = status || labels[`${bounceType}/${bounceSubType}`];
  if (stated === undefined) return undefined;
  const read = deliveredStatus(
    new Map([
      ["status", stated],
      ["diagnostic-code", diagnosticCode],
    ]),
  );
  return {
    ...bounceOf(gateway, bounceType === "Permanent" ? read : notOfAddress(read), emailAddress),
    eventId: `ses.bounce.${feedbackId || mail.messageId}`,
    occurredAt: timestamp,
  };
}

function complained({ mail, ...event }: Event): Outcome | undefined {
  const {
    complaintFeedbackType: type,
    feedbackId,
    timestamp,
  } = Complaint.parse(event["complaint"]);
  if (typeof type === "string" && !isComplaint(type)) return undefined;
  return {
    status: "complained",
    diagnostic: `SES: ${type ?? "complaint"}`,
    eventId: `ses.complaint.${feedbackId || mail.messageId}`,
    occurredAt: timestamp,
  };
}
