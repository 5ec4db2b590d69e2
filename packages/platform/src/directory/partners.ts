import type { EventData } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";

export const partnerTypes = ["PartnerCreated", "PartnerChanged"] as const;

type Changed = EventData<"PartnerChanged">;
/** A tenant as its stream tells it; a suspended one reads and sends nothing. */
export type Partner = Pick<EventData<"PartnerCreated">, "partner_id" | "currency" | "created_at"> &
  Omit<Changed, "partner_id" | "changed_at"> & {
    readonly updated_at: string;
    readonly revision: number;
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
      const { currency, created_at } = partner;
      return { ...settings, currency, created_at, updated_at: changed_at, revision };
    }
    default:
      return partner;
  }
}
