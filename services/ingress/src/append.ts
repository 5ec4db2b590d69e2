import { PublicError } from "@heliograph/contracts";
import type { Append, EventLog, Outcome } from "@heliograph/log";

export type Stored = Extract<Outcome, { kind: "appended" | "duplicate" }>;

/**
 * One append of a route. Gives undefined on a conflict. What the log refuses as invalid was not caught by the route's own checks:
 * that is our fault, not the caller's.
 */
export async function appendOne(log: EventLog, append: Append): Promise<Stored | undefined> {
  const [outcome] = await log.append([append]);
  if (outcome === undefined || outcome.kind === "conflict") return undefined;
  if (outcome.kind === "invalid") throw new Error(`${append.stream}: ${outcome.message}`);
  return outcome;
}

/** Changes to one thing are retried so often when others change it at the same moment. */
export const maxConflicts = 5;

export const tooManyChanges = (): PublicError =>
  new PublicError("conflict", "It is being changed by too many requests at once; try again.", {
    retryAfterSeconds: 1,
  });
