import { sandboxInboxes, textOfHtml } from "@heliograph/channels";
import { deterministicId, readEventFlaw } from "@heliograph/contracts";
import { type Posted, recordInbound } from "@heliograph/gateways";
import type { RecordedEvent } from "@heliograph/log";
import { erasedText, type Open } from "@heliograph/vault";
import type { Sender } from "../messages/sender.ts";
import type { Fakes } from "./fake.ts";
import type { WithoutTwin } from "./twin.ts";

type Written = RecordedEvent<"InboundMatched">;

/** The simulated gateway at which people write on a channel; undefined where nobody does. */
export type InboundGatewayOf = (channel: Posted["channel"]) => Posted["gateway"] | undefined;

/** What of it may be sealed. */
export const sealedOfWritten = ({ data: { from, text, html, subject } }: Written) => ({
  from,
  text,
  html,
  subject,
});

/**
 * What is written in the sandbox in the place of what somebody wrote: by the address to which the twins of messages that reached him go, so that one person is one contact there and has one conversation.
 * The text is one of the same shape; files, names and what a mail refers to are left out.
 */
export function writtenTwinOf(
  event: Written,
  open: Open,
  fakes: Fakes,
  gatewayOf: InboundGatewayOf,
): Omit<Posted, "partner" | "receivedAt"> | WithoutTwin {
  if (readEventFlaw(event) !== undefined) return "unreadable";
  const { channel, kind, message_id, automatic, unverified } = event.data;
  if (kind !== "message") return "no_message";
  if (channel !== "sms" && channel !== "whatsapp" && channel !== "email") return "channel";
  const gateway = gatewayOf(channel);
  if (gateway === undefined) return "channel";
  const opened = open(sealedOfWritten(event));
  const words = opened.text ?? (opened.html && textOfHtml(opened.html));
  if (words === undefined || words === "") return "no_text";
  if ([opened.from, words, opened.subject].includes(erasedText)) return "erased";
  const from = fakes.address(channel, opened.from, "delivered");
  if (from === undefined) return "address";
  const provider_message_id = deterministicId("inb", "fork", message_id);
  const said = {
    provider_message_id,
    from,
    to: sandboxInboxes[channel],
    text: fakes.text(words),
    ...(opened.subject !== undefined && { subject: fakes.text(opened.subject) }),
    ...(automatic === true && { automatic }),
    ...(unverified === true && { unverified }),
  };
  return {
    gateway,
    channel,
    providerMessageId: provider_message_id,
    from,
    contentType: "application/json",
    raw: Buffer.from(JSON.stringify(said)),
  };
}

/** Has the simulated provider post it; what it has posted before is there once. */
export async function writeTwin(
  { deps, now, metadata }: Pick<Sender, "deps" | "now" | "metadata">,
  partner: string,
  twin: Omit<Posted, "partner" | "receivedAt">,
): Promise<void> {
  const receivedAt = new Date(now()).toISOString();
  await recordInbound(deps, { ...twin, partner, receivedAt }, metadata());
}
