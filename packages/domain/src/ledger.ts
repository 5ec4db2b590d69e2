import {
  deterministicId,
  type EventData,
  eventPublicId,
  formatMoney,
  type TypedEvent,
} from "@heliograph/contracts";
import { moneyOf, type HoldStatus, type WalletEventType } from "./wallet.ts";

/**
 * Double entry over a wallet's events. Each transaction moves one amount between two accounts, so it sums to zero; so does every
 * prefix of the log. `platform:funding` is where top-ups come from, `platform:revenue` what captured messages paid.
 */
export type Account =
  | "partner:available"
  | "partner:held"
  | "platform:revenue"
  | "platform:funding";
export type TransactionKind = "topup" | "hold" | "capture" | "release" | "refund";
/** An event of a `wallet-<partner>` stream, as the log recorded it. */
export type WalletRecord = TypedEvent<WalletEventType> & {
  readonly id: string;
  readonly position: bigint;
  readonly recordedAt: number;
};

type Movement = { readonly kind: TransactionKind; readonly from: Account; readonly to: Account };
const movements: Readonly<Record<string, Movement | undefined>> = {
  FundsToppedUp: { kind: "topup", from: "platform:funding", to: "partner:available" },
  FundsHeld: { kind: "hold", from: "partner:available", to: "partner:held" },
  FundsCaptured: { kind: "capture", from: "partner:held", to: "platform:revenue" },
  FundsReleased: { kind: "release", from: "partner:held", to: "partner:available" },
  FundsRefunded: { kind: "refund", from: "platform:revenue", to: "partner:available" },
} satisfies Partial<Record<WalletEventType, Movement>>;

/** `wtx_…` of what happened to a message's funds; a top-up brings its own. */
export const walletTransactionId = (
  messageId: string,
  kind: Exclude<TransactionKind, "topup">,
): string => deterministicId("wtx", messageId, kind);

type Entry = {
  readonly transaction_id?: string;
  readonly message_id?: string;
  readonly amount: string;
};
const entriesIn = (event: { readonly data: unknown }): readonly Entry[] =>
  (event.data as { entries: readonly Entry[] }).entries;

const idOf = (entry: Entry, kind: TransactionKind): string =>
  kind === "topup" ? entry.transaction_id! : walletTransactionId(entry.message_id!, kind);

/** A transaction as partners see it. `amount` is never negative, `kind` tells its direction; `balance_after` is what is available. */
export type PublicTransaction = {
  readonly id: string;
  readonly kind: TransactionKind;
  readonly amount: string;
  readonly balance_after: string;
  readonly currency: string;
  readonly message_id?: string;
  readonly reference?: string;
  readonly event_id: string;
  readonly created_at: string;
};

/** The public transactions of a wallet event, oldest first; none for a decline. */
export function transactionsOf(event: WalletRecord): readonly PublicTransaction[] {
  const movement = movements[event.type];
  if (movement === undefined) return [];
  const { kind } = movement;
  const entries = entriesIn(event) as readonly (Entry & { readonly reference?: string })[];
  const sign = signOf(movement);
  let balance = moneyOf(event.data.available)!;
  for (const entry of entries) balance -= sign * moneyOf(entry.amount)!;
  const common = {
    currency: event.data.currency as string,
    event_id: eventPublicId(event.id),
    created_at: new Date(event.recordedAt).toISOString(),
  };
  return entries.map((entry) => {
    balance += sign * moneyOf(entry.amount)!;
    return {
      id: idOf(entry, kind),
      kind,
      amount: entry.amount,
      balance_after: formatMoney(balance),
      ...(entry.message_id !== undefined && { message_id: entry.message_id }),
      ...(entry.reference !== undefined && { reference: entry.reference }),
      ...common,
    };
  });
}

function signOf({ from, to }: Movement): bigint {
  if (to === "partner:available") return 1n;
  return from === "partner:available" ? -1n : 0n;
}

