import { newId, streamOf, type StreamOf, uuid7 } from "@heliograph/contracts";
import {
  decideWallet,
  emptyWallet,
  evolveWallet,
  type Hold,
  moneyOf,
  noteHolds,
  type Wallet,
  type WalletCause,
  walletCause,
  walletCauseTypes,
} from "@heliograph/domain";
import type { EventLog } from "@heliograph/log";

type Own = {
  readonly stream: StreamOf<"wallet">;
  wallet: Wallet;
  readonly holds: Map<string, Hold>;
};

/**
 * Decides what is appended about a partner's messages as the wallet service does, and appends it. What is held or charged late is topped up before; what is `poor` finds nothing
 * left when it is to be charged late, and the wallet writes it off.
 */
export function openTestWallets(log: EventLog, partner: string, poor: ReadonlySet<string>) {
  const wallets = new Map<string, Own>();
  const walletOf = (currency: string) => {
    const stream = streamOf("wallet", newId("ptn"));
    const own = wallets.get(currency) ?? { stream, wallet: emptyWallet, holds: new Map() };
    wallets.set(currency, own);
    return own;
  };
  const currencies = new Map<string, string>();
  let after: bigint | undefined;

  /** What makes the decision the one that is wanted. */
  function before(cause: WalletCause, currency: string, position: bigint): WalletCause | undefined {
    const { wallet, holds } = walletOf(currency);
    const common = { position, transaction_id: "wtx_1", currency };
    if (cause.kind === "hold") return { kind: "topup", ...common, amount: cause.amount };
    if (cause.kind !== "capture") return undefined;
    const hold = holds.get(cause.message_id);
    if (hold?.status !== "expired") return undefined;
    if (!poor.has(cause.message_id)) return { kind: "topup", ...common, amount: hold.amount };
    const less = { amount: `-${Number(wallet.available) / 1_000_000}`, reason: "a", author: "b" };
    return wallet.available === 0n ? undefined : { kind: "adjustment", ...common, ...less };
  }

  async function decide(currency: string, cause: WalletCause): Promise<void> {
    const own = walletOf(currency);
    const { events } = decideWallet(own.wallet, own.holds, [cause]);
    if (events.length === 0) return;
    const [outcome] = await log.append([
      {
        stream: own.stream,
        expected: own.wallet.revision < 0 ? "no_stream" : own.wallet.revision,
        events: events.map((event) => ({ ...event, id: uuid7(), metadata: { partner } })),
      },
    ]);
    if (outcome?.kind !== "appended") throw new Error(JSON.stringify(outcome));
    for (const event of events) {
      own.wallet = evolveWallet(own.wallet, event);
      noteHolds(own.holds, event);
    }
  }

  return {
    /** Decides all that the log has. */
    async settle(): Promise<void> {
      after ??= (await log.head()) - 1n;
      const { events, position } = await log.readAll({
        after,
        limit: 1_000,
        types: walletCauseTypes,
      });
      after = position;
      for (const event of events) {
        const cause = walletCause(event);
        if (event.metadata.partner !== partner || cause === undefined) continue;
        if (cause.kind === "hold") currencies.set(cause.message_id, cause.currency);
        const currency = currencies.get((cause as { message_id: string }).message_id)!;
        // Twice the positions, so that there is one between any two.
        const own = cause.position * 2n;
        const first = before(cause, currency, own - 1n);
        if (first !== undefined) await decide(currency, first);
        await decide(currency, { ...cause, position: own });
      }
    },
  };
}

/** What a partner's ledger took for each message and did not give back, in micro-units, as its statements show it. */
export async function takenByMessage(
  log: EventLog,
  partner: string,
): Promise<ReadonlyMap<string, bigint>> {
  const signs: Readonly<Record<string, bigint>> = {
    FundsCaptured: 1n,
    FundsChargedLate: 1n,
    FundsRefunded: -1n,
  };
  const taken = new Map<string, bigint>();
  for (let after = 0n; ;) {
    const page = await log.readAll({
      after,
      limit: 1_000,
      types: ["FundsCaptured", "FundsChargedLate", "FundsRefunded"],
    });
    for (const { type, data, metadata } of page.events)
      if (metadata.partner === partner)
        for (const { message_id, amount } of data.entries)
          taken.set(message_id, (taken.get(message_id) ?? 0n) + signs[type]! * moneyOf(amount)!);
    after = page.position;
    if (after >= page.head) return taken;
  }
}
