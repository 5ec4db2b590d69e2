import { formatMoney, parseMoney } from "@heliograph/contracts";
import { explainedOr, explainField, type FieldExplanation } from "@heliograph/api";
import { type EventIn, formatPosition } from "@heliograph/log";
import { walletStream } from "../wallets.ts";
import type { Target } from "./target.ts";

export type Balance = {
  readonly available: string;
  readonly held: string;
  readonly currency: string;
  readonly as_of_position: string;
};

type Of = Pick<Target, "deps" | "name" | "currency">;

/** A wallet after its last event, which carries the balance; a wallet without events is empty. */
export async function readBalance({ deps, name, currency }: Of): Promise<Balance> {
  const [last] = await deps.log.readStream(walletStream(name), { backwards: true, limit: 1 });
  if (last === undefined)
    return { available: "0", held: "0", currency, as_of_position: formatPosition(0n) };
  return balanceAfter(last, currency);
}

type WalletEvent = EventIn<ReturnType<typeof walletStream>>;

const balanceAfter = ({ data, position }: WalletEvent, currency: string): Balance => ({
  available: data.available,
  held: data.held,
  currency,
  as_of_position: formatPosition(position),
});

export const balanceFields = ["available", "held"] as const;
/** Of the wallet's last so many events those are told that changed the field. */
const explainedEvents = 200;

/** The last events that made a field of the balance what it is. */
export async function explainBalance(
  { deps, name, currency }: Of,
  field: (typeof balanceFields)[number],
): Promise<FieldExplanation> {
  const last = await deps.log.readStream(walletStream(name), {
    backwards: true,
    limit: explainedEvents + 1,
  });
  const explained = await explainField<WalletEvent, WalletEvent>(name, field, balanceFields, {
    events: last.toReversed(),
    evolve: (_, event) => event,
    show: (event) => balanceAfter(event, currency),
    partial: (last.at(-1)?.revision ?? 0) > 0,
  });
  return explainedOr(explained, "movement of the wallet");
}

/** Decimal text in its shortest form; the text must be one that `parseMoney` takes. */
export const plainMoney = (text: string): string => formatMoney(parseMoney(text)!);
