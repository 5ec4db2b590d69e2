import {
  deterministicId,
  type EventData,
  eventPublicId,
  formatMoney,
  type TypedEvent,
} from "@heliograph/contracts";
import {
  creditOf,
  effects,
  moneyOf,
  statusAfter,
  type HoldEventType,
  type HoldStatus,
  type WalletEventType,
} from "./wallet.ts";
import { formatTime, timeOfEvent } from "./time.ts";

/**
 * Double entry over a wallet's events. Each transaction moves one amount between two accounts, so it sums to zero; so does every
 * prefix of the log. `platform:funding` is where top-ups come from, `platform:revenue` what captured messages paid, `platform:adjustments` the other side of corrections.
 */
export type Account =
  | "partner:available"
  | "partner:held"
  | "platform:revenue"
  | "platform:funding"
  | "platform:adjustments";
export type TransactionKind = "topup" | "hold" | "capture" | "release" | "refund" | "adjustment";
/** An event of a `wallet-<partner>` stream, as the log recorded it. */
export type WalletRecord = TypedEvent<WalletEventType> & {
  readonly id: string;
  readonly position: bigint;
  readonly metadata: { readonly at?: string };
  readonly recordedAt: number;
};

/** `name`: where a message may have another transaction of the kind, what its id is made of instead. */
type Movement = {
  readonly kind: TransactionKind;
  readonly from: Account;
  readonly to: Account;
  readonly name?: string;
};
const movements: Readonly<Record<string, Movement | undefined>> = {
  FundsToppedUp: { kind: "topup", from: "platform:funding", to: "partner:available" },
  FundsHeld: { kind: "hold", from: "partner:available", to: "partner:held" },
  FundsCaptured: { kind: "capture", from: "partner:held", to: "platform:revenue" },
  FundsReleased: { kind: "release", from: "partner:held", to: "partner:available" },
  FundsRefunded: { kind: "refund", from: "platform:revenue", to: "partner:available" },
  FundsExpired: { kind: "release", from: "partner:held", to: "partner:available" },
  FundsAdjusted: { kind: "adjustment", from: "platform:adjustments", to: "partner:available" },
  FundsChargedLate: { kind: "adjustment", from: "partner:available", to: "platform:revenue" },
  FundsReduced: { kind: "release", from: "partner:held", to: "partner:available", name: "reduced" },
  FundsRebated: {
    kind: "refund",
    from: "platform:revenue",
    to: "partner:available",
    name: "rebated",
  },
  FundsSurcharged: {
    kind: "adjustment",
    from: "partner:available",
    to: "platform:revenue",
    name: "surcharged",
  },
} satisfies Partial<Record<WalletEventType, Movement>>;

/** `wtx_…` of what happened to a message's funds; a top-up and a correction bring their own. */
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
  (event.data as { entries?: readonly Entry[] }).entries ?? [];

const idOf = (entry: Entry, { kind, name }: Movement): string =>
  entry.transaction_id ??
  (name === undefined
    ? walletTransactionId(entry.message_id!, kind as Exclude<TransactionKind, "topup">)
    : deterministicId("wtx", entry.message_id!, name));

/**
 * A transaction as partners see it. `amount` is never negative, `kind` tells its direction; only that of an adjustment is signed. `balance_after` is what is available.
 */
export type PublicTransaction = {
  readonly id: string;
  readonly kind: TransactionKind;
  readonly amount: string;
  readonly balance_after: string;
  readonly currency: string;
  readonly message_id?: string;
  readonly reference?: string;
  readonly reason?: string;
  readonly author?: string;
  readonly event_id: string;
  readonly created_at: string;
};

type Noted = {
  readonly reference?: string;
  readonly reason?: string;
  readonly author?: string;
};
/** Why funds moved, where the kind alone does not say it. */
const reasons: Readonly<Record<string, string | undefined>> = {
  FundsExpired: "hold_expired",
  FundsChargedLate: "sent_after_hold_expired",
  FundsReduced: "another_step_is_charged",
  FundsRebated: "another_step_is_charged",
  FundsSurcharged: "another_step_is_charged",
};