/** What a wallet event says of one message, for its timeline; undefined when it does not name it. */
export function walletEntryOf(
  event: WalletRecord,
  messageId: string,
):
  | { readonly amount: string; readonly currency: string; readonly transaction_id?: string }
  | undefined {
  const entry = entriesIn(event).find((candidate) => candidate.message_id === messageId);
  if (entry === undefined) return undefined;
  const { currency } = event.data as EventData<"FundsHeld">;
  const kind = movements[event.type]?.kind;
  return {
    amount: entry.amount,
    currency,
    ...(kind !== undefined && { transaction_id: idOf(entry, kind) }),
  };
}

/** The answer of `GET /wallet/proof`. `balance` is what is available; `entries` counts ledger entries, two per transaction. */
export type Proof = {
  readonly position: string;
  readonly entries: number;
  readonly debits: string;
  readonly credits: string;
  readonly balance: string;
  readonly held: string;
  readonly holds_open: number;
  readonly matches: boolean;
  /** The first contradiction found; absent when everything matches. */
  readonly mismatch?: string;
};

/** Recomputes a wallet from its events, page by page: `add` them in order, then ask for the `result`. */
export function startProof(): {
  add(event: WalletRecord): void;
  /** @param at the position asked for; the last event's when left out */
  result(at?: bigint): Proof;
} {
  const balances: Record<Account, bigint> = {
    "partner:available": 0n,
    "partner:held": 0n,
    "platform:revenue": 0n,
    "platform:funding": 0n,
  };
  const holds = new Map<string, HoldStatus>();
  let position = 0n;
  let entries = 0;
  let debits = 0n;
  let credits = 0n;
  let holdsOpen = 0;
  let mismatch: string | undefined;

  function resolve(messageId: string, kind: TransactionKind): void {
    const before = holds.get(messageId);
    const { needs, becomes } = transitions[kind as keyof typeof transitions];
    if (before !== needs) mismatch ??= `${kind} of ${messageId} which is ${before ?? "not held"}`;
    holds.set(messageId, becomes);
    if (becomes === "held") holdsOpen += 1;
    if (needs === "held") holdsOpen -= 1;
  }

  return {
    add(event) {
      position = event.position;
      const movement = movements[event.type];
      for (const entry of movement === undefined ? [] : entriesIn(event)) {
        const amount = moneyOf(entry.amount)!;
        balances[movement!.from] -= amount;
        balances[movement!.to] += amount;
        debits += amount;
        credits += amount;
        entries += 2;
        if (movement!.kind !== "topup") resolve(entry.message_id!, movement!.kind);
      }
      const { available, held } = event.data as { available: string; held: string };
      const sum = Object.values(balances).reduce((total, balance) => total + balance, 0n);
      if (sum !== 0n) mismatch ??= `the entries sum to ${formatMoney(sum)} at ${position}`;
      if (moneyOf(available) !== balances["partner:available"])
        mismatch ??= `available is recorded as ${available} at ${position}`;
      if (moneyOf(held) !== balances["partner:held"])
        mismatch ??= `held is recorded as ${held} at ${position}`;
      if (balances["partner:available"] < 0n) mismatch ??= `available is negative at ${position}`;
    },
    result: (at = position) => ({
      position: at.toString().padStart(16, "0"),
      entries,
      debits: formatMoney(debits),
      credits: formatMoney(credits),
      balance: formatMoney(balances["partner:available"]),
      held: formatMoney(balances["partner:held"]),
      holds_open: holdsOpen,
      matches: mismatch === undefined && debits === credits,
      ...(mismatch !== undefined && { mismatch }),
    }),
  };
}

const transitions = {
  hold: { needs: undefined, becomes: "held" },
  capture: { needs: "held", becomes: "captured" },
  release: { needs: "held", becomes: "released" },
  refund: { needs: "captured", becomes: "refunded" },
} as const;
