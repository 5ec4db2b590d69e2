import type * as Copies from "./copy-target.ts";
import type * as Logs from "./log.ts";

// The client of EventStoreDB takes 0.1 s to load: only a process that uses it loads it.

export const openEventStoreLog: typeof Logs.openEventStoreLog = async (options) =>
  (await import("./log.ts")).openEventStoreLog(options);

export const openEventStoreCopySource: typeof Copies.openEventStoreCopySource = async (options) =>
  (await import("./copy-target.ts")).openEventStoreCopySource(options);

export const openEventStoreCopyTarget: typeof Copies.openEventStoreCopyTarget = async (options) =>
  (await import("./copy-target.ts")).openEventStoreCopyTarget(options);
