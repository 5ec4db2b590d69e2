import { hash } from "node:crypto";
import { z } from "zod";
import { eachItem, type CallbackItem, type Report } from "../callbacks.ts";
import { bounceOf, notOfAddress, stranger } from "./bounce.ts";
import { deliveredStatus } from "./enhanced-status.ts";
import type { SmtpErrorCode } from "./errors.ts";
import { ownMailId } from "./mail-id.ts";
import { sendgridArgument } from "./sendgrid.ts";

/** SendGrid posts some thousand at a time, within the megabyte that a callback has. */
const maxEvents = 10_000;

const Event = z.object({
  event: z.string().max(64),
  email: z.string().max(320).catch(""),
  timestamp: z.int().min(0).max(99_999_999_999),
  sg_event_id: z.string().min(1).max(200).optional().catch(undefined),
  "smtp-id": z.string().max(400).catch(""),
  [sendgridArgument]: z.string().max(400).catch(""),
  type: z.string().max(64).catch(""),
  status: z.string().max(64).catch(""),
  reason: z.string().max(2_000).catch(""),
});
type Event = z.infer<typeof Event>;
type Gateway = { readonly name: string };
type Outcome = Pick<Report, "status" | "permanent" | "error" | "diagnostic">;

/** Why SendGrid did not even try. An address that came back before, or is none, is no different from one that comes back now. */
const droppedFor: readonly (readonly [RegExp, SmtpErrorCode])[] = [
  [/^(?:bounced address|invalid$)/i, "recipient_rejected"],
  [/spam content|smtpapi/i, "content_rejected"],
  [/^(?:unsubscribed|spam reporting) address/i, "policy_rejected"],
];

/** By its word; what is not here changes no message: `processed`, `deferred`, `open`, `click`, and words that are new. */
const outcomes: Readonly<Record<string, (event: Event, gateway: Gateway) => Outcome>> = {
  delivered: () => ({ status: "delivered" }),
  bounce: cameBack,
  dropped,
  spamreport: () => ({ status: "complained", diagnostic: "SendGrid: spamreport" }),
  unsubscribe: () => ({ status: "unsubscribed" }),
  group_unsubscribe: () => ({ status: "unsubscribed" }),
};

/** Everything in a post of SendGrid's Event Webhook: a list of events, each about a mail of its own. */
export function readSendgrid(
  events: readonly unknown[],
  gateway: Gateway,
): readonly CallbackItem[] {
  if (events.length > maxEvents)
    return [{ kind: "unreadable", why: `it has more than ${maxEvents} events` }];
  return eachItem(events, (raw) => readEvent(raw, gateway));
}

function readEvent(raw: unknown, gateway: Gateway): CallbackItem {
  const event = Event.parse(raw);
  const outcome = Object.hasOwn(outcomes, event.event) ? outcomes[event.event] : undefined;
  if (outcome === undefined) return { kind: "ignored", what: event.event };
  const [id, ...otherIds] = [event["smtp-id"], event[sendgridArgument]].flatMap(
    (text) => ownMailId(text) ?? [],
  );
  if (id === undefined) return stranger;
  const name = event.sg_event_id ?? hash("sha256", JSON.stringify(raw), "hex");
  return {
    kind: "report",
    report: {
      providerMessageId: id,
      ...(otherIds.length > 0 && otherIds[0] !== id && { otherIds }),
      eventId: `sendgrid.${name}`,
      occurredAt: new Date(event.timestamp * 1_000).toISOString(),
      ...outcome(event, gateway),
    },
  };
}

/** `blocked`: refused for the mail or for whence it came, and not for the address (SendGrid, "Bounces and Blocks"). */
function cameBack({ type, status, reason, email }: Event, gateway: Gateway): Outcome {
  const read = deliveredStatus(
    new Map([
      ["status", status],
      ["diagnostic-code", reason],
    ]),
  );
  return bounceOf(gateway.name, type === "blocked" ? notOfAddress(read) : read, email);
}

function dropped({ reason, status: code, email }: Event, gateway: Gateway): Outcome {
  const known = droppedFor.find(([words]) => words.test(reason))?.[1] ?? "provider_rejected";
  const read = { reason: known, permanent: true, code, text: reason };
  const outcome = bounceOf(gateway.name, read, email);
  return known === "recipient_rejected" ? outcome : { ...outcome, status: "undelivered" };
}
