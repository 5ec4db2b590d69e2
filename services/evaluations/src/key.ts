import { createHmac, hash } from "node:crypto";
import type { ApiContext } from "@heliograph/api";
import {
  deterministicId,
  type EventData,
  keyPrefix,
  keysOf,
  makeKey,
  streamOf,
  uuid5,
} from "@heliograph/contracts";
import { change, type EventLog, LogUnavailable, type RecordedEvent } from "@heliograph/log";
import { evolve, type Evaluation } from "./evolve.ts";

/** The key that a link shows: of a link there is one, whoever uses it how often. */
export const keyOfLink = (sha256: string): string => deterministicId("key", "evaluation", sha256);

/** How long the same press of the button shows the same key again: a double click, and an answer that got lost on its way. */
const shownAgainMs = 60_000;

/** What a press of the button makes: its own each time the page is rendered, so that a repetition is known and a second person is not. It is kept nowhere, because it follows from what the browser sends. */
function keyOfPress(masterKey: Buffer, sha256: string, press: string): string {
  const bytes = createHmac("sha512", masterKey)
    .update(`evaluation key\u001f${sha256}\u001f${press}`)
    .digest();
  return makeKey("sandbox", (size) => bytes.subarray(0, size));
}

const hashOf = (key: string): string => hash("sha256", key, "hex");

export type Link = {
  readonly sha256: string;
  readonly evaluation: string;
  readonly partner: string;
};

/**
 * Makes the sandbox key of a link: that its stream is not there yet is what spends the link. Gives it again to the same press for a minute, and undefined to whoever else comes second.
 */
export async function spendLink(
  { platformLog: log, masterKey }: Pick<ApiContext, "platformLog" | "masterKey">,
  link: Link,
  press: string,
): Promise<{ readonly key: string; readonly position: bigint } | undefined> {
  const keys = keysOf(masterKey).map((each) => keyOfPress(each, link.sha256, press));
  const key = keys[0]!;
  const id = keyOfLink(link.sha256);
  const now = Date.now();
  const data: EventData<"KeyIssued"> = {
    key_id: id,
    partner_id: link.partner,
    environment: "sandbox",
    name: "evaluation",
    sha256: hashOf(key),
    prefix: keyPrefix(key),
    scopes: ["*"],
    created_at: new Date(now).toISOString(),
  };
  const metadata = {
    partner: link.partner,
    actor: "service:evaluations",
    correlation: link.evaluation,
  };
  // An id of its own for each press: of two, one is refused, and none is taken for the other's repetition.
  const event = { id: uuid5("evaluation key", data.sha256), type: "KeyIssued", data, metadata };
  const stream = streamOf("key", id);
  const [outcome] = await log.append([{ stream, expected: "no_stream", events: [event] }]);
  switch (outcome?.kind) {
    case "appended":
      return { key, position: outcome.position };
    case "invalid":
      throw new Error(outcome.message);
    default: {
      // Where the master key has been rotated since, the first press made another key than this one would.
      const [first] = await log.readStream(stream, { limit: 1 });
      if (first?.type !== "KeyIssued") return undefined;
      const shown = keys.find((each) => hashOf(each) === first.data.sha256);
      const isSoon = now - Date.parse(first.data.created_at) <= shownAgainMs;
      return shown !== undefined && isSoon ? { key: shown, position: first.position } : undefined;
    }
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
    metadata: { actor: "service:evaluations", causation: id, correlation: evaluation },
    evolve,
    decide: (state) => ({
      events: state === undefined ? [] : [{ type: "EvaluationKeyShown", data: shown }],
    }),
  });
  if (changed.kind === "contended") throw new LogUnavailable(`${evaluation} kept changing`);
}
