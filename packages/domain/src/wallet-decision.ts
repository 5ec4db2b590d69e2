import { formatMoney, type Terms } from "@heliograph/contracts";
import {
  creditOf,
  effects,
  groupedEventTypes,
  moneyOf,
  settlement,
  shortOf,
  spend,
  statusAfter,
  type ChangingType,
  type SettlingType,
  type Spent,
  unspend,
  type Hold,
  type HoldBook,
  type Wallet,
  type WalletCause,
  type WalletEvent,
  type WalletEventType,
} from "./wallet.ts";

/** Why a cause moved no funds. `declined`: expected, the rejection that follows a decline; so is `charged`: a message has its price already, or one that there are no funds to raise. The others deserve a look. */
export type IgnoredReason =
  | "declined"
  | "charged"
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
 * one may fit after a larger one did not. A settlement of a hold of this very batch closes the group: the hold is written first; so do terms, which bind what comes after them, and what
 * is rare enough for an event of its own.
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
      case "keep":
      case "expire":
        draft.settle(cause);
        break;
      case "adjustment":
        draft.adjust(cause);
        break;
      case "terms":
        draft.setTerms(cause);
        break;
      default:
        cause satisfies never;
    }
  }
  draft.closeGroup();
  return { events: draft.events, ignored: draft.ignored };
}

type GroupedType = (typeof groupedEventTypes)[number];
type Entry = {
  readonly message_id?: string;
  readonly transaction_id?: string;
  readonly becomes?: string;
  amount: string;
};
type Changed = Entry & { readonly message_id: string; readonly becomes: string };
type Settlement = Extract<WalletCause, { kind: "capture" | "return" | "keep" | "expire" }>;
type Charging = Extract<Settlement, { kind: "capture" | "keep" }>;
/** `back`: of what was set aside on which day it gives back. */
type Bucket = { readonly entries: Entry[]; sum: bigint; readonly back?: Map<string, bigint> };
/** Causes whose events can be written side by side: credits first, then requests. */
type Group = {
  available: bigint;
  held: bigint;
  readonly requests: Extract<WalletCause, { kind: "hold" }>[];
  /** The day in which the requests count: all in one, so that the event which sets them aside tells it of each. */
  on: string;
  readonly requested: Set<string>;
  readonly buckets: Record<GroupedType, Bucket>;
  readonly overLimit: Bucket;
};

const bucket = (): Bucket => ({ entries: [], sum: 0n, back: new Map() });
const emptyGroup = (available: bigint, held: bigint): Group => ({
  available,
  held,
  requests: [],
  on: "",
  requested: new Set(),
  buckets: {
    FundsToppedUp: bucket(),
    FundsReleased: bucket(),
    FundsCaptured: bucket(),
    FundsKept: bucket(),
    FundsRefunded: bucket(),
    FundsExpired: bucket(),
    FundsHeld: bucket(),
    FundsDeclined: bucket(),
  },
  overLimit: bucket(),
});

