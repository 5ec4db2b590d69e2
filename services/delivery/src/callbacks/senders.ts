import { channelModule, externalIdName } from "@heliograph/channels";
import type { EventData } from "@heliograph/contracts";
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
};

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

  function proofOf(each: Unproven): SenderProof | undefined {
    const { event, item } = each;
    if (item.claim === undefined) return undefined;
    if (item.claim.authenticated) return { by: "server" };
    const { channel } = event.data;
    const address = channelModule(channel).recipient(item.from);
    if (address.kind === "fault") return { by: "nothing" };
    const ref = { source: channel, id: address.value.to };
    const answered = keysOf(each)
      .flatMap((key) => known.get(nameOf(key)) ?? [])
      .find(({ partner, owner }) => owner === externalIdName(context.vault, partner, ref));
    return answered === undefined
      ? { by: "nothing" }
      : { by: "answer", message_id: answered.message_id, partner_id: answered.partner };
  }
  return written.map((each) => {
    const { event, item, to } = each;
    return { event, item, to, proof: proofOf(each) };
  });
}
