export * from "./ids.ts";
export * from "./failpoint.ts";
export * from "./money.ts";
export * from "./define.ts";
export * from "./events/index.ts";
export { eventSchema, eventValidator } from "./validate.ts";
export * from "./errors.ts";
export * from "./keys.ts";
export * from "./seal.ts";
