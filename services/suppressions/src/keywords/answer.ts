import { acceptMessage, sealRequests } from "@heliograph/acceptance";
import { channelModule, parseMailId, replySubject } from "@heliograph/channels";
import {
  deterministicId,
  PublicError,
  streamOf,
  uuid5,
  type Channel,
  type EventData,
  accountOf,
} from "@heliograph/contracts";
import { carries, pricesOf } from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import type { ReactorTools } from "@heliograph/runtime";
import { following } from "../following.ts";
import type { Recognised } from "./recognise.ts";
import { answerText } from "./texts.ts";

type Received = RecordedEvent<"MessageReceived">;

/** At most one answer to each keyword for an address in each ten minutes: two machines that answer each other must come to an end, and whoever writes STOP and START in turn spends no more. */
const answerEveryMs = 600_000;

/** The id follows from the address, the keyword and the time: an answer is written once, however often its cause is handled. */
const messageIdOf = ({ data }: Received, { keyword }: Recognised, name: string): string =>
  deterministicId(
    "msg",
    name,
    keyword,
    `${Math.floor(Date.parse(data.received_at) / answerEveryMs)}`,
  );

/** Of what channels need beside a text. */
const subjectOf = (channel: Channel, subject: string | undefined): { subject?: string } =>
  channel === "email" ? { subject: subject ? replySubject(subject) : "Your message" } : {};

export type ToAnswer = {
  readonly event: Received;
  readonly found: Recognised;
  /** Of the recipient's suppression stream. */
  readonly name: string;
  /** Opened. */
  readonly from: string;
  readonly subject: string | undefined;
};

/**
 * Answers a keyword by an ordinary message in its conversation: paid, followed, and never an agent's answer. Where it cannot be paid for or sent there is none: the suppression stands
 * without it.
 */
export async function answer(tools: ReactorTools, of: ToAnswer): Promise<void> {
  const { event, found } = of;
  const { context, logger } = tools;
  const partner = event.metadata.partner ?? "";
  const request = requestOf(tools, partner, of);
  if (request === undefined) return;
  const [sealed] = await sealRequests(context.vault, partner, [
    { data: request, fingerprint: undefined },
  ]);
  // Erased meanwhile: there is nobody to answer.
  if (sealed === undefined) return;
  const { data } = sealed;
  const stream = streamOf("message", data.message_id);
  const [outcome] = await context.log.append([
    {
      stream,
      expected: "no_stream",
      events: [
        {
          id: uuid5(data.message_id, "MessageRequested"),
          type: "MessageRequested",
          data,
          metadata: following(event, data.message_id),
        },
      ],
    },
  ]);
  if (outcome!.kind === "invalid") throw new Error(`${stream}: ${outcome!.message}`);
  if (outcome!.kind === "conflict")
    logger.info({ message: data.message_id, keyword: found.keyword }, "answered a moment ago");
}

function requestOf(
  { context, logger }: ReactorTools,
  partner: string,
  { event, found, name, from, subject }: ToAnswer,
): EventData<"MessageRequested"> | undefined {
  const { channel, to: inbox, conversation_id, contact_id, references } = event.data;
  const { directory, environment } = context;
  const account = directory.partner(accountOf(partner));
  const module = channelModule(channel);
  const inReplyTo = channel === "email" ? parseMailId(event.data.provider.message_id) : undefined;
  const recipient = module.recipient(from);
  if (account === undefined || recipient.kind === "fault") return undefined;
  const { country } = recipient.value;
  const canSend = directory
    .gateways(environment, channel)
    .some((gateway) => gateway.enabled && carries(gateway, partner, country));
  if (!canSend) return undefined;
  const nowMs = context.clock.now(partner);
  try {
    const { data } = acceptMessage({
      body: {
        channel,
        to: from,
        ...(module.sender(inbox).kind === "read" && { from: inbox }),
        ...subjectOf(channel, subject),
        text: answerText(found.keyword, found.language, account.name),
      },
      recipient: recipient.value,
      messageId: messageIdOf(event, found, name),
      template: undefined,
      prices: pricesOf(directory, { partner_id: partner, currency: account.currency }, nowMs),
      nowMs,
    });
    return {
      ...data,
      conversation_id,
      contact_id,
      ...(inReplyTo !== undefined && {
        in_reply_to: inReplyTo,
        ...(references !== undefined && { references }),
      }),
      keyword: found.keyword,
      // A machine's words are no answer: the conversation waits for a person's on.
      reply: { by: { id: "service:suppressions" }, answers: false },
    };
  } catch (error) {
    // No price in the partner's currency, for one.
    if (!(error instanceof PublicError)) throw error;
    logger.warn({ partner, channel, code: error.code }, "a keyword is not answered");
    return undefined;
  }
}