/** The public transactions of a wallet event, oldest first; none for a decline. */
export function transactionsOf(event: WalletRecord): readonly PublicTransaction[] {
  const movement = movements[event.type];
  if (movement === undefined) return [];
  const { kind } = movement;
  const entries = entriesIn(event) as readonly (Entry & Noted)[];
  const sign = signOf(movement);
  let balance = moneyOf(event.data.available)!;
  for (const entry of entries) balance -= sign * moneyOf(entry.amount)!;
  const common = {
    currency: event.data.currency as string,
    event_id: eventPublicId(event.id),
    created_at: formatTime(timeOfEvent(event)),
  };
  return entries.map((entry) => {
    balance += sign * moneyOf(entry.amount)!;
    const reason = entry.reason ?? reasons[event.type];
    return {
      id: idOf(entry, movement),
      kind,
      amount: kind === "adjustment" && sign < 0n ? `-${entry.amount}` : entry.amount,
      balance_after: formatMoney(balance),
      ...(entry.message_id !== undefined && { message_id: entry.message_id }),
      ...(entry.reference !== undefined && { reference: entry.reference }),
      ...(reason !== undefined && { reason }),
      ...(entry.author !== undefined && { author: entry.author }),
      ...common,
    };
  });
}

/** A transaction as a statement shows it: by how much it changed what is available and what is held, signed, so that the changes add up. */
export type StatementEntry = PublicTransaction & {
  readonly change: string;
  readonly held_change: string;
};
export function statementEntriesOf(event: WalletRecord): readonly StatementEntry[] {
  const { available, held } = effects[event.type];
  const entries = entriesIn(event);
  return transactionsOf(event).map((transaction, index) => {
    const micros = moneyOf(entries[index]!.amount)!;
    return {
      ...transaction,
      change: formatMoney(micros * available),
      held_change: formatMoney(micros * held),
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
  const movement = movements[event.type];
  return {
    amount: entry.amount,
    currency,
    ...(movement !== undefined && { transaction_id: idOf(entry, movement) }),
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
    "platform:adjustments": 0n,
  };
  const holds = new Map<string, HoldStatus>();
  let position = 0n;
  let entries = 0;
  let debits = 0n;
  let credits = 0n;
  let holdsOpen = 0;
  let mismatch: string | undefined;

  function resolve(messageId: string, type: Resolving): void {
    const before = holds.get(messageId);
    const becomes = statusAfter[type];
    if (!(needs[type] as readonly unknown[]).includes(before))
      mismatch ??= `${type} of ${messageId} which is ${before ?? "not held"}`;
    holds.set(messageId, becomes);
    if (becomes === "held") holdsOpen += 1;
    if (before === "held") holdsOpen -= 1;
  }

  return {
    add(event) {
      position = event.position;
      const movement = movements[event.type];
      for (const entry of entriesIn(event)) {
        if (Object.hasOwn(needs, event.type)) resolve(entry.message_id!, event.type as Resolving);
        if (movement === undefined) continue;
        const amount = moneyOf(entry.amount)!;
        balances[movement.from] -= amount;
        balances[movement.to] += amount;
        debits += amount < 0n ? -amount : amount;
        credits += amount < 0n ? -amount : amount;
        entries += 2;
      }
      const { available, held } = event.data as { available: string; held: string };
      const sum = Object.values(balances).reduce((total, balance) => total + balance, 0n);
      if (sum !== 0n) mismatch ??= `the entries sum to ${formatMoney(sum)} at ${position}`;
      if (moneyOf(available) !== balances["partner:available"])
        mismatch ??= `available is recorded as ${available} at ${position}`;
      if (moneyOf(held) !== balances["partner:held"])
        mismatch ??= `held is recorded as ${held} at ${position}`;
      if (
        takes.has(event.type) &&
        balances["partner:available"] < -creditOf(event.data.terms ?? {})
      )
        mismatch ??= `available is below what is lent at ${position}`;
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

/** Nothing of these goes beyond what is lent; a limit that was lowered leaves more behind. */
const takes: ReadonlySet<string> = new Set(["FundsHeld", "FundsChargedLate", "FundsSurcharged"]);

/** What a message's hold is before each event that names it. */
const needs = {
  FundsHeld: [undefined],
  FundsCaptured: ["held"],
  FundsReleased: ["held"],
  FundsExpired: ["held"],
  FundsRefunded: ["captured", "kept"],
  FundsChargedLate: ["expired"],
  FundsWrittenOff: ["expired", "returned"],
  FundsReturnedBefore: ["expired", "written_off"],
  FundsKept: ["captured"],
  FundsReduced: ["held"],
  FundsRebated: ["captured"],
  FundsSurcharged: ["captured"],
} as const satisfies Readonly<
  Record<Exclude<HoldEventType, "FundsDeclined">, readonly (HoldStatus | undefined)[]>
>;
type Resolving = keyof typeof needs;
