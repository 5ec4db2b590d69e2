import type { Environment, EventData } from "@heliograph/contracts";
import type { Decision, RecordedEvent } from "@heliograph/log";

/** A key as its stream tells it. */
export type KeyState = EventData<"KeyIssued"> & { readonly revoked: boolean };

export function evolveKey(key: KeyState | undefined, event: RecordedEvent): KeyState | undefined {
  switch (event.type) {
    case "KeyIssued":
      return { ...event.data, revoked: false };
    case "KeyRevoked":
      return key && { ...key, revoked: true };
    default:
      return key;
  }
}

/** Revokes a key of the caller's partner once; what a caller cannot see is not there: a sandbox key knows nothing of live. */
export function decideRevoke(
  key: KeyState | undefined,
  caller: { readonly partner: string; readonly environment: Environment },
): Decision<"not_found"> {
  const visible =
    key?.partner_id === caller.partner &&
    (caller.environment === "live" || key.environment === "sandbox");
  if (!visible) return { refusal: "not_found" };
  const { key_id, partner_id, revoked } = key;
  return { events: revoked ? [] : [{ type: "KeyRevoked", data: { key_id, partner_id } }] };
}
