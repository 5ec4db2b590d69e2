import { formatMoney } from "@heliograph/contracts";
import {
  effects,
  moneyOf,
  settlement,
  statusAfter,
  walletEventTypes,
  type Hold,
  type HoldBook,
  type Wallet,
  type WalletCause,
  type WalletEvent,
  type WalletEventType,
} from "./wallet.ts";

/** Why a cause moved no funds. `declined`: expected, the rejection that follows a decline. The others deserve a look. */
export type IgnoredReason =
  | "declined"
  | "no_hold"
  | "already_resolved"
  | "already_decided"
  | "currency_mismatch"
  | "invalid_amount";
export type Ignored = { readonly cause: WalletCause; readonly reason: IgnoredReason };
export type WalletDecision = {
  readonly events: readonly WalletEvent[];
  readonly ignored: readonly Ignored[];
};

/**
 * Decides a batch of causes of one wallet, given in position order; causes at or below `wallet.covers` are skipped as decided before.
 *
 * Within a batch funds that come in are booked before funds that go out, so every balance written is the true one, never below zero,
 * and a declined amount never fits into the balance shown beside it. Requests are decided in position order, each on its own: a smaller
 * one may fit after a larger one did not. A settlement of a hold of this very batch closes the group: the hold is written first.
 *
 * @param holds must know every message that a `capture` or `return` names, if the wallet ever decided on it
 * @param late decides causes that the wallet has passed, because they had been set aside: `holds` must know their messages, and no top-up may be booked yet
 * @throws Error when the balance given contradicts the holds (a bug: nothing may be written)
 */
export function decideWallet(
  wallet: Wallet,
  holds: HoldBook,
  causes: readonly WalletCause[],
  late = false,
): WalletDecision {
  const last = causes.at(-1);
  const passed = late ? -1n : wallet.covers;
  if (last === undefined || last.position <= passed) return { events: [], ignored: [] };
  const reached = last.position > wallet.covers ? last.position : wallet.covers;
  const draft = new Draft(wallet, holds, reached.toString().padStart(16, "0"));
  for (const cause of causes) {
    if (cause.position <= passed) continue;
    switch (cause.kind) {
      case "hold":
      case "topup":
        draft.request(cause);
        break;
      case "capture":
      case "return":
        draft.settle(cause);
        break;
      default:
        cause satisfies never;
    }
  }
  draft.closeGroup();
  return { events: draft.events, ignored: draft.ignored };
}

type Bucket = {
  readonly entries: { message_id?: string; transaction_id?: string; amount: string }[];
  sum: bigint;
};
/** Causes whose events can be written side by side: credits first, then requests. */
type Group = {
  readonly available: bigint;
  readonly held: bigint;
  readonly requests: Extract<WalletCause, { kind: "hold" }>[];
  readonly requested: Set<string>;
  readonly buckets: Record<WalletEventType, Bucket>;
};

const bucket = (): Bucket => ({ entries: [], sum: 0n });
const emptyGroup = (available: bigint, held: bigint): Group => ({
  available,
  held,
  requests: [],
  requested: new Set(),
  buckets: {
    FundsToppedUp: bucket(),
    FundsReleased: bucket(),
    FundsCaptured: bucket(),
    FundsRefunded: bucket(),
    FundsHeld: bucket(),
    FundsDeclined: bucket(),
  },
});

/** The decision of one batch while it is made. */
class Draft {
  readonly events: WalletEvent[] = [];
  readonly ignored: Ignored[] = [];
  readonly #holds: HoldBook;
  readonly #covers: string;
  /** What this batch decided, over what was known before. */
  readonly #decided = new Map<string, Hold>();
  #available: bigint;
  #held: bigint;
  #currency: string | undefined;
  #group: Group;

  constructor(wallet: Wallet, holds: HoldBook, covers: string) {
    this.#holds = holds;
    this.#covers = covers;
    this.#available = wallet.available;
    this.#held = wallet.held;
    this.#currency = wallet.currency;
    this.#group = emptyGroup(wallet.available, wallet.held);
  }

  request(cause: Extract<WalletCause, { kind: "hold" | "topup" }>): void {
    const amount = moneyOf(cause.amount);
    if (amount === undefined || amount < 0n) this.#ignore(cause, "invalid_amount");
    else if (this.#currency !== undefined && cause.currency !== this.#currency)
      this.#ignore(cause, "currency_mismatch");
    else if (cause.kind === "topup") {
      this.#currency = cause.currency;
      const { transaction_id, reference } = cause;
      const entry = {
        transaction_id,
        amount: cause.amount,
        ...(reference !== undefined && { reference }),
      };
      this.#credit("FundsToppedUp", entry, amount);
    } else if (
      this.#group.requested.has(cause.message_id) ||
      this.#hold(cause.message_id) !== undefined
    )
      this.#ignore(cause, "already_decided");
    else {
      this.#currency = cause.currency;
      this.#group.requested.add(cause.message_id);
      this.#group.requests.push(cause);
    }
  }

  settle(cause: Extract<WalletCause, { kind: "capture" | "return" }>): void {
    const { message_id } = cause;
    if (this.#group.requested.has(message_id)) this.closeGroup();
    const hold = this.#hold(message_id);
    const type = hold && settlement(hold.status, cause.kind);
    if (hold === undefined) this.#ignore(cause, "no_hold");
    else if (type === undefined)
      this.#ignore(cause, hold.status === "declined" ? "declined" : "already_resolved");
    else {
      this.#decided.set(message_id, { amount: hold.amount, status: statusAfter[type] });
      this.#credit(type, { message_id, amount: hold.amount }, moneyOf(hold.amount)!);
    }
  }

  /** Decides the requests of the group and writes its events. */
  closeGroup(): void {
    const group = this.#group;
    let afterCredits = this.#available;
    for (const { message_id, amount: text } of group.requests) {
      const amount = moneyOf(text)!;
      const fits = amount <= afterCredits;
      this.#decided.set(message_id, { amount: text, status: fits ? "held" : "declined" });
      const own = group.buckets[fits ? "FundsHeld" : "FundsDeclined"];
      own.entries.push({ message_id, amount: text });
      own.sum += amount;
      if (fits) afterCredits -= amount;
    }
    // `available` and `held` have had the credits added as they came: start again from before the group.
    this.#available = group.available;
    this.#held = group.held;
    for (const type of walletEventTypes) this.#write(type, group.buckets[type]);
    this.#group = emptyGroup(this.#available, this.#held);
  }

  #write(type: WalletEventType, { entries, sum }: Bucket): void {
    if (entries.length === 0) return;
    this.#available += sum * effects[type].available;
    this.#held += sum * effects[type].held;
    if (this.#available < 0n || this.#held < 0n)
      throw new Error(`${type} would make a balance negative`);
    const data = {
      covers: this.#covers,
      available: formatMoney(this.#available),
      held: formatMoney(this.#held),
      currency: this.#currency!,
      entries,
      ...(type === "FundsDeclined" && { reason: "insufficient_funds" }),
    };
    this.events.push({ type, data } as WalletEvent);
  }

  #credit(type: WalletEventType, entry: Bucket["entries"][number], amount: bigint): void {
    const own = this.#group.buckets[type];
    own.entries.push(entry);
    own.sum += amount;
    this.#available += amount * effects[type].available;
    this.#held += amount * effects[type].held;
  }

  #hold(messageId: string): Hold | undefined {
    return this.#decided.get(messageId) ?? this.#holds.get(messageId);
  }

  #ignore(cause: WalletCause, reason: IgnoredReason): void {
    this.ignored.push({ cause, reason });
  }
}
