import { fingerprint } from "@heliograph/api";
import type { EventData } from "@heliograph/contracts";
import type { Decision, RecordedEvent } from "@heliograph/log";

export type PriceList = EventData<"PriceListPublished">;
export type PriceRefusal = "version_taken" | "version_too_low" | "other_currency";

/** The highest version of a list. */
export const evolvePrices = (
  list: PriceList | undefined,
  event: RecordedEvent,
): PriceList | undefined => (event.type === "PriceListPublished" ? event.data : list);

const contentOf = ({ published_at: _, ...content }: PriceList): string => fingerprint("", content);

/** Publishes a version above those there are. The same version again with the same content changes nothing; a version never changes, and neither does a list's currency. */
export function decidePublish(
  newest: PriceList | undefined,
  list: PriceList,
): Decision<PriceRefusal> {
  if (newest !== undefined && list.currency !== newest.currency)
    return { refusal: "other_currency" };
  if (newest?.version === list.version)
    return contentOf(newest) === contentOf(list) ? { events: [] } : { refusal: "version_taken" };
  if (newest !== undefined && list.version < newest.version) return { refusal: "version_too_low" };
  return { events: [{ type: "PriceListPublished", data: list }] };
}
