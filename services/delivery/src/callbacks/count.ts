import type { Environment } from "@heliograph/contracts";
import { Counter } from "prom-client";
import type { Interpreted } from "./interpret.ts";

const items = new Counter({
  name: "heliograph_callback_items_total",
  help: "What providers told by themselves, by what came of it",
  labelNames: ["environment", "outcome"],
});

export function countItems(environment: Environment, told: Interpreted): void {
  const counts = {
    receipt: told.receipts.length,
    unmatched: told.unmatched.length,
    inbound: told.inbound.length,
    part: told.parts.length,
    ignored: told.ignored,
    fault: told.faults.size,
  };
  for (const [outcome, count] of Object.entries(counts))
    if (count > 0) items.inc({ environment, outcome }, count);
}
