export { attemptIdOf, simulatedMessageId } from "./attempt-id.ts";
export * from "./types.ts";
export {
  GatewayRefused,
  type Declaration,
  type GatewayKind,
  type InboundReading,
  type InboundRequest,
  type Secrets,
} from "./descriptor.ts";
export { isSameConfig } from "./configuration.ts";
export {
  configured,
  createGateway,
  declaredGateways,
  kindOf,
  needsNewConnection,
  parseInbound,
  playedReceipts,
  reconfigured,
  takesInbound,
} from "./registry.ts";
export { recordReceipts, type ReceiptSource } from "./record-receipts.ts";
