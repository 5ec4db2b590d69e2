import type { BreakerState } from "./breaker.ts";
import { tracedHistogram } from "@heliograph/runtime";
import { Counter, Gauge } from "prom-client";

const labelNames = ["environment", "gateway"];

/** Provider calls by what they came to. */
const calls = new Counter({
  name: "heliograph_dispatch_calls_total",
  help: "Provider calls by outcome",
  labelNames: [...labelNames, "outcome"],
});
const duration = tracedHistogram({
  name: "heliograph_dispatch_call_seconds",
  help: "How long providers take to answer",
  labelNames,
  buckets: [0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30],
});

const breakerGauge = new Gauge({
  name: "heliograph_gateway_breaker",
  help: "State of a gateway's circuit breaker: 0 closed, 1 half open, 2 open",
  labelNames,
});
const breakerValue: Readonly<Record<BreakerState, number>> = { closed: 0, half_open: 1, open: 2 };

/** Each time that a message is found to stand still: its events cannot be understood, its outcome is refused, or what was announced for it cannot be read. */
export const haltedMessages = new Counter({
  name: "heliograph_dispatch_halted_total",
  help: "Looks at messages that stand still because their events cannot be understood, and damaged rows of dispatch.intents",
  labelNames: ["environment"],
});

export const showBreaker = (environment: string, gateway: string, state: BreakerState): void =>
  breakerGauge.set({ environment, gateway }, breakerValue[state]);

/** A gateway that is not used any more has no state. */
export const forgetBreaker = (environment: string, gateway: string): void =>
  breakerGauge.remove({ environment, gateway });

/** The metrics of one gateway, bound once: a call costs no look-up of labels. */
export function callMetrics(environment: string, gateway: string) {
  const bound = { environment, gateway };
  const outcomes = {
    accepted: calls.labels({ ...bound, outcome: "accepted" }),
    rejected: calls.labels({ ...bound, outcome: "rejected" }),
    uncertain: calls.labels({ ...bound, outcome: "uncertain" }),
    unavailable: calls.labels({ ...bound, outcome: "unavailable" }),
    not_called: calls.labels({ ...bound, outcome: "not_called" }),
  };
  const seconds = duration.labels(bound);
  return (outcome: keyof typeof outcomes, durationMs: number, traceparent?: string): void => {
    outcomes[outcome].inc();
    seconds.observe(durationMs / 1_000, traceparent);
  };
}
