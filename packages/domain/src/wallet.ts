import { type EventData, parseMoney, type Terms, type TypedEvent } from "@heliograph/contracts";
import { formatTime, timeOfEvent } from "./time.ts";

/**
 * The rules of a partner's wallet: who gets funds, and how each hold ends. Pure; the wallet service stores what is decided here.
 * A hold is resolved once: held → captured (→ refunded, or kept where the message failed and a provider charges for it, until a correction says that none does) or held → released. A declined request never becomes a hold. One whose message came to nothing in
 * time expires: what the message says after that is charged by an entry of its own or written off (captured, written_off), or finds its funds given back (returned).
 */
export type HoldStatus =
  | "held"
  | "captured"
  | "released"
  | "refunded"
  | "declined"
  | "expired"
  | "returned"
  | "written_off"
  | "kept";
/** `on`: the day (UTC) whose spending it counts in; undefined where it counts in none, as before anything was counted. */
export type Hold = {
  readonly amount: string;
  readonly status: HoldStatus;
  readonly on?: string | undefined;
};
/** Finds what became of a message's request for funds; a `Map` will do. */
export type HoldBook = { get(messageId: string): Hold | undefined };

/** A wallet's balance after its last event. `covers`: the highest log position whose causes are decided. */
export type Wallet = {
  readonly available: bigint;
  readonly held: bigint;
  /** Undefined until the first event names it. */
  readonly currency: string | undefined;
  readonly covers: bigint;
  /** Revision of the last event, -1 when there is none. */
  readonly revision: number;
  readonly spent: Spent;
  readonly terms: Terms;
};
/** What was set aside less what came back of that, in the period of the newest hold: its day (UTC; "" before the first) and the month of that. */
export type Spent = { readonly on: string; readonly day: bigint; readonly month: bigint };
export const nothingSpent: Spent = { on: "", day: 0n, month: 0n };
export const emptyWallet: Wallet = {
  available: 0n,
  held: 0n,
  currency: undefined,
  covers: 0n,
  revision: -1,
  spent: nothingSpent,
  terms: {},
};

type Event<Type extends WalletEventType> = { readonly type: Type; readonly data: EventData<Type> };
export type WalletEvent =
  | Event<"FundsToppedUp">
  | Event<"FundsReleased">
  | Event<"FundsCaptured">
  | Event<"FundsRefunded">
  | Event<"FundsHeld">
  | Event<"FundsDeclined">
  | Event<"FundsAdjusted">
  | Event<"AdjustmentDeclined">
  | Event<"WalletTermsApplied">
  | Event<"BalanceLow">
  | Event<"FundsExpired">
  | Event<"FundsChargedLate">
  | Event<"FundsWrittenOff">
  | Event<"FundsReturnedBefore">
  | Event<"FundsKept">
  | Event<"FundsReduced">
  | Event<"FundsRebated">
  | Event<"FundsSurcharged">;

/** The events of a wallet's stream that one batch writes side by side, in that order (see `decideWallet`). */
export const groupedEventTypes = [
  "FundsToppedUp",
  "FundsReleased",
  "FundsCaptured",
  "FundsKept",
  "FundsRefunded",
  "FundsExpired",
  "FundsHeld",
  "FundsDeclined",
] as const;
/** All events of a wallet's stream. */
export const walletEventTypes = [
  ...groupedEventTypes,
  "FundsAdjusted",
  "AdjustmentDeclined",
  "WalletTermsApplied",
  "BalanceLow",
  "FundsChargedLate",
  "FundsWrittenOff",
  "FundsReturnedBefore",
  "FundsReduced",
  "FundsRebated",
  "FundsSurcharged",
] as const;
export type WalletEventType = (typeof walletEventTypes)[number];

