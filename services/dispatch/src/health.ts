import { writeGatewayHealth, type GatewayHealth } from "./tables/gateways.ts";
import type pg from "pg";
import type { Connections } from "./connections.ts";
import type { Environment } from "@heliograph/contracts";
import { forgetBreaker, showBreaker } from "./metrics.ts";
import { slowWords } from "./pace.ts";

/** Rows are written at most so often, and only those that changed. */
const EVERY_MS = 1_000;

/** Publishes how the gateways do, for `GET /gateways` and `/metrics`. A failure is left to the next round: the numbers are no promise. */
export function publishHealth(
  connections: Connections,
  environment: Environment,
  pool: pg.Pool,
  now: () => number,
): { close(): void } {
  const written = new Map<string, string>();
  let shown: readonly string[] = [];
  let busy = false;

  async function publish(): Promise<void> {
    const rows: GatewayHealth[] = [];
    for (const { config, breaker, rest, stats, open } of connections.all) {
      const { calls, successRate, p50, p95 } = stats.summary();
      const slow = breaker.slow(now());
      const restsUntil = rest.until(now());
      const row: GatewayHealth = {
        gateway_id: config.gateway_id,
        breaker: breaker.state(now()),
        slow: slow === undefined ? null : slowWords(slow),
        throttled_until: restsUntil === undefined ? null : new Date(restsUntil),
        success_rate: successRate,
        latency_p50_ms: p50,
        latency_p95_ms: p95,
        calls,
        in_flight: open,
      };
      const text = JSON.stringify(row);
      if (written.get(row.gateway_id) === text) continue;
      written.set(row.gateway_id, text);
      rows.push(row);
    }
    if (rows.length > 0) await writeGatewayHealth(pool, rows);
  }

  function show(): void {
    const names = connections.all.map(({ name }) => name);
    for (const name of shown) if (!names.includes(name)) forgetBreaker(environment, name);
    for (const { name, breaker } of connections.all)
      showBreaker(environment, name, breaker.state(now()));
    shown = names;
  }

  show();
  const timer = setInterval(() => {
    show();
    if (busy) return;
    busy = true;
    publish()
      .catch(() => written.clear())
      .finally(() => (busy = false));
  }, EVERY_MS).unref();
  return {
    close() {
      clearInterval(timer);
      for (const name of shown) forgetBreaker(environment, name);
    },
  };
}
