import { type MagicOutcome, textOfHtml } from "@heliograph/channels";
import { readEventFlaw } from "@heliograph/contracts";
import { foldMessage, type MessageState, type MessageStatus } from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import { erasedText, type Open } from "@heliograph/vault";
import type { SendMessage } from "../messages/schema.ts";
import type { Fakes } from "./fake.ts";

/** Why a message of the past has no twin. */
export const withoutTwin = [
  "under_way",
  "never_sent",
  "no_message",
  "channel",
  "no_text",
  "erased",
  "address",
  "unreadable",
] as const;
export type WithoutTwin = (typeof withoutTwin)[number];

/** What became of a message, as the sandbox's recipients choose it; of one that is on its way nobody knows. */
const outcomeOf: Readonly<Partial<Record<MessageStatus, MagicOutcome | WithoutTwin>>> = {
  queued: "under_way",
  scheduled: "under_way",
  sent: "sent-only",
  delivered: "delivered",
  read: "read",
  failed: "unreachable",
  bounced: "bounced",
  expired: "expired",
  rejected: "never_sent",
  canceled: "never_sent",
};
/** The least that is taken: the twin of one that expired does so soon. */
const shortestSeconds = 10;

const isReason = (value: string): value is WithoutTwin =>
  (withoutTwin as readonly string[]).includes(value);

/** A message of the past, read; undefined where it cannot be. */
export const pastOf = (events: readonly RecordedEvent[]): MessageState | undefined =>
  events.some((event) => readEventFlaw(event) !== undefined) ? undefined : foldMessage(events);

/** What of it may be sealed. */
export const sealedOf = ({ request: { to, content } }: MessageState) => ({
  to,
  text: content.text,
  html: content.html,
  subject: content.subject,
});

/**
 * What is sent in the sandbox in the place of a message of the past: to an address of its own that has the same outcome, with a text of the same shape. Nothing of a person, and nothing that the partner
 * named somebody by, is in it: no metadata, no reference, no sender, no file.
 */
export function twinOf(
  past: MessageState | undefined,
  open: Open,
  fakes: Fakes,
): SendMessage | WithoutTwin {
  if (past === undefined) return "unreadable";
  const { request } = past;
  const outcome = outcomeOf[past.status] ?? "never_sent";
  if (isReason(outcome)) return outcome;
  const opened = open(sealedOf(past));
  const words = opened.text ?? (opened.html && textOfHtml(opened.html));
  if (words === undefined || words === "") return "no_text";
  if ([opened.to, words, opened.subject].includes(erasedText)) return "erased";
  const { channel } = request;
  if (channel !== "sms" && channel !== "whatsapp" && channel !== "email") return "channel";
  const to = fakes.address(channel, opened.to, outcome);
  if (to === undefined) return "address";
  return {
    channel,
    to,
    text: fakes.text(words),
    ...(channel === "email" && { subject: fakes.text(opened.subject ?? "Subject") }),
    category: request.category,
    priority: request.priority,
    ...(request.tags !== undefined && {
      tags: [...new Set(request.tags.map((tag) => `tag-${fakes.name(tag)}`))],
    }),
    ...(outcome === "expired" && { validity_seconds: shortestSeconds }),
  } as SendMessage;
}
