import { Counter } from "prom-client";

/** `declined` is expected: the rejection that follows a decline. Any other reason deserves a look at the log lines. */
export const ignoredCauses = new Counter({
  name: "heliograph_wallet_ignored_causes_total",
  help: "Causes that moved no funds, by reason",
  labelNames: ["environment", "reason"] as const,
});

/** None is expected: each is a message that nobody sent, failed or expired. */
export const lapsedHolds = new Counter({
  name: "heliograph_wallet_holds_lapsed_total",
  help: "Holds that were given back because nothing became of their messages",
  labelNames: ["environment"] as const,
});
