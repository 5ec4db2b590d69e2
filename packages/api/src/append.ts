import { PublicError } from "@heliograph/contracts";
import {
  change,
  type Append,
  type Changed,
  type ChangeOptions,
  type EventLog,
  type Outcome,
} from "@heliograph/log";
import type { Call } from "./call.ts";
import { openedFromAll, sealedForAll } from "./concerned.ts";
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

/**
 * Changes one thing for a request, once for its idempotency key: `name` tells apart several changes of one call. Whom the call concerns is said before: the
 * fingerprint in the events is then sealed under their keys. Throws what `decide` refuses with, `conflict` when too many change
 * it at once, and `idempotency_key_reused` when another request made the change.
 */
export async function changeOnce<State>(
  call: Call<unknown, unknown>,
  options: Pick<ChangeOptions<State, PublicError>, "stream" | "evolve" | "decide"> & {
    readonly name: string;
    readonly correlation: string;
    /** The environment's when left out. */
    readonly log?: EventLog;
    /** Whose it is, where that is not the caller. */
    readonly partner?: string;
  },
): Promise<Extract<Changed<State, never>, { kind: "changed" | "unchanged" }>> {
  const { name, correlation, partner, log = call.deps.log, ...rest } = options;
  const { fingerprint, ...metadata } = call.metadata({
    correlation,
    ...(partner !== undefined && { partner }),
  });
  const seal = fingerprint === undefined ? undefined : await sealedForAll(call);
  const result = await change<State, PublicError>(log, {
    ...rest,
    eventId: call.eventId(name),
    metadata: { ...metadata, ...(seal && { fingerprint: seal(fingerprint!) }) },
  });
  if (result.kind === "refused") throw result.refusal;
  if (result.kind === "contended") throw tooManyChanges();
  if (result.kind === "changed") {
    const { metadata: first } = result.first;
    const [print] = await openedFromAll(
      call,
      first.fingerprint === undefined ? [] : [first.fingerprint],
    );
    requireSameRequest(
      { metadata: { ...first, ...(print !== undefined && { fingerprint: print }) } },
      call.fingerprint,
    );
  }
  return result;
}

/** Changes to one thing are retried so often when others change it at the same moment. */
export const maxConflicts = 5;

export const tooManyChanges = (): PublicError =>
  new PublicError("conflict", "It is being changed by too many requests at once; try again.", {
    retryAfterSeconds: 1,
  });
