import { httpErrors } from "../call.ts";
import { gatewayKind, type GatewayKind } from "../descriptor.ts";
import { createBroadcastGateway } from "./connector.ts";
import { BroadcastSecrets, BroadcastSettings } from "./settings.ts";

/** One message to a list that a provider keeps, over another gateway: one of `carriers`, whose providers keep lists. Nobody confirms that it arrived. */
export const broadcast = (carriers: readonly GatewayKind[]): GatewayKind =>
  gatewayKind({
    kind: "broadcast",
    channels: ["broadcast"],
    environments: ["live"],
    settings: BroadcastSettings,
    secrets: BroadcastSecrets,
    errors: Object.assign({ ...httpErrors }, ...carriers.map(({ errors }) => errors)),
    create: createBroadcastGateway,
    through: ({ via, per_second }) => ({ gateway: via, perSecond: per_second }),
    rebuiltBy: [],
    // None of those that it goes through can be asked about a message to a list.
    asks: false,
    hasBreaker: true,
  });
