import { externalIdName } from "@heliograph/channels";
import { deterministicId, newId, streamOf, uuid7, type Channel } from "@heliograph/contracts";
import { foldMessage, suppressionName } from "@heliograph/domain";
import type { EventLog } from "@heliograph/log";
import type { Vault } from "@heliograph/vault";

type Context = { readonly log: EventLog; readonly vault: Vault };
export type Said = {
  readonly channel?: Channel;
  readonly from: string;
  readonly text?: string;
  readonly subject?: string;
  readonly automatic?: boolean;
  readonly at?: Date;
  /** Of the event: the request it came by, and its trace. */
  readonly origin?: { readonly request_id: string; readonly traceparent: string };
};

/** What a thread says when a person writes, as conversations appends it; gives the message's id. */
export async function write({ log, vault }: Context, partner: string, said: Said): Promise<string> {
  const { channel = "sms", from, text, subject, automatic, at = new Date(), origin } = said;
  const inbox = channel === "email" ? "help@shop.example" : "+15550109999";
  const contact = deterministicId("cnt", partner, from);
  const seal = await vault.seal({ partner, subject: contact });
  const messageId = newId("msg");
  const thread = vault.name("thread", partner, channel, from);
  const data = {
    conversation_id: deterministicId("cnv", partner, from),
    contact_id: contact,
    message_id: messageId,
    inbound_id: newId("inb"),
    channel,
    from: seal(from),
    to: inbox,
    ...(text !== undefined && { text: seal(text) }),
    ...(subject !== undefined && { subject: seal(subject) }),
    ...(automatic !== undefined && { automatic }),
    provider: { gateway: "sim", name: "sim", message_id: `<${messageId}@mail.example>` },
    received_at: at.toISOString(),
  };
  const event = { id: uuid7(), type: "MessageReceived", data, metadata: { partner, ...origin } };
  const [outcome] = await log.append([
    { stream: streamOf("thread", thread), expected: "any", events: [event] },
  ]);
  if (outcome!.kind !== "appended") throw new Error(JSON.stringify(outcome));
  return messageId;
}

/** What a recipient's stream says. */
export async function periodsOf(
  { log, vault }: Context,
  partner: string,
  to: string,
  channel: Channel = "sms",
) {
  const name = suppressionName(vault, partner, channel, to);
  return log.readStream(streamOf("suppression", name));
}

/** The platform's answers to a partner's people, oldest first, as they are now, opened. */
export async function answersOf({ log, vault }: Context, partner: string, keyword?: string) {
  const { events } = await log.readAll({ after: 0n, limit: 1_000, types: ["MessageRequested"] });
  const own = events.filter(
    ({ metadata, data }) =>
      metadata.partner === partner &&
      data.keyword !== undefined &&
      (keyword === undefined || data.keyword === keyword),
  );
  const streams = await log.readStreams(own.map(({ stream }) => stream as `message-${string}`));
  const states = own.map(({ stream }) =>
    foldMessage(streams.get(stream as `message-${string}`) ?? [])!,
  );
  return (await vault.open(partner, states))(states);
}

/** The name of a contact's claim on an address: whoever erases the contact destroys what it owns. */
export const ownerOf = ({ vault }: Context, partner: string, channel: Channel, to: string) =>
  externalIdName(vault, partner, { source: channel, id: to });
