import type { GatewayDirectory } from "@heliograph/runtime";

/** The directory of a platform without partners, gateways and people, whose sandboxes were never reset; a test gives what it has besides. */
export const directoryDouble = (has: Partial<GatewayDirectory> = {}): GatewayDirectory => ({
  agent: () => undefined,
  agentsOf: () => [],
  gateways: () => [],
  routing: () => [],
  partner: () => undefined,
  knows: async () => false,
  spaceOf: (_, partner) => partner,
  isOver: () => false,
  senderOf: () => undefined,
  senderPools: () => [],
  senderRules: () => [],
  prices: () => undefined,
  priceListOf: () => undefined,
  onChange: () => () => undefined,
  ...has,
});
