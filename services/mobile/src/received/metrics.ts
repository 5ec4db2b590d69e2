import type { Environment } from "@heliograph/contracts";
import { Counter } from "prom-client";

const files = new Counter({
  name: "heliograph_received_files_total",
  help: "Tries at files that people sent and their provider keeps, by what came of them",
  labelNames: ["environment", "outcome", "reason"],
});

/** `reason`: a code, empty where there is none. */
export const countFile = (
  environment: Environment,
  outcome: "kept" | "again" | "lost",
  reason = "",
): void => files.inc({ environment, outcome, reason });
