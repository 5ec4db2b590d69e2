import { formatMoney, parseMoney, streamOf } from "@heliograph/contracts";
import { type EventLog, formatPosition } from "@heliograph/log";
import type { PartnerRecord } from "@heliograph/api";

export type Balance = {
  readonly available: string;
  readonly held: string;
  readonly currency: string;
  readonly as_of_position: string;
};

/** A wallet after its last event, which carries the balance; a wallet without events is empty. */
export async function readBalance(log: EventLog, partner: PartnerRecord): Promise<Balance> {
  const [last] = await log.readStream(streamOf("wallet", partner.partner_id), {
    backwards: true,
    limit: 1,
  });
  if (last === undefined)
    return {
      available: "0",
      held: "0",
      currency: partner.currency,
      as_of_position: formatPosition(0n),
    };
  const { available, held, currency } = last.data;
  return { available, held, currency, as_of_position: formatPosition(last.position) };
}

/** Decimal text in its shortest form; the text must be one that `parseMoney` takes. */
export const plainMoney = (text: string): string => formatMoney(parseMoney(text)!);
