import { PublicError } from "@heliograph/contracts";
import type { Append, EventLog, Outcome } from "@heliograph/log";
import { requireSameRequest } from "./idempotency.ts";

export type Stored = Extract<Outcome, { kind: "appended" | "duplicate" }>;

/**
 * One append of a route. Gives undefined on a conflict. What the log refuses as invalid was not caught by the route's own checks:
 * that is our fault, not the caller's. Throws `idempotency_key_reused` when the events are there already and another request made them.
 */
export async function appendOne(log: EventLog, append: Append): Promise<Stored | undefined> {
  const [outcome] = await log.append([append]);
  if (outcome === undefined || outcome.kind === "conflict") return undefined;
  if (outcome.kind === "invalid") throw new Error(`${append.stream}: ${outcome.message}`);
  if (outcome.kind === "duplicate") await requireOwn(log, append, outcome);
  return outcome;
}

/** The log recognises events by their ids, which follow from the key alone: whether the request is the same stands in the first of them. */
export async function requireOwn(log: EventLog, append: Append, stored: Stored): Promise<void> {
  const from = stored.revision - append.events.length + 1;
  const [first] = await log.readStream(append.stream, { from, limit: 1 });
  if (first !== undefined) requireSameRequest(first, append.events[0]!.metadata.fingerprint);
}

/** Changes to one thing are retried so often when others change it at the same moment. */
export const maxConflicts = 5;

export const tooManyChanges = (): PublicError =>
  new PublicError("conflict", "It is being changed by too many requests at once; try again.", {
    retryAfterSeconds: 1,
  });
