import { mayHave } from "./choose.ts";
import type { Connection, Connections } from "./connections.ts";
import { recipientOf, routedOf, type Task } from "./job.ts";
import { restOfAll, type Rested, unhealthyFor } from "./rest.ts";

/** What a gateway takes that names no rate. */
const USUAL_PER_SECOND = 1_000;

/** What a gateway takes in a second: by its rate, and by how long its calls take. */
const perSecondOf = ({ config, stats }: Connection): number =>
  Math.min(
    config.max_per_second ?? USUAL_PER_SECOND,
    (config.max_concurrent / stats.medianMs) * 1_000,
  );

/** How long a message has to wait, ms; `rest`: because its providers take no more for now by any gateway that may have it. */
export type Wait = { readonly forMs: number; readonly rest: Rested | undefined };

/**
 * Estimates for jobs, one after the other, how long each has to wait for gateways that may have it, ms: behind those that were asked about before and go the same way, and not before
 * one of these gateways is healthy. What goes another way does not count.
 */
export function estimateWaits(connections: Connections, now: number): (task: Task) => Wait {
  const ahead = new Map<string, number>();
  return (task) => {
    const candidates = mayHave(connections.routeOf(routedOf(task)));
    const to = recipientOf(task);
    const why = unhealthyFor(to, now);
    const healthy = candidates.filter((connection) => why(connection) === undefined);
    if (healthy.length === 0) {
      const rest = restOfAll(candidates, to, now);
      if (rest !== undefined) return { forMs: rest.until - now, rest };
      const times = candidates.flatMap(
        (connection) => connection.rest.until(now, to) ?? connection.nextAt() ?? [],
      );
      return { forMs: times.length === 0 ? 0 : Math.min(...times) - now, rest: undefined };
    }
    const way = healthy.map(({ name }) => name).join("\n");
    const before = ahead.get(way) ?? 0;
    ahead.set(way, before + 1);
    const perSecond = healthy.reduce((sum, each) => sum + perSecondOf(each), 0);
    return { forMs: (before / perSecond) * 1_000, rest: undefined };
  };
}
