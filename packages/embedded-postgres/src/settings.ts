import { existsSync } from "node:fs";
import { join } from "node:path";

export type Settings = Readonly<Record<string, string>>;

/**
 * Defaults for one machine with two cores that PostgreSQL shares with the services. What a caller passes wins.
 * Passed on the command line at each start, so the cluster keeps no settings of its own.
 */
const tuned: Settings = {
  max_connections: "200",
  shared_buffers: "256MB",
  effective_cache_size: "1GB",
  work_mem: "8MB",
  maintenance_work_mem: "128MB",
  // Append-heavy: long checkpoints mean fewer full page images, and pglz halves those that remain.
  wal_compression: "on",
  wal_buffers: "16MB",
  // After a crash nothing is recovered before all files are at the disk: one call for all, and not one after another for the thousands of files of three databases.
  ...(process.platform === "linux" && { recovery_init_sync_method: "syncfs" }),
  max_wal_size: "2GB",
  min_wal_size: "256MB",
  checkpoint_timeout: "15min",
  checkpoint_completion_target: "0.9",
  synchronous_commit: "on",
  // Statements are short; compiling one costs more than running it.
  jit: "off",
  random_page_cost: "1.1",
  effective_io_concurrency: "16",
  max_worker_processes: "4",
  max_parallel_workers: "2",
  max_parallel_workers_per_gather: "1",
  io_workers: "2",
  // Head rows, checkpoints and queues are small tables updated all the time: vacuum them at 5 % dead rows, soon.
  autovacuum_naptime: "20s",
  autovacuum_max_workers: "2",
  autovacuum_vacuum_scale_factor: "0.05",
  autovacuum_analyze_scale_factor: "0.05",
  autovacuum_vacuum_cost_limit: "1000",
  bgwriter_delay: "100ms",
  bgwriter_lru_maxpages: "400",
  track_io_timing: "off",
  update_process_title: "off",
  timezone: "UTC",
  // Rows hold recipients and texts. Terse errors leave out DETAIL (key values) and statements are never logged.
  log_min_messages: "warning",
  log_min_error_statement: "panic",
  log_error_verbosity: "terse",
  log_checkpoints: "off",
  log_line_prefix: "%m [%p] ",
};

/** The server's settings: tuned defaults, then the caller's, then what this package itself decides. */
export function settingsFor(
  asked: Settings | undefined,
  { fsync, moduleFolder }: { fsync: boolean; moduleFolder: string },
): Settings {
  const settings: Record<string, string> = {
    ...tuned,
    ...asked,
    fsync: fsync ? "on" : "off",
    ...(fsync ? {} : { full_page_writes: "off", synchronous_commit: "off" }),
  };
  // A module that these binaries do not ship would keep the server from starting.
  const modules = (settings.shared_preload_libraries ?? "").split(",").map((name) => name.trim());
  const shipped = modules.filter(
    (name) => name !== "" && existsSync(join(moduleFolder, `${name}.so`)),
  );
  delete settings.shared_preload_libraries;
  if (shipped.length > 0) settings.shared_preload_libraries = shipped.join(",");
  return settings;
}

/** The command line that gives the settings to `postgres`. */
export function settingsArguments(settings: Settings): string[] {
  return Object.keys(settings)
    .toSorted()
    .flatMap((name) => ["-c", `${name}=${settings[name]}`]);
}
