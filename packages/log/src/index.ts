export * from "./types.ts";
export { openMemoryLog } from "./memory.ts";
export type { MemoryLogOptions } from "./memory.ts";
export { openPostgresLog } from "./postgres/log.ts";
export type { PostgresLogOptions } from "./postgres/log.ts";
export { InvalidConnectionString } from "./eventstoredb/invalid-connection-string.ts";
export {
  openEventStoreCopySource,
  openEventStoreCopyTarget,
  openEventStoreLog,
} from "./eventstoredb/open.ts";
export type { EventStoreLogOptions } from "./eventstoredb/log.ts";
export { endingAt, eventsBefore, eventsUntil } from "./as-of.ts";
export { firstBehind, positionBefore } from "./by-time.ts";
export { Company } from "./company.ts";
export { FairQueue } from "./fair-queue.ts";
export type { AppendWatch, ArchiveSize, ArchiveWatch } from "./watch.ts";
export { PatientPool } from "./postgres/patient-pool.ts";
export { connectedTo, refusalOf, refusedBy, untilBack } from "./postgres/outage.ts";
export { logMigrations, migrate } from "./postgres/schema.ts";
export { verifyPostgresLog, verifyPostgresTail } from "./postgres/verify-log.ts";
export { verifyByReading } from "./verify-log.ts";
export type { LogFlaw, VerifiedLog, VerifyLogOptions } from "./verify-log.ts";
export { applyMigrations, SchemaTooNew } from "./postgres/migrations.ts";
export { CheckpointAhead } from "./feed.ts";
export { change, MAX_CHANGE_TRIES, recordedOf } from "./change.ts";
export type { Changed, ChangeOptions, Decision } from "./change.ts";
export * from "./copy/index.ts";
export {
  ArchiveRefused,
  archivePostgresLog,
  lookAtArchives,
  restorePostgresLog,
} from "./postgres/archive/archive.ts";
export type { Archived, ArchiveOptions } from "./postgres/archive/archive.ts";
export type { Manifest as ArchiveManifest } from "./postgres/archive/format.ts";
export { ArchiveDamaged } from "./postgres/archive/files.ts";
export { openPostgresCopySource, openPostgresCopyTarget } from "./postgres/copy-target.ts";
export type { PostgresCopyOptions, PostgresCopySource } from "./postgres/copy-target.ts";
export type { EventStoreCopyOptions } from "./eventstoredb/copy-target.ts";
