export * from "./messages.ts";
export * from "./templates.ts";
