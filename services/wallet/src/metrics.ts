import { Counter } from "prom-client";

/** `declined` is expected: the rejection that follows a decline. Any other reason deserves a look at the log lines. */
export const ignoredCauses = new Counter({
  name: "heliograph_wallet_ignored_causes_total",
  help: "Causes that moved no funds, by reason",
  labelNames: ["environment", "reason"] as const,
});
