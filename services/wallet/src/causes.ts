import { accountOf } from "@heliograph/contracts";
import { walletCause, walletName, type WalletCause } from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import type { GatewayDirectory } from "@heliograph/runtime";
import { partnerOf } from "./store.ts";

/** By the name of the wallet. */
export type Causes = Map<string, readonly WalletCause[]>;
export type CauseOf = { readonly wallet: string; readonly cause: WalletCause };

/** What an event asks of which wallet; undefined where it asks nothing. A price's currency chooses the wallet, and the partner's own names the first. */
export function causeOf(
  directory: Pick<GatewayDirectory, "partner">,
  event: RecordedEvent,
): CauseOf | undefined {
  const cause = walletCause(event);
  if (cause === undefined) return undefined;
  const partner_id = partnerOf(event);
  const currency = directory.partner(accountOf(partner_id))?.currency ?? cause.currency ?? "";
  return { wallet: walletName({ partner_id, currency }, cause.currency), cause };
}

/** A partner that the directory does not have yet is waited for, since its first wallet is named by its own currency; one that there is not has one wallet only. */
export async function causesByWallet(
  directory: Pick<GatewayDirectory, "partner" | "knows">,
  events: readonly RecordedEvent[],
): Promise<Causes> {
  const partners = new Set(events.map((event) => accountOf(partnerOf(event))));
  for (const each of partners)
    if (directory.partner(each) === undefined && (await directory.knows(each)))
      if (directory.partner(each) === undefined)
        throw new Error(`the partner ${each} cannot be read, nor the currency of its wallet`);
  const causes = new Map<string, WalletCause[]>();
  for (const event of events) {
    const found = causeOf(directory, event);
    if (found === undefined) continue;
    const known = causes.get(found.wallet);
    if (known === undefined) causes.set(found.wallet, [found.cause]);
    else known.push(found.cause);
  }
  return causes;
}
