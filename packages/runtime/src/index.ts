export * from "./types.ts";
export * from "./settings.ts";
export { settingNotes, type SettingNote } from "./settings-table.ts";
export * from "./databases.ts";
export { type Looking } from "./looking.ts";
export { type NoteJob, runJobs } from "./long-jobs.ts";
export { type JobEnd, type JobStatus, type JobTable, jobTable } from "./tables/long-jobs.ts";
export * from "./logger.ts";
export { commitParts, Fenced, inSchema, quoteSchema } from "./tables/parts.ts";
export {
  clockSkewMs,
  isUnderWay,
  watchClock,
  watchSetBack,
  WORTH_SAYING_MS as clockSkewWorthSayingMs,
} from "./clock.ts";
export { databaseBytes, databaseTime, schemaVersions, serverVersion } from "./tables/databases.ts";
export { type ClockState, type PartnerClock, realClock, virtualClock } from "./virtual-clock.ts";
export { StartError, untilItAnswers } from "./boot.ts";
export { Others } from "./others.ts";
export { followUp } from "./follow-up.ts";
export { UnderWay, sendsUnderWay } from "./under-way.ts";
export { atMost, isMachinery, messageOf, oneAtATime, pause, restMs } from "./faults.ts";
export { startConsumers, type RunningConsumers } from "./consumers.ts";
export {
  countDeadLetters,
  listDeadLetters,
  openDeadLetters,
  quarantine,
  retryDeadLetter,
  type DeadLetter,
} from "./tables/dead-letters.ts";
export { tracedHistogram, type TracedSeries } from "./exemplars.ts";
export {
  collectProcessMetrics,
  metricsAnswer,
  metricsRegister,
  tellWorkersMetrics,
} from "./process-metrics.ts";
export type { ConsumerStatus } from "./status.ts";
export { listProjections, type ProjectionRow } from "./tables/consumers.ts";
export {
  cancelRebuild,
  readRebuild,
  requestRebuild,
  withdrawRebuild,
  type RebuildJob,
} from "./tables/jobs.ts";
export { rebuildProjector, type RebuildResult } from "./rebuild.ts";
export { rebuildTogether } from "./rebuild-together.ts";
export type { TableDifference } from "./tables/row-differences.ts";
export { hurry } from "./hurry.ts";
export { CommitWindow, lazyWindow } from "./window.ts";
export { isStopped } from "./stopped.ts";
export { checkpointOf } from "./tables/checkpoint.ts";
export {
  prepareConsumer,
  prepareRuntime,
  prepareTables,
  runtimeMigrationCount,
} from "./tables/schema.ts";
export { holding } from "./tables/holding.ts";
export { inTransaction } from "./tables/transaction.ts";
export { fixedShards, fixShards } from "./tables/division.ts";
export { onlyShard } from "./source.ts";
export { runConsumer } from "./run-consumer.ts";
export { easePressure } from "./pressure.ts";
export { type Alarm, createAlarm } from "./alarm.ts";
export { gathering } from "./limits/gathering.ts";
export { type Limiter, memoryLimiter } from "./limits/limiter.ts";
export { burstOf, intervalMs, type Limit, RateLimiter, type Verdict } from "./limits/rate-limit.ts";
export { SharedLimiter } from "./limits/shared-limiter.ts";
export {
  type DayAsk,
  type DayGrant,
  forgetDays,
  forgetFullBuckets,
  giveBackToDay,
  limitTables,
  readDay,
  takeFromBuckets,
  takeFromDays,
} from "./tables/limits.ts";
