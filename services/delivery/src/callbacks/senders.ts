import { channelModule, externalIdName } from "@heliograph/channels";
import { streamOf, type Channel, type EventData } from "@heliograph/contracts";
import { providerIdKeys, type CalledGateway } from "@heliograph/gateways";
import { findProviderIds } from "../tables/provider-ids.ts";
import { keysAt, nameOf, type CallbackEvent, type Of, type ReadingContext } from "./reading.ts";

export type SenderProof = NonNullable<EventData<"InboundReceived">["sender_proof"]>;

/** What a person wrote, and those who may have sent what it answers. */
export type Unproven = {
  readonly event: CallbackEvent;
  readonly item: Of<"inbound">;
  readonly to: string | undefined;
  readonly gateway: CalledGateway;
  readonly senders: readonly string[];
  /** Opened. */
  readonly files: CallbackEvent["data"]["files"];
};

type Answered = { readonly message_id: string; readonly partner: string; readonly owner: string };

/**
 * What says that each was written by whom it says. Anybody can write a mail in somebody else's name: it is believed where a server that is trusted has checked it, or where it names one of our messages
 * to that very address, whose ids nobody else has seen.
 */
export async function proveSenders(
  { context, schema }: { readonly context: ReadingContext; readonly schema: string },
  written: readonly Unproven[],
) {
  const keysOf = ({ item, gateway, senders }: Unproven) =>
    keysAt(
      senders,
      (item.claim?.answers ?? []).flatMap((id) => providerIdKeys(gateway, id)),
    );
  const wanted = written.flatMap(keysOf);
  const known = Map.groupBy(await findProviderIds(context.pool, schema, wanted), nameOf);
  const requested = await recipientsOf(
    context,
    written.flatMap(({ item }) => item.claim?.messages ?? []),
  );

  function proofOf(each: Unproven): SenderProof | undefined {
    const { event, item } = each;
    if (item.claim === undefined) return undefined;
    if (item.claim.authenticated) return { by: "server" };
    const { channel } = event.data;
    const address = channelModule(channel).recipient(item.from);
    if (address.kind === "fault") return { by: "nothing" };
    const ref = { source: channel, id: address.value.to };
    const answered = [
      ...item.claim.messages.flatMap((id) => requested(id, channel)),
      ...keysOf(each).flatMap((key) => known.get(nameOf(key)) ?? []),
    ].find(({ partner, owner }) => owner === externalIdName(context.vault, partner, ref));
    return answered === undefined
      ? { by: "nothing" }
      : { by: "answer", message_id: answered.message_id, partner_id: answered.partner };
  }
  return written.map((each) => {
    const { event, item, to, files } = each;
    return { event, item, to, files, proof: proofOf(each) };
  });
}

/** To whom messages were to go by a channel, by their requests: nothing that a provider answered is needed for it. */
async function recipientsOf(
  { log, vault }: ReadingContext,
  messageIds: readonly string[],
): Promise<(messageId: string, channel: Channel) => readonly Answered[]> {
  if (messageIds.length === 0) return () => [];
  const streams = await log.readStreams(
    [...new Set(messageIds)].map((id) => streamOf("message", id)),
  );
  const requests = [...streams.values()].flatMap(([first]) =>
    first?.type === "MessageRequested" ? [first] : [],
  );
  const open = await vault.open(undefined, ...requests.map(({ data }) => data));
  const byId = new Map(requests.map((request) => [request.data.message_id, request]));
  return (message_id, channel) => {
    const request = byId.get(message_id);
    if (request === undefined) return [];
    const partner = request.metadata.partner ?? "";
    const { data } = request;
    return [data, ...(data.failover ?? [])]
      .filter((step) => step.channel === channel)
      .map(({ to }) => ({
        message_id,
        partner,
        owner: externalIdName(vault, partner, { source: channel, id: open(to) }),
      }));
  };
}
