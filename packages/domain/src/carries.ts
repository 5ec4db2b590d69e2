import { type EventData, accountOf } from "@heliograph/contracts";

/** Whether a gateway carries what a partner sends to a country (ISO 3166-1 alpha-2; "" where the recipient has none): it may be another partner's, or not reach that far. */
export const carries = (
  { partner_id, countries }: Pick<EventData<"GatewayConfigured">, "partner_id" | "countries">,
  partner: string | undefined,
  country: string,
): boolean =>
  (partner_id === undefined || (partner !== undefined && partner_id === accountOf(partner))) &&
  (countries === undefined || country === "" || countries.includes(country));
