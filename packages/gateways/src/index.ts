export * from "./types.ts";
export { magicOutcome, type MagicOutcome } from "./magic.ts";
export { simulatorReceipts, type DelayedReceipt } from "./receipts.ts";
export { createGateway, createGateways, GatewayRefused } from "./factory.ts";
export { recordReceipts, type ReceiptSource } from "./record-receipts.ts";
