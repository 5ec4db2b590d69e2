import { formatMoney, parseMoney } from "@heliograph/contracts";
import { formatPosition } from "@heliograph/log";
import { walletStream } from "../wallets.ts";
import type { Target } from "./target.ts";

export type Balance = {
  readonly available: string;
  readonly held: string;
  readonly currency: string;
  readonly as_of_position: string;
};

/** A wallet after its last event, which carries the balance; a wallet without events is empty. */
export async function readBalance({
  deps,
  name,
  currency,
}: Pick<Target, "deps" | "name" | "currency">): Promise<Balance> {
  const [last] = await deps.log.readStream(walletStream(name), { backwards: true, limit: 1 });
  if (last === undefined)
    return { available: "0", held: "0", currency, as_of_position: formatPosition(0n) };
  const { available, held } = last.data;
  return { available, held, currency, as_of_position: formatPosition(last.position) };
}

/** Decimal text in its shortest form; the text must be one that `parseMoney` takes. */
export const plainMoney = (text: string): string => formatMoney(parseMoney(text)!);
