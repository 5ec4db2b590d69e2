import type { Through } from "./descriptor.ts";
import { gatewayKinds, kindOf } from "./registry.ts";
import type { GatewayConfig } from "./types.ts";

/** The gateway that this one goes through; undefined for one with a provider of its own, which nearly all are. */
export const throughOf = ({
  kind,
  settings,
}: Pick<GatewayConfig, "kind" | "settings">): Through | undefined =>
  gatewayKinds.find((known) => known.kind === kind)?.through?.(settings);

/** With the pace that its settings name as its rate, where that is the slower one. */
export function paced(config: GatewayConfig): GatewayConfig {
  const perSecond = throughOf(config)?.perSecond;
  if (perSecond === undefined) return config;
  return { ...config, max_per_second: Math.min(perSecond, config.max_per_second ?? perSecond) };
}

/** Why nothing can go through the gateway that the settings of this one name; undefined where it can, or where there is none to go through. */
export function throughFault(
  config: Omit<GatewayConfig, "secrets">,
  gateways: readonly GatewayConfig[],
): string | undefined {
  const through = throughOf(config);
  if (through === undefined) return undefined;
  const via = gateways.find(
    ({ gateway_id, environment }) =>
      gateway_id === through.gateway && environment === config.environment,
  );
  if (via === undefined) return `there is no such gateway in ${config.environment}`;
  const { name, kind, enabled, partner_id } = via;
  if (kindOf(via).keepsLists !== true) {
    const keep = gatewayKinds.filter(({ keepsLists }) => keepsLists).map((one) => one.kind);
    return `${name} is of kind ${kind}, whose providers keep no lists: it must be one of ${keep.join(", ")}`;
  }
  if (partner_id !== undefined && partner_id !== config.partner_id)
    return `${name} is another partner's`;
  return enabled ? undefined : `${name} is disabled`;
}
