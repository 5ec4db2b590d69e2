import type { EventData } from "@heliograph/contracts";
import {
  billedBy,
  costOf,
  evolveMessage,
  messageContext,
  type FoldableEvent,
  type MessageState,
} from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import { decideReceipts, type Fact, type ReceiptEvent } from "./decide.ts";

type Told<Type extends "ReceiptReceived" | "ReceiptReread"> = Pick<
  RecordedEvent<Type>,
  "id" | "type" | "data" | "metadata"
>;
export type Reread = Told<"ReceiptReread">;
/** What stands in a stream of receipts, or is about to. */
export type ReceiptsEvent = Told<"ReceiptReceived"> | Reread;
type Corrected = EventData<"MessageCorrected">;
type Outcome = Corrected["status"];

/** Tells one provider event from another, however often it is read. */
export const eventName = (data: {
  readonly gateway: string;
  readonly provider_event_id: string;
}): string => `${data.gateway}\u001f${data.provider_event_id}`;

/** What the receipts of a message say as they are read now, by their provider events, in the order in which those came. */
export function readingsOf(events: readonly ReceiptsEvent[]): ReadonlyMap<string, ReceiptEvent> {
  const readings = new Map<string, ReceiptEvent>();
  for (const event of events) {
    const name = eventName(event.data);
    if (event.type === "ReceiptReceived") readings.set(name, event);
    else {
      const { status, before: _, callback_id: __, ...said } = event.data;
      if (status === "nothing") readings.delete(name);
      else readings.set(name, { ...event, data: { ...said, status } });
    }
  }
  return readings;
}

/** Receipts that say something of a status. That a provider has the message, the message itself says. */
export const telling = (readings: ReadonlyMap<string, ReceiptEvent>): readonly ReceiptEvent[] =>
  [...readings.values()].filter(({ data }) => data.status !== "sent");

const outcomeOf: Readonly<Record<string, Outcome>> = {
  MessageDelivered: "delivered",
  MessageRead: "read",
  MessageBounced: "bounced",
  DeliveryFailed: "failed",
};

/** What follows when receipts of a message that a provider may have were read again, all of them given as they are read now: a correction where something else was told, and a complaint that nobody had seen. */
export function decideReread(
  state: MessageState,
  receipts: readonly ReceiptEvent[],
  cause: Reread,
): readonly Fact[] {
  // Steps may follow still: the receipts count as if they had come like this.
  if (state.failover?.over === false) return decideReceipts(state, receipts).facts;
  const now = asRead(state, receipts);
  const { facts } = decideReceipts(asTaken(now), receipts);
  const correction = correctionOf(now, facts, cause);
  return [
    ...(correction === undefined ? [] : [correction]),
    ...facts.filter(({ type }) => type === "MessageComplained"),
  ];
}

/** What readings come to that were told while the wallet had not answered yet what a failure costs: nothing was given back by them. `facts` are about to be appended. */
export function decideKept(
  state: MessageState,
  facts: readonly Fact[],
  { receipts, cause }: { readonly receipts: readonly ReceiptEvent[]; readonly cause: Reread },
): readonly Fact[] {
  let after: MessageState = state;
  for (const { type, data } of facts) {
    const { position, revision } = after;
    const event = { type, data, position, revision: revision + 1, metadata: {}, recordedAt: 0 };
    after = evolveMessage(after, event as FoldableEvent) ?? after;
  }
  if (after.status !== "failed") return [];
  return decideReread(after, receipts, cause).filter(({ type }) => type === "MessageCorrected");
}

/**
 * What became of a message, where that is not what was told; nothing where dispatch still acts on it. Money that was given back is not charged again, and a message of which nothing is known any
 * more is then left as failed.
 */
function correctionOf(
  state: MessageState,
  facts: readonly Fact[],
  cause: Reread,
): Fact | undefined {
  const told = facts.findLast(({ type }) => Object.hasOwn(outcomeOf, type));
  const status: Outcome = told ? outcomeOf[told.type]! : state.charged ? "sent" : "failed";
  const before = state.status as Outcome;
  const isUnderway = before === "sent" && state.failing !== undefined;
  const { error, diagnostic } = (told?.data ?? {}) as Pick<Corrected, "error" | "diagnostic">;
  // A failure that a provider charges for costs what it did.
  const refunds =
    status === "failed" && costs(state) && billedBy(state, error).billed === undefined;
  if ((status === before && !refunds) || (isUnderway && status === "failed")) return undefined;
  const { gateway, provider_message_id, occurred_at, status: says, before: said } = cause.data;
  const words =
    status === before && says === said
      ? "its provider does not charge for it"
      : `it says ${says}, and was taken for ${said}`;
  const data: Corrected = {
    message_id: state.id,
    message: messageContext(state.request),
    status,
    before: { status: before, ...(isError(before) && state.error && { error: state.error }) },
    reason: `a receipt of ${gateway} was read again: ${words}`,
    gateway,
    provider_message_id,
    at: occurred_at,
    ...(error !== undefined && { error }),
    ...(diagnostic !== undefined && { diagnostic }),
    refunds,
    cost: refunds ? "0" : costOf(state),
    currency: state.request.currency,
  };
  return { type: "MessageCorrected", data, cause };
}

/** It is charged, or it came to nothing and what a provider charges for it was kept. */
const costs = ({ charged, charge }: MessageState): boolean => charged || charge !== undefined;

const isError = (status: Outcome): boolean => status === "failed" || status === "bounced";

/** What was billed by receipts is not any more where none of them says so; what dispatch was answered is no receipt. */
const asRead = (state: MessageState, receipts: readonly ReceiptEvent[]): MessageState =>
  receipts.some(({ data }) => data.error?.billable) ? state : { ...state, billed: state.answered };

/** As if no receipt had come yet. */
const asTaken = (state: MessageState): MessageState =>
  state.failing === "DispatchExhausted"
    ? { ...state, status: "failed" }
    : { ...state, status: "sent", failing: undefined };
