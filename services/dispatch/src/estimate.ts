import type { Connection, Connections } from "./connections.ts";
import { routedOf, type Task } from "./job.ts";

/** What a gateway takes that names no rate. */
const USUAL_PER_SECOND = 1_000;

/** What a gateway takes in a second: by its rate, and by how long its calls take. */
const perSecondOf = ({ config, stats }: Connection): number =>
  Math.min(
    config.max_per_second ?? USUAL_PER_SECOND,
    (config.max_concurrent / stats.medianMs) * 1_000,
  );

/**
 * Estimates for jobs, one after the other, how long each has to wait for gateways that may have it, ms: behind those that were asked about before and go the same way, and not before
 * one of these gateways is healthy. What goes another way does not count.
 */
export function estimateWaits(connections: Connections, now: number): (task: Task) => number {
  const ahead = new Map<string, number>();
  return (task) => {
    const { candidates } = connections.routeOf(routedOf(task));
    const healthy = candidates.filter(({ unhealthy }) => unhealthy === undefined);
    if (healthy.length === 0) {
      const times = candidates.flatMap((connection) => connection.nextAt() ?? []);
      return times.length === 0 ? 0 : Math.min(...times) - now;
    }
    const way = healthy.map(({ name }) => name).join("\n");
    const before = ahead.get(way) ?? 0;
    ahead.set(way, before + 1);
    return (before / healthy.reduce((sum, each) => sum + perSecondOf(each), 0)) * 1_000;
  };
}