/** What asks the wallet for a decision. `return` gives funds back: a release while held, a refund once captured. `expire`: nothing became of the message in time. */
export type WalletCause =
  | {
      readonly kind: "hold";
      readonly position: bigint;
      readonly message_id: string;
      readonly amount: string;
      readonly currency: string;
      /** The day (UTC) on which it was requested: what is spent counts there. */
      readonly on: string;
    }
  | {
      readonly kind: "return" | "expire";
      readonly position: bigint;
      readonly message_id: string;
      /** Left out by older events: then it is the partner's first wallet. */
      readonly currency?: string | undefined;
      /** A receipt that was read again says so: what was kept comes back too. */
      readonly corrects?: true;
    }
  | {
      readonly kind: "capture";
      readonly position: bigint;
      readonly message_id: string;
      readonly currency?: string | undefined;
      /** The day (UTC) of it: one that comes after its hold expired is spent there. */
      readonly on?: string;
      /** What it comes to, where that may be less than the hold: of a message with steps that cost more. */
      readonly amount?: string;
      /** Also where another step was charged before. */
      readonly anew?: true;
    }
  | {
      /** The message came to nothing, and costs this nevertheless. */
      readonly kind: "keep";
      readonly position: bigint;
      readonly message_id: string;
      readonly currency?: string | undefined;
      readonly amount: string;
    }
  | {
      readonly kind: "topup";
      readonly position: bigint;
      readonly transaction_id: string;
      readonly amount: string;
      readonly currency: string;
      readonly reference?: string | undefined;
    }
  | ({ readonly kind: "adjustment"; readonly position: bigint } & EventData<"AdjustmentRequested">)
  | {
      readonly kind: "terms";
      readonly position: bigint;
      readonly currency: string;
      readonly terms: Terms;
    };

/** Every event type that is a cause. */
export const walletCauseTypes = [
  "MessageRequested",
  "MessageSent",
  "MessageSettled",
  "DispatchExhausted",
  "MessageExpired",
  "MessageCanceled",
  "MessageRejected",
  "DeliveryFailed",
  "MessageCorrected",
  "TopupRequested",
  "AdjustmentRequested",
  "WalletTermsSet",
  "HoldLapsed",
] as const;

/** The part of a recorded event that is looked at here; the log's `RecordedEvent` fits. */
export type CauseRecord = TypedEvent & {
  readonly position: bigint;
  readonly metadata: { readonly at?: string };
  readonly recordedAt: number;
};

/** Reads an event as a cause; undefined when it is none. */
export function walletCause(event: CauseRecord): WalletCause | undefined {
  const { position, type, data } = event;
  switch (type) {
    case "MessageRequested": {
      const { message_id, cost, hold = cost, currency, created_at } = data;
      const on = created_at.slice(0, 10);
      return { kind: "hold", position, message_id, amount: hold, currency, on };
    }
    case "MessageSent":
    case "MessageSettled":
      if (type === "MessageSent" && data.settles === false) return undefined;
      return {
        kind: "capture",
        position,
        message_id: data.message_id,
        currency: data.currency,
        on: formatTime(timeOfEvent(event)).slice(0, 10),
        amount: data.cost,
        ...(type === "MessageSettled" && { anew: true }),
      };
    case "DispatchExhausted":
    case "MessageExpired":
    case "MessageCanceled":
    case "MessageRejected":
    case "DeliveryFailed": {
      const { message_id, currency } = data;
      const amount = type === "MessageCanceled" ? undefined : data.charge;
      return amount === undefined
        ? { kind: "return", position, message_id, currency }
        : { kind: "keep", position, message_id, currency, amount };
    }
    case "MessageCorrected":
      return data.refunds
        ? {
            kind: "return",
            position,
            message_id: data.message_id,
            currency: data.currency,
            corrects: true,
          }
        : undefined;
    case "HoldLapsed":
      return { kind: "expire", position, message_id: data.message_id, currency: data.currency };
    case "TopupRequested":
      return { kind: "topup", position, ...data };
    case "AdjustmentRequested":
      return { kind: "adjustment", position, ...data };
    case "WalletTermsSet":
      return { kind: "terms", position, currency: data.currency, terms: data.terms };
    default:
      return undefined;
  }
}