/** What was set aside and comes back was not spent. A capture moves nothing back. */
const givesBack: ReadonlySet<WalletEventType> = new Set([
  "FundsReleased",
  "FundsRefunded",
  "FundsExpired",
]);
function lessSpent(spent: Spent, back: ReadonlyMap<string, bigint> = new Map()): Spent {
  let left = spent;
  for (const [on, amount] of back) left = unspend(left, amount, on);
  return left;
}

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
  #spent: Spent;
  #terms: Terms;
  #group: Group;

  constructor(wallet: Wallet, holds: HoldBook, covers: string) {
    this.#holds = holds;
    this.#covers = covers;
    this.#available = wallet.available;
    this.#held = wallet.held;
    this.#currency = wallet.currency;
    this.#spent = wallet.spent;
    this.#terms = wallet.terms;
    this.#group = emptyGroup(wallet.available, wallet.held);
  }

  request(cause: Extract<WalletCause, { kind: "hold" | "topup" }>): void {
    const amount = moneyOf(cause.amount);
    if (amount === undefined || amount < 0n) this.#ignore(cause, "invalid_amount");
    else if (!this.#isIn(cause)) this.#ignore(cause, "currency_mismatch");
    else if (cause.kind === "topup") {
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
    else this.#join(cause);
  }

  #join(cause: Extract<WalletCause, { kind: "hold" }>): void {
    const day = (): string => (cause.on > this.#spent.on ? cause.on : this.#spent.on);
    if (this.#group.requests.length > 0 && day() !== this.#group.on) this.closeGroup();
    this.#group.on = day();
    this.#group.requested.add(cause.message_id);
    this.#group.requests.push(cause);
  }

  settle(cause: Settlement): void {
    const { message_id } = cause;
    if (this.#group.requested.has(message_id)) this.closeGroup();
    const known = this.#hold(message_id);
    const charges = cause.kind === "capture" || cause.kind === "keep";
    const hold = known && charges ? this.#priced(known, cause) : known;
    if (hold?.status === "captured" && cause.kind === "capture" && cause.anew === true)
      return this.#ignore(cause, "charged");
    const type =
      hold && settlement(hold.status, cause.kind, cause.kind === "return" && cause.corrects);
    if (hold === undefined) this.#ignore(cause, "no_hold");
    else if (type === undefined)
      this.#ignore(cause, hold.status === "declined" ? "declined" : "already_resolved");
    else this.#resolve(type, cause, hold);
    if (cause.kind === "keep" && (type === "FundsCaptured" || type === "FundsChargedLate"))
      this.settle(cause);
  }

  /** The hold at the price of the step that is charged: what was set aside was enough for the dearest. */
  #priced(hold: Hold, cause: Charging): Hold {
    const { message_id, amount = hold.amount } = cause;
    if (amount === hold.amount) return hold;
    const difference = moneyOf(amount)! - moneyOf(hold.amount)!;
    const change = (type: ChangingType, by: bigint): Hold =>
      this.#change(type, { message_id, amount: formatMoney(by), becomes: amount }, hold);
    // Its funds came back when it expired: it is charged at its price.
    if (hold.status === "expired") return { ...hold, amount };
    if (hold.status === "held" && difference < 0n) return change("FundsReduced", -difference);
    if (hold.status !== "captured") return hold;
    const isAnew = cause.kind === "keep" || cause.anew === true;
    if (isAnew && difference < 0n) return change("FundsRebated", -difference);
    if (cause.kind === "keep" || !isAnew) return hold;
    this.closeGroup();
    const wallet = { available: this.#available, spent: this.#spent, terms: this.#terms };
    if (shortOf(wallet, difference, this.#spent.on) !== undefined) return hold;
    this.#spent = spend(this.#spent, difference, this.#spent.on);
    return change("FundsSurcharged", difference);
  }

  #change(type: ChangingType, entry: Changed, hold: Hold): Hold {
    this.closeGroup();
    const sum = moneyOf(entry.amount)!;
    const isBack = type !== "FundsSurcharged" && hold.on !== undefined;
    const back = isBack ? { back: new Map([[hold.on!, sum]]) } : {};
    this.#write(type, { entries: [entry], sum, ...back });
    const changed = { ...hold, amount: entry.becomes };
    this.#decided.set(entry.message_id, changed);
    return changed;
  }

  #resolve(type: SettlingType, cause: Settlement, { amount, on }: Hold): void {
    const { message_id } = cause;
    const micros = moneyOf(amount)!;
    const entry = { message_id, amount };
    const note = (status: Hold["status"], day = on) =>
      this.#decided.set(message_id, { amount, status, on: day });
    switch (type) {
      case "FundsChargedLate": {
        this.closeGroup();
        // Spent anew, on the day on which it was sent: what was set aside for it came back.
        const { on: day = this.#spent.on } = cause as { readonly on?: string };
        const wallet = { available: this.#available, spent: this.#spent, terms: this.#terms };
        const isCovered = shortOf(wallet, micros, day) === undefined;
        if (isCovered) this.#spent = spend(this.#spent, micros, day);
        const found = isCovered ? type : "FundsWrittenOff";
        note(statusAfter[found], this.#spent.on);
        return this.#write(found, { entries: [entry], sum: micros });
      }
      case "FundsWrittenOff":
      case "FundsReturnedBefore":
        this.closeGroup();
        note(statusAfter[type]);
        return this.#write(type, { entries: [entry], sum: micros });
      default:
        note(statusAfter[type]);
        return this.#credit(type, entry, micros, on);
    }
  }

  adjust(cause: Extract<WalletCause, { kind: "adjustment" }>): void {
    const { transaction_id, amount, reason, author } = cause;
    const micros = moneyOf(amount);
    if (micros === undefined) return this.#ignore(cause, "invalid_amount");
    if (!this.#isIn(cause)) return this.#ignore(cause, "currency_mismatch");
    this.closeGroup();
    const isCovered = micros >= 0n || this.#available + micros >= -creditOf(this.#terms);
    const entry = { transaction_id, amount, reason, author };
    this.#write(isCovered ? "FundsAdjusted" : "AdjustmentDeclined", {
      entries: [entry],
      sum: micros,
    });
  }

  setTerms(cause: Extract<WalletCause, { kind: "terms" }>): void {
    if (!this.#isIn(cause)) return this.#ignore(cause, "currency_mismatch");
    this.closeGroup();
    this.#terms = cause.terms;
    this.#push("WalletTermsApplied", {});
  }

  /** Decides the requests of the group and writes its events. */
  closeGroup(): void {
    const group = this.#group;
    const { on } = group;
    let available = this.#available;
    let spent = this.#spent;
    for (const { back } of Object.values(group.buckets)) spent = lessSpent(spent, back);
    for (const { message_id, amount: text } of group.requests) {
      const amount = moneyOf(text)!;
      const short = shortOf({ available, spent, terms: this.#terms }, amount, on);
      this.#decided.set(message_id, {
        amount: text,
        ...(short === undefined ? { status: "held", on } : { status: "declined" }),
      });
      const own =
        short === "spend_limit_reached"
          ? group.overLimit
          : group.buckets[short === undefined ? "FundsHeld" : "FundsDeclined"];
      own.entries.push({ message_id, amount: text });
      own.sum += amount;
      if (short !== undefined) continue;
      available -= amount;
      spent = spend(spent, amount, on);
    }
    // `available` and `held` have had the credits added as they came: start again from before the group.
    const { available: from, held } = group;
    this.#available = from;
    this.#held = held;
    for (const type of groupedEventTypes) {
      if (type === "FundsHeld" && group.buckets.FundsHeld.entries.length > 0) this.#spent = spent;
      this.#write(type, group.buckets[type]);
    }
    this.#write("FundsDeclined", group.overLimit, "spend_limit_reached");
    this.#group = emptyGroup(this.#available, this.#held);
  }

  #write(
    type: WalletEventType,
    { entries, sum, back }: Bucket,
    reason = "insufficient_funds",
  ): void {
    if (entries.length === 0) return;
    const before = this.#available;
    this.#available += sum * effects[type].available;
    this.#held += sum * effects[type].held;
    const isBeyond = this.#available < before && this.#available < -creditOf(this.#terms);
    if (isBeyond || this.#held < 0n) throw new Error(`${type} would make a balance negative`);
    this.#spent = lessSpent(this.#spent, back);
    this.#push(type, { entries, ...(type === "FundsDeclined" && { reason }) });
    const { low_balance_threshold: threshold } = this.#terms;
    if (threshold === undefined || this.#available >= before) return;
    const limit = moneyOf(threshold)!;
    if (before >= limit && this.#available < limit) this.#push("BalanceLow", { threshold });
  }

  #push(type: WalletEventType, own: object): void {
    const { on, day, month } = this.#spent;
    const data = {
      covers: this.#covers,
      available: formatMoney(this.#available),
      held: formatMoney(this.#held),
      currency: this.#currency!,
      ...(on !== "" && { spent: { on, day: formatMoney(day), month: formatMoney(month) } }),
      ...(Object.keys(this.#terms).length > 0 && { terms: this.#terms }),
      ...own,
    };
    this.events.push({ type, data } as WalletEvent);
    // What follows is decided from here on.
    this.#group.available = this.#available;
    this.#group.held = this.#held;
  }

  #credit(type: GroupedType, entry: Entry, amount: bigint, on?: string): void {
    const own = this.#group.buckets[type];
    own.entries.push(entry);
    own.sum += amount;
    if (givesBack.has(type) && on !== undefined)
      own.back!.set(on, (own.back!.get(on) ?? 0n) + amount);
    this.#available += amount * effects[type].available;
    this.#held += amount * effects[type].held;
  }

  /** Whether the wallet has the cause's currency; the first one gives it its own. */
  #isIn({ currency }: { readonly currency: string }): boolean {
    this.#currency ??= currency;
    return this.#currency === currency;
  }

  #hold(messageId: string): Hold | undefined {
    return this.#decided.get(messageId) ?? this.#holds.get(messageId);
  }

  #ignore(cause: WalletCause, reason: IgnoredReason): void {
    this.ignored.push({ cause, reason });
  }
}
