import { externalIdName } from "@heliograph/channels";
import { deterministicId } from "@heliograph/contracts";
import {
  providerIdKeys,
  reportedPart,
  toldThrough,
  type CalledGateway,
  type Receipt,
} from "@heliograph/gateways";
import type { RecordedEvent } from "@heliograph/log";
import type { ServiceContext } from "@heliograph/runtime";
import type { ProviderId } from "../tables/provider-ids.ts";

export type SentEvent = RecordedEvent<"MessageSent" | "MessageResent">;

/** In the place of a message that is not known: what is told of it waits in `unmatched-<this>`. Of gateways that are told together, `gateway` is that through which they are. */
export const standInOf = ({ gateway, key }: Pick<ProviderId, "gateway" | "key">): string =>
  deterministicId("msg", "unmatched", gateway, key);

/** Wherever it may wait what is told of a message that becomes known: at its gateway, or in the place of all that are told together with it. */
export function standInsOf(
  { directory, environment }: Pick<ServiceContext, "directory" | "environment">,
  { gateway, key }: Pick<ProviderId, "gateway" | "key">,
): readonly string[] {
  const now = directory.gateways(environment).find(({ name }) => name === gateway);
  return [gateway, ...(now === undefined ? [] : toldThrough(now))].map((under) =>
    standInOf({ gateway: under, key }),
  );
}

/** A gateway as it is now; of one that is gone there is no more than what the event says. */
export function gatewayNow(
  { directory, environment }: Pick<ServiceContext, "directory" | "environment">,
  then: Pick<CalledGateway, "name" | "kind" | "channel">,
): CalledGateway {
  const now = directory.gateways(environment).find(({ name }) => name === then.name);
  return now?.kind === then.kind ? { ...then, settings: now.settings } : then;
}

/** Which part of a message a report is about, by the id that was answered and the one that it names; nothing where it is about the whole, or the gateway is gone. */
export function partNow(
  { directory, environment }: Pick<ServiceContext, "directory" | "environment">,
  gateway: string,
  accepted: string,
  reported: string,
): Pick<Receipt, "part"> {
  const now = directory.gateways(environment).find(({ name }) => name === gateway);
  const part = now && reportedPart(now, accepted, reported);
  return part === undefined ? {} : { part };
}

/** By what providers call the messages that they have taken. */
export async function providerIdsOf(
  context: Pick<ServiceContext, "environment" | "directory" | "vault">,
  events: readonly SentEvent[],
): Promise<readonly ProviderId[]> {
  const { vault } = context;
  const open = await vault.open(undefined, ...events.map(({ data }) => data.message.to));
  return events.flatMap(({ data, metadata }) => {
    const { gateway, gateway_kind: kind, message, message_id, provider } = data;
    const { channel } = message;
    const partner = metadata.partner ?? "";
    const owner = externalIdName(vault, partner, { source: channel, id: open(message.to) });
    const now = gatewayNow(context, { name: gateway, kind, channel });
    const { message_id: accepted, server_message_id: further } = provider;
    const ids = further === undefined ? [accepted] : [accepted, further];
    const keys = new Set(ids.flatMap((id) => providerIdKeys(now, id)));
    return [...keys].map((key) => ({
      gateway,
      key,
      message_id,
      provider_message_id: provider.message_id,
      partner,
      owner,
    }));
  });
}