/** How one unit of an event's amounts changes the partner's two balances. */
export const effects: Readonly<Record<WalletEventType, { available: bigint; held: bigint }>> = {
  FundsToppedUp: { available: 1n, held: 0n },
  FundsReleased: { available: 1n, held: -1n },
  FundsCaptured: { available: 0n, held: -1n },
  FundsRefunded: { available: 1n, held: 0n },
  FundsHeld: { available: -1n, held: 1n },
  FundsDeclined: { available: 0n, held: 0n },
  FundsAdjusted: { available: 1n, held: 0n },
  AdjustmentDeclined: { available: 0n, held: 0n },
  WalletTermsApplied: { available: 0n, held: 0n },
  BalanceLow: { available: 0n, held: 0n },
  FundsExpired: { available: 1n, held: -1n },
  FundsChargedLate: { available: -1n, held: 0n },
  FundsWrittenOff: { available: 0n, held: 0n },
  FundsReturnedBefore: { available: 0n, held: 0n },
  FundsKept: { available: 0n, held: 0n },
  FundsReduced: { available: 1n, held: -1n },
  FundsRebated: { available: 1n, held: 0n },
  FundsSurcharged: { available: -1n, held: 0n },
};

/** What a hold becomes through an event that names it. */
export const statusAfter = {
  FundsHeld: "held",
  FundsDeclined: "declined",
  FundsCaptured: "captured",
  FundsReleased: "released",
  FundsRefunded: "refunded",
  FundsExpired: "expired",
  FundsChargedLate: "captured",
  FundsWrittenOff: "written_off",
  FundsReturnedBefore: "returned",
  FundsKept: "kept",
  FundsReduced: "held",
  FundsRebated: "captured",
  FundsSurcharged: "captured",
} as const satisfies Partial<Record<WalletEventType, HoldStatus>>;
/** The events that name messages. */
export type HoldEventType = keyof typeof statusAfter;

type Settling = "capture" | "return" | "keep" | "expire";
export type ChangingType = "FundsReduced" | "FundsRebated" | "FundsSurcharged";
export type SettlingType = Exclude<HoldEventType, "FundsHeld" | "FundsDeclined" | ChangingType>;
const settlements: Readonly<Record<HoldStatus, Readonly<Partial<Record<Settling, SettlingType>>>>> =
  {
    // One that is kept is charged first.
    held: {
      capture: "FundsCaptured",
      return: "FundsReleased",
      keep: "FundsCaptured",
      expire: "FundsExpired",
    },
    captured: { return: "FundsRefunded", keep: "FundsKept" },
    expired: {
      capture: "FundsChargedLate",
      return: "FundsReturnedBefore",
      keep: "FundsChargedLate",
    },
    returned: { capture: "FundsWrittenOff" },
    written_off: { return: "FundsReturnedBefore", keep: "FundsReturnedBefore" },
    kept: {},
    released: {},
    refunded: {},
    declined: {},
  };

/** The event that settles a hold; undefined when this settlement can no longer happen. What was kept comes back by a correction alone. */
export const settlement = (
  status: HoldStatus,
  kind: Settling,
  corrects = false,
): SettlingType | undefined =>
  status === "kept" && kind === "return" && corrects ? "FundsRefunded" : settlements[status][kind];

/** The period of a day: a new day has spent nothing, a new month neither. An earlier day than the newest counts with that one. */
export function spentOn(spent: Spent, on: string): Spent {
  if (on <= spent.on) return spent;
  const isSameMonth = on.slice(0, 7) === spent.on.slice(0, 7);
  return { on, day: 0n, month: isSameMonth ? spent.month : 0n };
}

/** After an amount is set aside on a day. */
export function spend(spent: Spent, amount: bigint, on: string): Spent {
  const period = spentOn(spent, on);
  return { on: period.on, day: period.day + amount, month: period.month + amount };
}

/** After an amount comes back: it was not spent on the day on which it was set aside. Of a day or month that is over nobody asks any more. */
export function unspend(spent: Spent, amount: bigint, on: string | undefined): Spent {
  if (on === undefined || on.slice(0, 7) !== spent.on.slice(0, 7)) return spent;
  const day = on === spent.on ? less(spent.day, amount) : spent.day;
  return { on: spent.on, day, month: less(spent.month, amount) };
}
/** Never below zero: earlier wallets took off what had been spent in another period. */
const less = (spent: bigint, amount: bigint): bigint => (spent > amount ? spent - amount : 0n);

