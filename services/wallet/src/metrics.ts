import { Counter, Gauge } from "prom-client";

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

/** Above 0: money is shown that the log does not have, or the other way round. */
export const proofMismatches = new Gauge({
  name: "heliograph_wallet_proof_mismatches",
  help: "Wallets that did not match the log when they were last computed from it",
  labelNames: ["environment"] as const,
});

export const proofFinished = new Gauge({
  name: "heliograph_wallet_proof_finished_timestamp_seconds",
  help: "When all wallets were last computed from the log by this process",
  labelNames: ["environment"] as const,
});
