import { type EventData, parseMoney, type TypedEvent } from "@heliograph/contracts";

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

/** How one unit of an event's amounts changes the partner's two balances. */
export const effects: Readonly<Record<WalletEventType, { available: bigint; held: bigint }>> = {
  FundsToppedUp: { available: 1n, held: 0n },
  FundsReleased: { available: 1n, held: -1n },
  FundsCaptured: { available: 0n, held: -1n },
  FundsRefunded: { available: 1n, held: 0n },
  FundsHeld: { available: -1n, held: 1n },
  FundsDeclined: { available: 0n, held: 0n },
};

/** What a hold becomes through an event that names it. */
export const statusAfter = {
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
