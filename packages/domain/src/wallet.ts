import { type EventData, formatMoney, parseMoney, type TypedEvent } from "@heliograph/contracts";

/**
 * The rules of a partner's wallet: who gets funds, and how each hold ends. Pure; the wallet service stores what is decided here.
 * A hold is resolved once: held → captured (→ refunded) or held → released. A declined request never becomes a hold.
 */
export type HoldStatus = "held" | "captured" | "released" | "refunded" | "declined";
export type Hold = { readonly amount: string; readonly status: HoldStatus };
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
};
export const emptyWallet: Wallet = {
  available: 0n,
  held: 0n,
  currency: undefined,
  covers: 0n,
  revision: -1,
};

type Event<Type extends WalletEventType> = { readonly type: Type; readonly data: EventData<Type> };
export type WalletEvent =
  | Event<"FundsToppedUp">
  | Event<"FundsReleased">
  | Event<"FundsCaptured">
  | Event<"FundsRefunded">
  | Event<"FundsHeld">
  | Event<"FundsDeclined">;

/** The events of a `wallet-<partner>` stream, in the order in which one batch writes them (see `decideWallet`). */
export const walletEventTypes = [
  "FundsToppedUp",
  "FundsReleased",
  "FundsCaptured",
  "FundsRefunded",
  "FundsHeld",
  "FundsDeclined",
] as const;
export type WalletEventType = (typeof walletEventTypes)[number];

/** What asks the wallet for a decision. `return` gives funds back: a release while held, a refund once captured. */
export type WalletCause =
  | {
      readonly kind: "hold";
      readonly position: bigint;
      readonly message_id: string;
      readonly amount: string;
      readonly currency: string;
    }
  | { readonly kind: "capture" | "return"; readonly position: bigint; readonly message_id: string }
  | {
      readonly kind: "topup";
      readonly position: bigint;
      readonly transaction_id: string;
      readonly amount: string;
      readonly currency: string;
      readonly reference?: string | undefined;
    };

/** Every event type that is a cause. */
export const walletCauseTypes = [
  "MessageRequested",
  "MessageSent",
  "DispatchExhausted",
  "MessageExpired",
  "MessageCanceled",
  "MessageRejected",
  "DeliveryFailed",
  "TopupRequested",
] as const;

/** The part of a recorded event that is looked at here; the log's `RecordedEvent` fits. */
export type CauseRecord = TypedEvent & {
  readonly position: bigint;
};

/** Reads an event as a cause; undefined when it is none. */
export function walletCause({ position, type, data }: CauseRecord): WalletCause | undefined {
  switch (type) {
    case "MessageRequested": {
      const { message_id, cost, currency } = data;
      return { kind: "hold", position, message_id, amount: cost, currency };
    }
    case "MessageSent":
      return { kind: "capture", position, message_id: data.message_id };
    case "DispatchExhausted":
    case "MessageExpired":
    case "MessageCanceled":
    case "MessageRejected":
    case "DeliveryFailed":
      return { kind: "return", position, message_id: data.message_id };
    case "TopupRequested":
      return { kind: "topup", position, ...data };
    default:
      return undefined;
  }
}

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
  const covers = reached.toString().padStart(16, "0");
  const events: WalletEvent[] = [];
  const ignored: Ignored[] = [];
  /** What this batch decided, over what was known before. */
  const decided = new Map<string, Hold>();
  let { available, held, currency } = wallet;
  let group = emptyGroup();

  const ignore = (cause: WalletCause, reason: IgnoredReason): void => {
    ignored.push({ cause, reason });
  };

  const closeGroup = (): void => {
    let afterCredits = available;
    for (const cause of group.requests) {
      const amount = moneyOf(cause.amount)!;
      const fits = amount <= afterCredits;
      const { message_id, amount: text } = cause;
      decided.set(message_id, { amount: text, status: fits ? "held" : "declined" });
      const bucket = group.buckets[fits ? "FundsHeld" : "FundsDeclined"];
      bucket.entries.push({ message_id, amount: text });
      bucket.sum += amount;
      if (fits) afterCredits -= amount;
    }
    // `available` and `held` have had the credits added as they came: start again from before the group.
    available = group.available;
    held = group.held;
    for (const type of walletEventTypes) {
      const { entries, sum } = group.buckets[type];
      if (entries.length === 0) continue;
      available += sum * effects[type].available;
      held += sum * effects[type].held;
      if (available < 0n || held < 0n) throw new Error(`${type} would make a balance negative`);
      const data = {
        covers,
        available: formatMoney(available),
        held: formatMoney(held),
        currency: currency!,
        entries,
        ...(type === "FundsDeclined" && { reason: "insufficient_funds" }),
      };
      events.push({ type, data } as WalletEvent);
    }
    group = emptyGroup();
  };

  function emptyGroup(): Group {
    const bucket = (): Bucket => ({ entries: [], sum: 0n });
    return {
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
    };
  }

  for (const cause of causes) {
    if (cause.position <= passed) continue;
    switch (cause.kind) {
      case "hold":
      case "topup": {
        const amount = moneyOf(cause.amount);
        if (amount === undefined || amount < 0n) ignore(cause, "invalid_amount");
        else if (currency !== undefined && cause.currency !== currency)
          ignore(cause, "currency_mismatch");
        else if (cause.kind === "topup") {
          currency = cause.currency;
          const { transaction_id, reference } = cause;
          group.buckets.FundsToppedUp.entries.push({
            transaction_id,
            amount: cause.amount,
            ...(reference !== undefined && { reference }),
          });
          group.buckets.FundsToppedUp.sum += amount;
          available += amount;
        } else if (
          group.requested.has(cause.message_id) ||
          (decided.get(cause.message_id) ?? holds.get(cause.message_id)) !== undefined
        )
          ignore(cause, "already_decided");
        else {
          currency = cause.currency;
          group.requested.add(cause.message_id);
          group.requests.push(cause);
        }
        break;
      }
      case "capture":
      case "return": {
        if (group.requested.has(cause.message_id)) closeGroup();
        const hold = decided.get(cause.message_id) ?? holds.get(cause.message_id);
        const type = hold && settlement(hold.status, cause.kind);
        if (hold === undefined) ignore(cause, "no_hold");
        else if (type === undefined)
          ignore(cause, hold.status === "declined" ? "declined" : "already_resolved");
        else {
          const amount = moneyOf(hold.amount)!;
          decided.set(cause.message_id, { amount: hold.amount, status: statusAfter[type] });
          group.buckets[type].entries.push({ message_id: cause.message_id, amount: hold.amount });
          group.buckets[type].sum += amount;
          available += amount * effects[type].available;
          held += amount * effects[type].held;
        }
        break;
      }
      default:
        cause satisfies never;
    }
  }
  closeGroup();
  return { events, ignored };
}

