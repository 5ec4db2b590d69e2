export * from "./types.ts";
export * from "./settings.ts";
