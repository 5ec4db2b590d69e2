import type { RecordedEvent } from "@heliograph/log";
import { projector, type WritePart } from "@heliograph/runtime";
import { changesOf, evaluationTypes } from "./evolve.ts";
import { changeRows, type RowChange } from "./store.ts";
import { evaluationsDdl } from "./tables/evaluations.ts";

type Event = RecordedEvent<(typeof evaluationTypes)[number]>;

function project(events: readonly Event[]): readonly WritePart[] {
  const changed = new Map<string, RowChange>();
  for (const event of events) {
    const id = event.data.evaluation_id;
    const { position = event.position, changes = {} } = changed.get(id) ?? {};
    changed.set(id, { position, changes: { ...changes, ...changesOf(event) } });
  }
  return changeRows(changed);
}

/** The list of evaluations, in the platform's database. */
export const evaluationsProjector = projector({
  kind: "projector",
  name: "evaluations",
  schema: "evaluations",
  types: evaluationTypes,
  ddl: evaluationsDdl,
  create: () => ({ project }),
});
