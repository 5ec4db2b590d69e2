import { environments, type Environment } from "@heliograph/contracts";
import { tracedHistogram } from "@heliograph/runtime";
import { Counter, Gauge } from "prom-client";
import type { Verdict } from "./schedule.ts";

const attempts = new Counter({
  name: "heliograph_webhook_attempts_total",
  help: "Attempts to deliver a webhook by what they came to: delivered, retry, failed (the last one), gone (410)",
  labelNames: ["environment", "outcome"],
});
const attemptSeconds = tracedHistogram({
  name: "heliograph_webhook_attempt_seconds",
  help: "How long receivers took to answer, or not to",
  labelNames: ["environment"],
  buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15],
});

/** Couriers that are at work: one, or one a shard. */
const counted: Record<Environment, Set<{ memory: () => number; table: number }>> = {
  live: new Set(),
  sandbox: new Set(),
};
new Gauge({
  name: "heliograph_webhook_deliveries_waiting",
  help: "Deliveries on their way in memory, and those in the table that wait for their next attempt; a few are in both",
  labelNames: ["environment", "place"],
  collect() {
    for (const environment of environments) {
      let memory = 0;
      let table = 0;
      for (const courier of counted[environment]) {
        memory += courier.memory();
        table += courier.table;
      }
      this.set({ environment, place: "memory" }, memory);
      this.set({ environment, place: "table" }, table);
    }
  },
});

/** A count reads as many index entries as there are, so it is not made for every scrape. */
const countEveryMs = 15_000;

export type DeliveryMetrics = {
  /** `traceparent` where its trace is told to somebody. */
  attempt(outcome: Verdict["type"], durationMs: number, traceparent: string | undefined): void;
  close(): void;
};

/** The metrics of one courier. A count of the table that fails is left to the next round. */
export function deliveryMetrics(
  environment: Environment,
  waiting: { readonly inMemory: () => number; readonly pending: () => Promise<number> },
): DeliveryMetrics {
  const outcomes = {
    delivered: attempts.labels({ environment, outcome: "delivered" }),
    retry: attempts.labels({ environment, outcome: "retry" }),
    failed: attempts.labels({ environment, outcome: "failed" }),
    gone: attempts.labels({ environment, outcome: "gone" }),
  };
  const seconds = attemptSeconds.labels({ environment });
  const courier = { memory: waiting.inMemory, table: 0 };
  counted[environment].add(courier);
  let counting = false;
  const count = (): void => {
    if (counting) return;
    counting = true;
    waiting
      .pending()
      .then((pending) => (courier.table = pending))
      .catch(() => undefined)
      .finally(() => (counting = false));
  };
  const timer = setInterval(count, countEveryMs).unref();
  return {
    attempt(outcome, durationMs, traceparent) {
      outcomes[outcome].inc();
      seconds.observe(durationMs / 1_000, traceparent);
    },
    close() {
      clearInterval(timer);
      counted[environment].delete(courier);
    },
  };
}
