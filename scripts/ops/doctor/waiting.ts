import { environments } from "@heliograph/contracts";
import { waitingReports } from "../../../services/delivery/src/index.ts";
import { overdueTimers, readGatewayHealth } from "../../../services/dispatch/src/index.ts";
import { failingEndpoints, overdueDeliveries } from "../../../services/webhooks/src/index.ts";
import { bounded, count, duration, together, unlessMissing } from "./check.ts";
import type { Finding, OpenPlace, Status } from "./check.ts";

/** What is due is taken up within a second; so late it is only where nobody works, or far too much is due at once. */
const lateMs = 60_000;
const lostMs = 600_000;
/** Receipts of messages that nobody knows wait for a week: some always do, so many are a parser or an address that is wrong. */
const manyReports = 1_000;

const statusOfWait = (waitedMs: number): Status => (waitedMs > lostMs ? "failed" : "warning");

/** Retries, scheduled messages and webhook deliveries whose time has passed. */
export async function lookAtTimers({ pool, now }: OpenPlace): Promise<Finding> {
  const parts: { status: Status; text: string }[] = [];
  for (const environment of environments) {
    const timers = await unlessMissing(overdueTimers(pool(environment), now - lateMs));
    for (const { kind, count: many, oldestMs } of timers ?? [])
      parts.push({
        status: statusOfWait(now - oldestMs),
        text: `${environment} dispatch, ${kind}: ${count(many)} messages, the first for ${duration(now - oldestMs)}`,
      });
    const deliveries = await unlessMissing(overdueDeliveries(pool(environment), now - lateMs));
    if (deliveries !== undefined && deliveries.oldestMs !== null)
      parts.push({
        status: statusOfWait(now - deliveries.oldestMs),
        text: `${environment} webhooks: ${count(deliveries.count)} deliveries, the first for ${duration(now - deliveries.oldestMs)}`,
      });
  }
  if (parts.length === 0) return { status: "ok", summary: "nothing is overdue" };
  return together("what is due is not taken up: do dispatch and webhooks run?", parts);
}

/** What providers reported, and no message has taken yet. */
export async function lookAtReports({ pool }: OpenPlace): Promise<Finding> {
  const details: string[] = [];
  let waiting = 0;
  for (const environment of environments) {
    const found = await unlessMissing(waitingReports(pool(environment)));
    if (found === undefined || found.receipts + found.callbacks === 0) continue;
    waiting += found.receipts + found.callbacks;
    details.push(
      `${environment}: receipts of ${count(found.receipts)} messages, ${count(found.callbacks)} callbacks`,
    );
  }
  return {
    status: waiting > manyReports ? "warning" : "ok",
    summary:
      waiting === 0
        ? "no receipt or callback waits for its message"
        : `${count(waiting)} receipts and callbacks wait for their message, a week at most`,
    details,
  };
}

/** Receivers of which nothing but failures comes. They are their owners' to mend; many at once are our network. */
export async function lookAtEndpoints({ pool, now }: OpenPlace): Promise<Finding> {
  const details: string[] = [];
  for (const environment of environments)
    for (const failing of (await unlessMissing(failingEndpoints(pool(environment)))) ?? [])
      details.push(`${environment} ${failing.endpointId}: for ${duration(now - failing.sinceMs)}`);
  if (details.length === 0) return { status: "ok", summary: "every webhook endpoint answers" };
  const summary = `${count(details.length)} webhook endpoints do nothing but fail`;
  return { status: "warning", summary, details: bounded(details) };
}

/** Gateways that dispatch has stopped calling. */
export async function lookAtBreakers({ pool, directory }: OpenPlace): Promise<Finding> {
  const known = await directory();
  const parts: { status: Status; text: string }[] = [];
  let all = 0;
  for (const environment of environments) {
    const seen = await readGatewayHealth(pool(environment));
    for (const { name, gateway_id, enabled } of known.gateways(environment)) {
      const health = seen.get(gateway_id);
      if (!enabled) continue;
      all += 1;
      if (health === undefined || health.breaker === "closed") continue;
      const text = `${environment} ${name}: its breaker is ${health.breaker.replace("_", " ")}, ${Math.round((health.success_rate ?? 0) * 100)} % of the last calls succeeded${health.slow === null ? "" : `; ${health.slow}`}`;
      parts.push({
        status: health.breaker === "open" && health.slow === null ? "failed" : "warning",
        text,
      });
    }
  }
  if (parts.length === 0) return { status: "ok", summary: `${all} gateways take calls` };
  return together(`${parts.length} of ${all} gateways take no calls, or only single ones`, parts);
}
