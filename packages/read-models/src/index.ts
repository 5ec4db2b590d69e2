export * from "./lifecycle.ts";
export * from "./wallet.ts";
export * from "./messages.ts";
