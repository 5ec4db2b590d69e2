import { projector, type WritePart } from "@heliograph/runtime";
import { endPeriods, insertPeriods, type NewPeriod, type PeriodEvent } from "./store.ts";
import { periodsDdl } from "./tables/periods.ts";

function project(events: readonly PeriodEvent[]): readonly WritePart[] {
  const started = new Map<string, NewPeriod>();
  const ended = new Map<string, string>();
  for (const event of events) {
    const id = event.data.suppression_id;
    if (event.type === "SuppressionStarted") started.set(id, { ...event, endedAt: null });
    else {
      // Begun in this very batch: one row is written once.
      const own = started.get(id);
      if (own === undefined) ended.set(id, event.data.ended_at);
      else started.set(id, { ...own, endedAt: event.data.ended_at });
    }
  }
  return [...insertPeriods([...started.values()]), ...endPeriods(ended)];
}

/** The list of periods. */
export const periodsProjector = projector({
  kind: "projector",
  name: "suppressions",
  schema: "suppressions",
  types: ["SuppressionStarted", "SuppressionEnded"],
  spaces: { periods: "partner" },
  ddl: periodsDdl,
  create: () => ({ project }),
});
