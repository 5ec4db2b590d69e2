export * from "./lifecycle.ts";
export * from "./wallet.ts";
export * from "./messages.ts";
export * from "./webhooks.ts";
export * from "./gateways.ts";
export * from "./templates.ts";
export * from "./webhook-replays.ts";
