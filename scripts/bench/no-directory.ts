import type { ServiceContext } from "@heliograph/runtime";

/** A platform without gateways, partners and people, for consumers that ask for none. */
export const noDirectory: ServiceContext["directory"] = {
  gateways: () => [],
  partner: () => undefined,
  knows: async () => false,
  routing: () => [],
  senderOf: () => undefined,
  spaceOf: (_, partner) => partner,
  isOver: () => false,
  prices: () => undefined,
  priceListOf: () => undefined,
  agent: () => undefined,
  agentsOf: () => [],
  onChange: () => () => undefined,
};
