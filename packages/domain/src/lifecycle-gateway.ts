import type { TypedEvent } from "@heliograph/contracts";

/** What of gateways the outside sees: of its own gateways a partner, of those that all share nobody. */
export const gatewayTypes = {
  GatewayDegraded: "gateway.degraded",
  GatewayRecovered: "gateway.recovered",
} as const;

type GatewayNotice = TypedEvent<keyof typeof gatewayTypes>;

export const isGatewayNotice = (event: TypedEvent): event is GatewayNotice =>
  Object.hasOwn(gatewayTypes, event.type);

/** The `data` of the public event: nothing of how the gateway is set up. */
export function gatewayData({ type, data }: GatewayNotice): Readonly<Record<string, unknown>> {
  const { gateway_id, name, channel, since } = data;
  return {
    gateway_id,
    name,
    channel,
    since,
    ...(type === "GatewayDegraded" && { reason: data.reason }),
  };
}

const gateway = { gateway_id: "gtw_00000000000000000000000000", name: "sms-eu", channel: "sms" };

/** Made-up `data` of each type, at a time (RFC 3339). */
export const gatewaySamples = {
  "gateway.degraded": (since: string) => ({ ...gateway, since, reason: "unreachable" }),
  "gateway.recovered": (since: string) => ({ ...gateway, since }),
} satisfies Record<(typeof gatewayTypes)[keyof typeof gatewayTypes], (at: string) => object>;
