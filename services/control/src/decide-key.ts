import type { Environment, EventData } from "@heliograph/contracts";
import { endOf } from "@heliograph/api";
import type { Decision, RecordedEvent } from "@heliograph/log";
import { evolveKey, type Key } from "@heliograph/platform";

/** A key as its stream tells it. */
export type KeyState = Key;

export const evolve = (key: KeyState | undefined, event: RecordedEvent): KeyState | undefined =>
  evolveKey(key, event);

/** Whose key it has to be. */
export type Caller = { readonly partner: string; readonly environment: Environment };

/** What a caller cannot see is not there: a sandbox key knows nothing of live. */
export const isVisible = (
  key: Pick<KeyState, "partner_id" | "environment"> | undefined,
  caller: Caller,
): boolean =>
  key?.partner_id === caller.partner &&
  (caller.environment === "live" || key.environment === "sandbox");

/** Revokes a key of the caller's partner once. */
export function decideRevoke(key: KeyState | undefined, caller: Caller): Decision<"not_found"> {
  if (key === undefined || !isVisible(key, caller)) return { refusal: "not_found" };
  const { key_id, partner_id, revoked } = key;
  return { events: revoked ? [] : [{ type: "KeyRevoked", data: { key_id, partner_id } }] };
}

export type RotateRefusal =
  | { readonly type: "not_found" }
  | { readonly type: "ended"; readonly end: "revoked" | "expired" }
  | { readonly type: "replaced"; readonly by: string }
  | { readonly type: "third"; readonly until: string };

export type Rotation = {
  readonly successorId: string;
  readonly overlapSeconds: number;
  /** The keys before it, the one whose place it took first, as they are now. */
  readonly predecessors: readonly Pick<KeyState, "revoked" | "expires_at">[];
  /** Epoch ms. */
  readonly now: number;
};

/** Gives a key a successor, once. Two of a line work at a time at most: while one before still does, only a rotation without overlap. */
export function decideRotate(
  key: KeyState | undefined,
  caller: Caller,
  { successorId, overlapSeconds, predecessors, now }: Rotation,
): Decision<RotateRefusal> {
  if (key === undefined || !isVisible(key, caller)) return { refusal: { type: "not_found" } };
  if (key.replaced_by !== undefined) return { refusal: { type: "replaced", by: key.replaced_by } };
  const end = endOf(key, now);
  if (end !== undefined) return { refusal: { type: "ended", end } };
  const before = predecessors.find((each) => endOf(each, now) === undefined);
  if (overlapSeconds > 0 && before !== undefined)
    return { refusal: { type: "third", until: before.expires_at ?? "" } };
  const data: EventData<"KeyRotated"> = {
    key_id: key.key_id,
    partner_id: key.partner_id,
    successor_id: successorId,
    works_until: new Date(now + overlapSeconds * 1000).toISOString(),
    rotated_at: new Date(now).toISOString(),
  };
  return { events: [{ type: "KeyRotated", data }] };
}
