import type { AppendWatch, ArchiveSize, ArchiveWatch } from "@heliograph/log";
import { Counter, Gauge, Histogram } from "prom-client";

const labelNames = ["namespace"] as const;

const waiting = new Map<string, () => number>();
new Gauge({
  name: "heliograph_log_waiting_appends",
  help: "Appends that wait for a flush or are under way; above 10,000 new ones are refused",
  labelNames,
  collect() {
    for (const [namespace, count] of waiting) this.set({ namespace }, count());
  },
});
const flushEvents = new Histogram({
  name: "heliograph_log_flush_events",
  help: "Events that became durable together",
  labelNames,
  buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000],
});
const flushSeconds = new Histogram({
  name: "heliograph_log_flush_seconds",
  help: "How long it took to make them durable",
  labelNames,
  buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
});

const archive: Readonly<Record<keyof ArchiveSize, Gauge>> = {
  events: new Gauge({
    name: "heliograph_log_archived_events",
    help: "Events whose contents are in files of the archive",
    labelNames,
  }),
  bytes: new Gauge({
    name: "heliograph_log_archived_bytes",
    help: "Bytes of those files, as far as this process finds them",
    labelNames,
  }),
  position: new Gauge({
    name: "heliograph_log_archived_position",
    help: "Position of the last archived event",
    labelNames,
  }),
};
const archiveFailures = new Counter({
  name: "heliograph_log_archive_failures_total",
  help: "Reads of archived events whose file was not there, or not what was written",
  labelNames,
});

/** The append queue and the archive of one namespace as metrics. A log that is opened again takes the place of the one before. */
export function watchLog(namespace: string): AppendWatch & ArchiveWatch {
  const events = flushEvents.labels({ namespace });
  const seconds = flushSeconds.labels({ namespace });
  return {
    archived(size) {
      for (const part of ["events", "bytes", "position"] as const)
        archive[part].set({ namespace }, size[part]);
    },
    archiveFailed: () => archiveFailures.inc({ namespace }),
    opened: (count) => waiting.set(namespace, count),
    flushed(count, tookMs) {
      events.observe(count);
      seconds.observe(tookMs / 1_000);
    },
  };
}
