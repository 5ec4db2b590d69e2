import { fingerprint } from "@heliograph/api";
import type { EventData } from "@heliograph/contracts";
import type { Decision } from "@heliograph/log";
import type { Partner } from "@heliograph/platform";

type Settings = Omit<EventData<"PartnerChanged">, "partner_id" | "changed_at">;
/** What is to change: null takes a limit away. */
export type PartnerPatch = { readonly [Key in keyof Settings]?: Settings[Key] | null | undefined };

/** Changes what is named, and nothing where all of it is so already. */
export function decideChange(
  partner: Partner | undefined,
  patch: PartnerPatch,
  now: string,
): Decision<"not_found"> {
  if (partner === undefined) return { refusal: "not_found" };
  const {
    partner_id,
    currency: _,
    created_at: __,
    updated_at: ___,
    revision: ____,
    place: _____,
    ...before
  } = partner;
  const named = Object.entries(patch).filter(([, value]) => value !== undefined);
  const left = Object.entries({ ...before, ...Object.fromEntries(named) }).filter(
    ([, value]) => value !== undefined && value !== null,
  );
  const after = Object.fromEntries(left) as unknown as Settings;
  if (fingerprint("", before) === fingerprint("", after)) return { events: [] };
  const data: EventData<"PartnerChanged"> = { partner_id, ...after, changed_at: now };
  return { events: [{ type: "PartnerChanged", data }] };
}
