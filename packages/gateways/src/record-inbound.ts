import {
  type Channel,
  type EventData,
  deterministicId,
  streamOf,
  uuid5,
} from "@heliograph/contracts";
import { externalIdName } from "@heliograph/channels";
import type { EventLog, Metadata, Outcome } from "@heliograph/log";
import type { Vault } from "@heliograph/vault";
import { keep } from "./kept-bytes.ts";
import { sealedFiles } from "./record-callback.ts";

type Received = EventData<"InboundReceived">;

/** Something that came from a person, as its provider posted it. Addresses are in the one form of their channel. */
export type Posted = {
  readonly gateway: { readonly id: string; readonly kind: string };
  readonly channel: Channel;
  readonly providerMessageId: string;
  /** The partner whose sandbox it is; left out where the address that was written to decides. */
  readonly partner?: string;
  readonly from: string;
  /** The address of ours that it came to, where it comes once to each under one provider's id, as a mail does. Left out where the provider's id is of one address. */
  readonly to?: string | undefined;
  readonly proof?: Received["sender_proof"] | undefined;
  /** RFC 3339. */
  readonly receivedAt: string;
  readonly contentType: string;
  readonly raw: Buffer;
  readonly files?: Received["files"];
  /** What it stood in. */
  readonly callbackId?: string;
  /** Those of its other parts. */
  readonly furtherCallbackIds?: readonly string[];
};

/**
 * The ids follow from what the provider calls it, so what is posted twice is there once. In the sandbox all partners share the simulated gateways: there the
 * partner belongs to the name. A mail to two addresses of ours has one Message-ID and is of two partners: there the address does.
 */
export function inboundIds({ gateway, providerMessageId, partner = "", to }: Posted): {
  readonly inboundId: string;
  readonly messageId: string;
} {
  const parts = [gateway.id, partner, providerMessageId, ...(to === undefined ? [] : [to])];
  return {
    inboundId: deterministicId("inb", "inbound", ...parts),
    messageId: deterministicId("msg", "inbound", ...parts),
  };
}

/** Under which id a file is kept that came with it as the provider's alone: `place` is that among those that `inbound` of the kind reads. */
export const receivedFileId = (inboundId: string, place: number): string =>
  deterministicId("att", inboundId, "file", String(place));

/** Stores it before it is interpreted. The bytes are sealed under a key of the record that goes when a contact with the sender's address is erased. */
export async function recordInbound(
  { log, vault }: { readonly log: Pick<EventLog, "append">; readonly vault: Vault },
  posted: Posted,
  metadata: Metadata,
): Promise<{ readonly messageId: string; readonly position: bigint | undefined }> {
  const { inboundId, messageId } = inboundIds(posted);
  const { partner = "", channel, from, files, furtherCallbackIds: further = [] } = posted;
  const owner = externalIdName(vault, partner, { source: channel, id: from });
  const seal = await vault.seal({ partner, subject: inboundId, owners: [owner] });
  const kept = keep(posted.raw);
  const data: Received = {
    inbound_id: inboundId,
    message_id: messageId,
    gateway_id: posted.gateway.id,
    gateway_kind: posted.gateway.kind,
    channel,
    provider_message_id: posted.providerMessageId,
    ...(posted.partner !== undefined && { partner_id: posted.partner }),
    ...(posted.callbackId !== undefined && { callback_id: posted.callbackId }),
    ...(further.length > 0 && { further_callback_ids: [...further] }),
    ...(posted.proof !== undefined && { sender_proof: posted.proof }),
    content_type: posted.contentType,
    raw: seal(kept.raw),
    encoding: kept.encoding,
    ...(files !== undefined && { files: sealedFiles(files, seal) }),
    received_at: posted.receivedAt,
  };
  const event = {
    id: uuid5(inboundId, "InboundReceived"),
    type: "InboundReceived",
    data,
    metadata: { ...metadata, correlation: messageId },
  };
  const [outcome] = await log.append([
    { stream: streamOf("inbound", inboundId), expected: "no_stream", events: [event] },
  ]);
  return { messageId, position: positionOf(outcome!) };
}

/** Of the event that is there now; a provider that posted it before is not told the difference. */
function positionOf(outcome: Outcome): bigint | undefined {
  if (outcome.kind === "invalid") throw new Error(`InboundReceived: ${outcome.message}`);
  return outcome.kind === "conflict" ? undefined : outcome.position;
}