type Bucket = {
  readonly entries: { message_id?: string; transaction_id?: string; amount: string }[];
  sum: bigint;
};
type Group = {
  readonly available: bigint;
  readonly held: bigint;
  readonly requests: Extract<WalletCause, { kind: "hold" }>[];
  readonly requested: Set<string>;
  readonly buckets: Record<WalletEventType, Bucket>;
};

/** How one unit of an event's amounts changes the partner's two balances. */
const effects: Readonly<Record<WalletEventType, { available: bigint; held: bigint }>> = {
  FundsToppedUp: { available: 1n, held: 0n },
  FundsReleased: { available: 1n, held: -1n },
  FundsCaptured: { available: 0n, held: -1n },
  FundsRefunded: { available: 1n, held: 0n },
  FundsHeld: { available: -1n, held: 1n },
  FundsDeclined: { available: 0n, held: 0n },
};

/** What a hold becomes through an event that names it. */
const statusAfter = {
  FundsHeld: "held",
  FundsDeclined: "declined",
  FundsCaptured: "captured",
  FundsReleased: "released",
  FundsRefunded: "refunded",
} as const satisfies Record<Exclude<WalletEventType, "FundsToppedUp">, HoldStatus>;

/** The event that settles a hold; undefined when this settlement can no longer happen. */
export function settlement(
  status: HoldStatus,
  kind: "capture" | "return",
): "FundsCaptured" | "FundsReleased" | "FundsRefunded" | undefined {
  if (status === "held") return kind === "capture" ? "FundsCaptured" : "FundsReleased";
  return status === "captured" && kind === "return" ? "FundsRefunded" : undefined;
}

/** The balance after an event of the wallet's stream: each event carries it, so the last one alone is enough. */
export function evolveWallet(
  wallet: Wallet,
  event: { readonly data: WalletEvent["data"]; readonly revision?: number },
): Wallet {
  const { available, held, currency, covers } = event.data;
  return {
    available: moneyOf(available)!,
    held: moneyOf(held)!,
    currency,
    covers: BigInt(covers),
    revision: event.revision ?? wallet.revision + 1,
  };
}

/**
 * Notes in `holds` what an event did to each of its messages. It changes the map given: copying a map of 100,000 holds for each
 * batch would cost more than the batch.
 */
export function noteHolds(
  holds: { set(messageId: string, hold: Hold): unknown },
  event: { readonly type: string; readonly data: unknown },
): void {
  const status = (statusAfter as Record<string, HoldStatus>)[event.type];
  if (status === undefined) return;
  for (const { message_id, amount } of (event.data as EventData<"FundsHeld">).entries)
    holds.set(message_id, { amount, status });
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
