import { knownExternalId } from "@heliograph/channels";
import { streamOf } from "@heliograph/contracts";
import {
  recordInbound,
  recordReceipts,
  recordUnmatched,
  type Receipt,
  type ReceiptSource,
  type Report,
} from "@heliograph/gateways";
import type { ServiceContext } from "@heliograph/runtime";
import type { Adopted, Vault } from "@heliograph/vault";
import type { ProviderId } from "../tables/provider-ids.ts";
import type { Interpreted, Told } from "./interpret.ts";
import { saidBy, type CallbackEvent, type Of } from "./reading.ts";
import { partNow } from "./provider-ids.ts";
import type { SenderProof } from "./senders.ts";

/** Within what an event has room for, whatever a provider says. */
const reported = (
  { eventId, status, permanent, error, diagnostic, occurredAt }: Report,
  gateway: string,
  receivedAt: string,
): Omit<Receipt, "message_id" | "provider_message_id"> => ({
  gateway,
  provider_event_id: eventId.slice(0, 255),
  status,
  ...(permanent !== undefined && { permanent }),
  ...(error !== undefined && { error }),
  ...(diagnostic !== undefined && { diagnostic: diagnostic.slice(0, 2_000) }),
  occurred_at: occurredAt ?? receivedAt,
});

/** What a report comes to as a receipt of its message. */
export const receiptOf = (
  context: Pick<ServiceContext, "directory" | "environment">,
  { event, report, to, providerMessageId }: Told,
): Receipt => ({
  message_id: to.message_id,
  provider_message_id: providerMessageId,
  ...partNow(context, to.gateway, providerMessageId, report.providerMessageId),
  ...reported(report, to.gateway, event.data.received_at),
});

/** Appends everything that was told. One stream's trouble is nobody else's; what was appended before is there once. */
export async function record(
  context: ServiceContext,
  { receipts, unmatched, inbound }: Interpreted,
): Promise<void> {
  const { log } = context;
  await recordReceipts(
    log,
    receipts.map((told) => ({
      receipt: receiptOf(context, told),
      partner: told.to.partner,
      causation: told.event.id,
    })),
  );
  await recordUnmatched(
    log,
    unmatched
      .filter(({ waits }) => waits)
      .map(({ event, report, under, standIn }) => ({
        standIn,
        under,
        causation: event.id,
        data: {
          callback_id: event.data.callback_id,
          provider_message_id: report.providerMessageId.slice(0, 512),
          ...reported(report, event.data.gateway, event.data.received_at),
        },
      })),
  );
  for (const { event, item, to, proof, files } of inbound)
    await recordWritten(context, event, { ...item, to, proof, files });
}

type Written = Pick<Of<"inbound">, "providerMessageId" | "from" | "contentType" | "raw"> & {
  /** As `to` of what is recorded. */
  readonly to?: string | undefined;
  readonly proof?: SenderProof | undefined;
  readonly files?: CallbackEvent["data"]["files"];
};

/** Stores what a person wrote; `further` are the other callbacks that a part of it stood in. */
export async function recordWritten(
  { log, vault }: ServiceContext,
  event: CallbackEvent,
  item: Written,
  further: readonly string[] = [],
): Promise<void> {
  const { data } = event;
  await recordInbound(
    { log, vault },
    {
      gateway: { id: data.gateway_id, kind: data.gateway_kind },
      channel: data.channel,
      providerMessageId: item.providerMessageId,
      from: knownExternalId(data.channel, item.from).id,
      to: item.to,
      proof: item.proof,
      receivedAt: data.received_at,
      contentType: item.contentType,
      raw: item.raw,
      files: item.files,
      callbackId: data.callback_id,
      furtherCallbackIds: further,
    },
    { actor: `gateway:${data.gateway}`, causation: event.id },
  );
}

/** The keys of callbacks go with the people whom they are about. */
export const adoptAll = (
  vault: Vault,
  told: readonly Pick<Told, "event" | "to">[],
): Promise<void> =>
  vault.adopt(
    told.map(({ event, to: { partner, owner } }) => ({
      subject: event.data.callback_id,
      partner,
      owners: [owner],
    })),
  );

/** A message that is known now, and the stand-in under which something waited for it. */
type Waited = { readonly message: ProviderId; readonly standIn: string };

/** What waited for these messages becomes theirs, as if it had come now: of the gateway that each was sent by, whichever was told. */
export async function recall(context: ServiceContext, waited: readonly Waited[]): Promise<void> {
  const { log, vault } = context;
  const streams = await log.readStreams(
    waited.map(({ standIn }) => streamOf("unmatched", standIn)),
  );
  const sources: ReceiptSource[] = [];
  const adopted: Adopted[] = [];
  for (const { message, standIn } of waited) {
    const { gateway, message_id, provider_message_id, partner, owner } = message;
    for (const event of streams.get(streamOf("unmatched", standIn)) ?? []) {
      const { callback_id, ...told } = event.data;
      const { causation } = event.metadata;
      adopted.push({ subject: callback_id, partner, owners: [owner] });
      const part = partNow(context, gateway, provider_message_id, told.provider_message_id);
      const said = told.gateway === gateway ? told : saidBy(gateway, told);
      sources.push({
        receipt: { ...said, ...part, gateway, message_id, provider_message_id },
        partner,
        ...(causation !== undefined && { causation }),
      });
    }
  }
  await vault.adopt(adopted);
  await recordReceipts(log, sources);
}
