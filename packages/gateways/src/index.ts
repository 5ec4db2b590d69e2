export * from "./types.ts";
export { GatewayRefused, type Declaration, type GatewayKind, type Secrets } from "./descriptor.ts";
export { isSameConfig, sealedConfig } from "./configuration.ts";
export {
  createGateway,
  declaredGateways,
  kindOf,
  needsNewConnection,
  playedReceipts,
} from "./registry.ts";
export { recordReceipts, type ReceiptSource } from "./record-receipts.ts";
