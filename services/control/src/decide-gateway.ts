import { currentVersion, type EventData } from "@heliograph/contracts";
import type { Decision, RecordedEvent } from "@heliograph/log";

export type Gateway = EventData<"GatewayConfigured">;
/** A gateway as its stream tells it. */
export type StoredGateway = { readonly config: Gateway; readonly revision: number };
export type GatewayRefusal = "taken" | "not_found";

export function evolveGateway(
  stored: StoredGateway | undefined,
  { type, data, revision }: Pick<RecordedEvent, "type" | "data" | "revision">,
): StoredGateway | undefined {
  if (type === "GatewayConfigured") return { config: data as Gateway, revision };
  return type === "GatewayRemoved" ? undefined : stored;
}

const configuredAs = (data: Gateway) => ({
  type: "GatewayConfigured",
  version: currentVersion("GatewayConfigured"),
  data,
});

/** A name is taken while there is a gateway of it; one that was removed leaves it free. */
export const decideCreation = (
  stored: StoredGateway | undefined,
  config: Gateway,
): Decision<GatewayRefusal> =>
  stored === undefined ? { events: [configuredAs(config)] } : { refusal: "taken" };

/** Nothing happens where all of it is so already. */
export function decideChange(
  stored: StoredGateway | undefined,
  change: (config: Gateway) => Gateway,
): Decision<GatewayRefusal> {
  if (stored === undefined) return { refusal: "not_found" };
  const config = change(stored.config);
  return JSON.stringify(config) === JSON.stringify(stored.config)
    ? { events: [] }
    : { events: [configuredAs(config)] };
}

export const decideRemoval = (
  stored: StoredGateway | undefined,
  removed_at: string,
): Decision<GatewayRefusal> => {
  if (stored === undefined) return { refusal: "not_found" };
  const { gateway_id, environment } = stored.config;
  return { events: [{ type: "GatewayRemoved", data: { gateway_id, environment, removed_at } }] };
};