/** Why a request is declined; undefined when it fits. The wallet decides by it, and who accepts messages guesses by it. */
export function shortOf(
  wallet: Pick<Wallet, "available" | "spent" | "terms">,
  amount: bigint,
  on: string,
): "insufficient_funds" | "spend_limit_reached" | undefined {
  const { terms } = wallet;
  if (amount > wallet.available + creditOf(terms)) return "insufficient_funds";
  if (terms.spend_limit_day === undefined && terms.spend_limit_month === undefined)
    return undefined;
  const { day, month } = spentOn(wallet.spent, on);
  const exceeds = (limit: string | undefined, spent: bigint): boolean =>
    limit !== undefined && spent + amount > moneyOf(limit)!;
  return exceeds(terms.spend_limit_day, day) || exceeds(terms.spend_limit_month, month)
    ? "spend_limit_reached"
    : undefined;
}

/** How far what is available may go below zero. */
export const creditOf = ({ credit_limit }: Terms): bigint =>
  credit_limit === undefined ? 0n : moneyOf(credit_limit)!;

/** The balance after an event of the wallet's stream: each event carries it, so the last one alone is enough. */
export function evolveWallet(
  wallet: Wallet,
  event: { readonly data: WalletEvent["data"]; readonly revision?: number },
): Wallet {
  const { available, held, currency, covers, spent, terms } = event.data;
  return {
    available: moneyOf(available)!,
    held: moneyOf(held)!,
    currency,
    covers: BigInt(covers),
    revision: event.revision ?? wallet.revision + 1,
    spent:
      spent === undefined
        ? nothingSpent
        : { on: spent.on, day: moneyOf(spent.day)!, month: moneyOf(spent.month)! },
    terms: terms ?? {},
  };
}

/**
 * The name of a partner's wallet in a currency: the partner's id for the currency that the partner has, and for any other the two of them. Streams of wallets, their
 * holds and balances are named by it.
 */
export const walletName = (
  partner: { readonly partner_id: string; readonly currency: string },
  currency: string = partner.currency,
): string =>
  currency === partner.currency ? partner.partner_id : `${partner.partner_id}.${currency}`;
/** ISO 4217, as far as a pattern can tell. */
export const currencyPattern = /^[A-Z]{3}$/;
export const partnerOfWallet = (name: string): string => name.split(".", 1)[0]!;

/** The events that set aside what counts as spent, on the day that they name. */
const isSpending: ReadonlySet<string> = new Set(["FundsHeld", "FundsChargedLate"]);

/**
 * Notes in `holds` what an event did to each of its messages. It changes the map given: copying a map of 100,000 holds for each
 * batch would cost more than the batch.
 */
export function noteHolds(
  holds: HoldBook & { set(messageId: string, hold: Hold): unknown },
  event: { readonly type: string; readonly data: unknown },
): void {
  const status = (statusAfter as Record<string, HoldStatus>)[event.type];
  if (status === undefined) return;
  const { entries, spent } = event.data as EventData<"FundsHeld">;
  for (const entry of entries) {
    const { message_id } = entry;
    const on = isSpending.has(event.type) ? spent?.on : holds.get(message_id)?.on;
    const amount = "becomes" in entry ? String(entry.becomes) : entry.amount;
    holds.set(message_id, { amount, status, on });
  }
}

/** Micro-units of an amount of an event. Amounts are few and come again and again: a small memo makes them 10 times cheaper than the parse. */
export function moneyOf(text: string): bigint | undefined {
  let amount = memo.get(text);
  if (amount === undefined) {
    amount = parseMoney(text);
    if (amount === undefined) return undefined;
    if (memo.size >= memoLimit) memo.clear();
    memo.set(text, amount);
  }
  return amount;
}
const memo = new Map<string, bigint>();
const memoLimit = 1_000;
