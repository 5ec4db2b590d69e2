import { hash, randomBytes } from "node:crypto";
import {
  deterministicId,
  type EventData,
  keyPrefix,
  makeKey,
  streamOf,
  uuid5,
} from "@heliograph/contracts";
import { change, type EventLog, LogUnavailable, type RecordedEvent } from "@heliograph/log";
import { evolve, type Evaluation } from "./evolve.ts";

/** The key that a link shows: of a link there is one, whoever uses it how often. */
export const keyOfLink = (sha256: string): string => deterministicId("key", "evaluation", sha256);

/**
 * Makes the sandbox key of a link: that its stream is not there yet is what spends the link. Gives undefined to whoever comes second. It is shown by who made it, and stands nowhere.
 */
export async function spendLink(
  log: EventLog,
  sha256: string,
  of: { readonly evaluation: string; readonly partner: string },
): Promise<{ readonly key: string; readonly position: bigint } | undefined> {
  const key = makeKey("sandbox", randomBytes);
  const id = keyOfLink(sha256);
  const data: EventData<"KeyIssued"> = {
    key_id: id,
    partner_id: of.partner,
    environment: "sandbox",
    name: "evaluation",
    sha256: hash("sha256", key, "hex"),
    prefix: keyPrefix(key),
    scopes: ["*"],
    created_at: new Date().toISOString(),
  };
  const metadata = { partner: of.partner, actor: "evaluations", correlation: of.evaluation };
  // An id of its own for each try: of two, one is refused, and none is taken for the other's repetition.
  const event = { id: uuid5("evaluation key", data.sha256), type: "KeyIssued", data, metadata };
  const [outcome] = await log.append([
    { stream: streamOf("key", id), expected: "no_stream", events: [event] },
  ]);
  switch (outcome?.kind) {
    case "appended":
      return { key, position: outcome.position };
    case "invalid":
      throw new Error(outcome.message);
    default:
      return undefined;
  }
}

/** Tells an evaluation that its key was fetched. Safe to repeat. */
export async function recordKeyShown(
  log: EventLog,
  { id, data, metadata }: RecordedEvent<"KeyIssued">,
): Promise<void> {
  const evaluation = metadata.correlation;
  if (evaluation === undefined) return;
  const shown: EventData<"EvaluationKeyShown"> = {
    evaluation_id: evaluation,
    key_id: data.key_id,
    shown_at: data.created_at,
  };
  const changed = await change<Evaluation>(log, {
    stream: streamOf("evaluation", evaluation),
    eventId: uuid5(id, "shown"),
    metadata: { actor: "evaluations", causation: id, correlation: evaluation },
    evolve,
    decide: (state) => ({
      events: state === undefined ? [] : [{ type: "EvaluationKeyShown", data: shown }],
    }),
  });
  if (changed.kind === "contended") throw new LogUnavailable(`${evaluation} kept changing`);
}
