export * from "./types.ts";
export { openMemoryLog } from "./memory.ts";
export type { MemoryLogOptions } from "./memory.ts";
export { openPostgresLog } from "./postgres/log.ts";
export type { PostgresLogOptions } from "./postgres/log.ts";
export { migrate } from "./postgres/schema.ts";
export { CheckpointAhead } from "./feed.ts";
