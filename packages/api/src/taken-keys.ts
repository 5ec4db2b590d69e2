import type { PublicError } from "@heliograph/contracts";
import type { Call } from "./call.ts";
import { inProgress, keyReused } from "./idempotency.ts";
import { lookUpsOf } from "./look-ups.ts";

/** What a partner's sends are refused with whose keys another kind of call has. */
export async function refusalsOfKeys(
  { deps: { pool }, partner: { partner_id: partner } }: Pick<Call, "deps" | "partner">,
  keys: readonly string[],
): Promise<ReadonlyMap<string, PublicError>> {
  const lookUps = lookUpsOf(pool);
  if (keys.length === 0 || lookUps.hasNone(partner)) return new Map();
  const taken = await lookUps.find(keys.map((key) => ({ partner, key })));
  return new Map(
    taken
      .filter((row) => row.partner === partner)
      .map(({ key, requestId, done, leaseMs }) => [
        key,
        done || leaseMs === 0 ? keyReused(requestId) : inProgress(leaseMs),
      ]),
  );
}
