export * from "./types.ts";
export { openMemoryLog } from "./memory.ts";
export type { MemoryLogOptions } from "./memory.ts";
