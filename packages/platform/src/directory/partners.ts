import type { EventData } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import type { KnownPartner } from "@heliograph/runtime";

export const partnerTypes = ["PartnerCreated", "PartnerChanged", "PartnerPlaced"] as const;

type Changed = EventData<"PartnerChanged">;
/** A tenant as its stream tells it; a suspended one reads and sends nothing. */
export type Partner = Pick<EventData<"PartnerCreated">, "partner_id" | "currency" | "created_at"> &
  Omit<Changed, "partner_id" | "changed_at"> & {
    readonly updated_at: string;
    readonly revision: number;
    /** Left out while the partner lives here. */
    readonly place?: NonNullable<KnownPartner["place"]>;
  };

/** Folds one event of a partner's stream. A change of a partner that was never made changes nothing. */
export function evolvePartner(
  partner: Partner | undefined,
  { type, data, revision }: Pick<RecordedEvent, "type" | "data" | "revision">,
): Partner | undefined {
  switch (type as (typeof partnerTypes)[number]) {
    case "PartnerCreated": {
      const made = data as EventData<"PartnerCreated">;
      return { ...made, status: "active", updated_at: made.created_at, revision };
    }
    case "PartnerChanged": {
      if (partner === undefined) return undefined;
      // What it does not name is no limit any more.
      const { changed_at, ...settings } = data as Changed;
      const { currency, created_at, place } = partner;
      const kept = { currency, created_at, ...(place !== undefined && { place }) };
      return { ...settings, ...kept, updated_at: changed_at, revision };
    }
    case "PartnerPlaced": {
      if (partner === undefined) return undefined;
      const { place: state, address, move_id } = data as EventData<"PartnerPlaced">;
      const { place: _, ...left } = partner;
      if (state === "here") return { ...left, revision };
      const rest = { ...(address !== undefined && { address }), ...(move_id && { move_id }) };
      return { ...left, place: { state, ...rest }, revision };
    }
    default:
      return partner;
  }
}
