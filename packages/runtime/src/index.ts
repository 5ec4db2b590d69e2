export * from "./types.ts";
export * from "./settings.ts";
export { settingNotes, type SettingNote } from "./settings-table.ts";
export * from "./databases.ts";
export * from "./logger.ts";
export { commitParts, Fenced, inSchema, quoteSchema } from "./parts.ts";
export { watchClock } from "./clock.ts";
export { StartError, untilItAnswers } from "./boot.ts";
export { atMost, isMachinery, messageOf, oneAtATime, pause } from "./faults.ts";
export { startConsumers, type RunningConsumers } from "./consumers.ts";
export { listDeadLetters, retryDeadLetter, type DeadLetter } from "./dead-letters.ts";
export {
  listProjections,
  metricsRegister,
  type ConsumerStatus,
  type ProjectionRow,
} from "./status.ts";
export { readRebuild, requestRebuild, withdrawRebuild, type RebuildJob } from "./jobs.ts";
export { rebuildProjector, type RebuildResult } from "./rebuild.ts";
export { checkpointOf } from "./tables/checkpoint.ts";
export { prepareConsumer, prepareRuntime, prepareTables } from "./schema.ts";
export { fixedShards, fixShards } from "./division.ts";
export { partnerIn, placedFeed } from "./placed-feed.ts";
export { runConsumer, runConsumerHere } from "./run-consumer.ts";
export { easePressure } from "./pressure.ts";
