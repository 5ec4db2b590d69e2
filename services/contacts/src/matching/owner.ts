import type { GatewayDirectory } from "@heliograph/runtime";

export type InboundOwner =
  | { readonly kind: "known"; readonly partner: string; readonly because: string }
  | { readonly kind: "unknown"; readonly reason: string };

/**
 * Whose a message is that came through a gateway to one of our addresses: the partner to whom the address was assigned; the gateway's; the partner whose
 * sandbox it was written into; who last sent through the gateway.
 */
export async function ownerOfInbound(
  directory: Pick<GatewayDirectory, "senderOf">,
  inbound: {
    readonly gatewayId: string;
    readonly gatewayPartner: string | undefined;
    readonly to: string;
    readonly sandboxOf: string | undefined;
  },
  spaceOf: (partner: string) => string,
  lastSender: () => Promise<string | undefined>,
): Promise<InboundOwner> {
  const known = (partner: string, because: string) =>
    ({ kind: "known", partner, because }) as const;
  const { gatewayId, gatewayPartner, to, sandboxOf } = inbound;
  const assigned = directory.senderOf(gatewayId, to);
  if (assigned !== undefined) return known(spaceOf(assigned), "the address is assigned");
  if (gatewayPartner !== undefined)
    return known(spaceOf(gatewayPartner), "the gateway is the partner's");
  if (sandboxOf !== undefined) return known(sandboxOf, "it was written into the sandbox");
  const last = await lastSender();
  return last === undefined
    ? {
        kind: "unknown",
        reason: `nobody owns ${to}: PUT /admin/senders says whose it is, then retry the dead letter`,
      }
    : known(spaceOf(last), "the partner last sent through the gateway");
}
