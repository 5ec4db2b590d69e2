import { streamOf } from "@heliograph/contracts";
import type { EventLog, RecordedEvent } from "@heliograph/log";
import { type Evaluation, evolve } from "./evolve.ts";

export type Note = { readonly text: string; readonly by: string; readonly at: string };
export type Read = {
  readonly evaluation: Evaluation | undefined;
  readonly notes: readonly Note[];
  /** Of its last event. */
  readonly revision: number;
  /** Of its request. */
  readonly position: bigint;
};

/** An evaluation as the log has it now, with its notes, sealed. */
export async function readEvaluation(log: Pick<EventLog, "scanStream">, id: string): Promise<Read> {
  let evaluation: Evaluation | undefined;
  let revision = -1;
  let position = 0n;
  const notes: Note[] = [];
  for await (const event of log.scanStream(streamOf("evaluation", id))) {
    evaluation = evolve(evaluation, event);
    revision = event.revision;
    if (event.type === "EvaluationRequested") position = event.position;
    if (event.type === "EvaluationNoted") notes.push(noteOf(event));
  }
  return { evaluation, notes, revision, position };
}

const noteOf = ({ data, metadata }: RecordedEvent<"EvaluationNoted">): Note => ({
  text: data.text,
  by: metadata.actor ?? "",
  at: data.noted_at,
});
