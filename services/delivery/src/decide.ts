import { deterministicId, uuid5, type EventData, type Failure } from "@heliograph/contracts";
import {
  billedBy,
  chargeOf,
  joinStatus,
  messageContext,
  statusRank,
  type MessageState,
  type MessageStatus,
} from "@heliograph/domain";
import type { Append, NewEvent, RecordedEvent } from "@heliograph/log";
import {
  defaultError,
  isTransient,
  type Cause,
  type Fact,
  type Receipt,
  type ReceiptEvent,
} from "./facts.ts";
import { badNewsOfSteps, requestIn, settledBy, settledByBounce, stepIn } from "./steps.ts";

export type { Fact, Receipt, ReceiptEvent } from "./facts.ts";

/** What the receipts of a message lead to: facts to append, and whether the receipts wait for the provider's answer to be recorded. */
export type ReceiptDecision = { readonly facts: readonly Fact[]; readonly park: boolean };
const nothing: ReceiptDecision = { facts: [], park: false };
const parked: ReceiptDecision = { facts: [], park: true };

const below = (status: MessageStatus, other: MessageStatus): boolean =>
  statusRank(status) < statusRank(other);

/** A provider holds the message or may hold it: from here on its receipts count. */
export const mayBeDelivered = (state: MessageState): boolean =>
  state.provider !== undefined || state.failing !== undefined;

/**
 * Receipts in any order and any number, decided together. Good news counts whichever attempt it is about, because the recipient has the
 * message; bad news counts only about the attempt that is current, because a later one may succeed. Good news goes first, so that
 * contradictory receipts of one batch cause no refund. A message that went in parts is there once all are, and is lost with the first that is. Reading implies delivery, so that a `read` that overtakes its `delivered` gives both
 * facts in their natural order. A complaint changes no status, however the message fared, and counts once. What is below the status already reached adds nothing: it stays in `receipts-<id>` as evidence.
 */
export function decideReceipts(
  state: MessageState | undefined,
  receipts: readonly ReceiptEvent[],
): ReceiptDecision {
  if (state === undefined) return parked;
  if (!mayBeDelivered(state)) return below(state.status, "rejected") ? parked : nothing;
  const facts: Fact[] = [];
  let { status } = state;
  const reach = (next: MessageStatus, type: string, data: object, cause: Cause): void => {
    if (!below(status, next)) return;
    status = joinStatus(status, next);
    facts.push({ type, data, cause });
  };
  const good = receipts.filter(({ data }) => confirms(state, data));
  const read = arrived(good, "read");
  const delivered = arrived(good, "delivered") ?? read;
  if (delivered !== undefined) {
    const isNews = below(status, "delivered");
    reach("delivered", "MessageDelivered", deliveredData(state, delivered.data), delivered);
    if (isNews) facts.push(...settledBy(state, delivered));
  }
  if (read !== undefined) reach("read", "MessageRead", deliveredData(state, read.data), read);
  const bad = badNews(state, receipts, status);
  return { facts: [...facts, ...bad.facts, ...complaintOf(state, receipts)], park: bad.park };
}

/** On the channel `broadcast` nobody confirms anything, whatever a provider calls what it reports of a whole list. */
const confirms = (state: MessageState, receipt: Receipt): boolean =>
  requestIn(state, stepIn(state, receipt)).channel !== "broadcast";

/** What says that the message is there: a receipt of the whole, or the last of those of all its parts. */
function arrived(
  receipts: readonly ReceiptEvent[],
  status: "delivered" | "read",
): ReceiptEvent | undefined {
  const parts = new Map<string, Set<number>>();
  return receipts.find(({ data }) => {
    if (data.status !== status) return false;
    if (data.part === undefined) return true;
    const whole = `${data.gateway} ${data.provider_message_id}`;
    const there = parts.get(whole) ?? new Set();
    parts.set(whole, there.add(data.part.number));
    return there.size === data.part.of;
  });
}

function complaintOf(state: MessageState, receipts: readonly ReceiptEvent[]): readonly Fact[] {
  const cause = receipts.find((event) => event.data.status === "complained");
  if (cause === undefined || state.complained) return [];
  const { gateway, provider_message_id, diagnostic, occurred_at } = cause.data;
  const data: EventData<"MessageComplained"> = {
    message_id: state.id,
    message: messageContext(state.request),
    gateway,
    provider_message_id,
    ...(diagnostic !== undefined && { diagnostic }),
    at: occurred_at,
  };
  return [{ type: "MessageComplained", data, cause }];
}

function badNews(
  state: MessageState,
  receipts: readonly ReceiptEvent[],
  reached: MessageStatus,
): ReceiptDecision {
  const bad = receipts.filter(({ data }) => isBad(data));
  const steps = badNewsOfSteps(state, bad, reached);
  if (steps?.ends === true) return { facts: steps.facts, park: false };
  const left = steps?.left ?? bad;
  const awaitsAttempt = state.deferredAttempt >= state.sentAttempt || steps?.isUnderWay === true;
  const current = left.filter((event) => isCurrent(state, event.data));
  const others = current.length < left.length;
  // News about an attempt that is not recorded yet waits for it.
  const park = others && awaitsAttempt && reached === "sent" && state.failing === undefined;
  const facts = worst(state, current, reached, awaitsAttempt);
  return {
    facts: [...(steps?.facts ?? []), ...facts],
    park: park && facts.every(({ type }) => type === "BounceDeferred"),
  };
}

/** What bad news about the current attempt comes to. */
function worst(
  state: MessageState,
  current: readonly ReceiptEvent[],
  reached: MessageStatus,
  awaitsAttempt: boolean,
): readonly Fact[] {
  const email = state.request.channel === "email";
  const permanent = current.filter((event) => !isTransient(event.data));
  const bounce = email ? permanent.find((event) => event.data.status === "bounced") : undefined;
  if (bounce !== undefined && below(reached, "bounced"))
    return [
      { type: "MessageBounced", data: bouncedData(state, bounce.data), cause: bounce },
      // What arrived by this very batch is charged already.
      ...(reached === "sent" ? settledByBounce(state, bounce) : []),
    ];
  if (reached !== "sent" || state.failing !== undefined) return [];
  const undelivered = permanent[0];
  if (undelivered !== undefined)
    return [
      {
        type: "DeliveryFailed",
        data: undeliveredData(state, undelivered.data),
        cause: undelivered,
      },
    ];
  const deferred = current[0];
  if (deferred === undefined || awaitsAttempt) return [];
  const error: Failure = deferred.data.error ?? defaultError("soft_bounce", false);
  const data: EventData<"BounceDeferred"> = {
    message_id: state.id,
    attempt: state.sentAttempt,
    error,
  };
  return [{ type: "BounceDeferred", data, cause: deferred }];
}

const isBad = ({ status }: Receipt): boolean =>
  status === "undelivered" || status === "bounced" || status === "deferred";
const isCurrent = (state: MessageState, receipt: Receipt): boolean =>
  receipt.provider_message_id === state.provider?.message_id;

/** A receipt of an earlier attempt may be of another gateway than the last one took, whose provider is then known by the gateway's name only. */
const providerOf = ({ provider }: MessageState, { gateway, status }: Receipt) => ({
  name: provider?.gateway === gateway ? provider.name : gateway,
  status,
});

const deliveredData = (state: MessageState, receipt: Receipt): EventData<"MessageDelivered"> => ({
  message_id: state.id,
  message: messageContext(requestIn(state, stepIn(state, receipt))),
  gateway: receipt.gateway,
  provider_message_id: receipt.provider_message_id,
  provider: providerOf(state, receipt),
  ...(state.failover !== undefined && { step: stepIn(state, receipt)! }),
  at: receipt.occurred_at,
});

function bouncedData(state: MessageState, receipt: Receipt): EventData<"MessageBounced"> {
  const error = receipt.error ?? defaultError("bounced", true);
  const diagnostic = receipt.diagnostic ?? error.provider?.text ?? error.code;
  return { message_id: state.id, message: messageContext(state.request), error, diagnostic };
}

const undeliveredData = (state: MessageState, receipt: Receipt): EventData<"DeliveryFailed"> => ({
  message_id: state.id,
  message: messageContext(state.request),
  attempts: Math.max(1, state.attempts),
  error: receipt.error ?? defaultError("undelivered", true),
  cost: state.request.cost,
  currency: state.request.currency,
  ...chargeOf(billedBy(state, receipt.error)),
});

/** The wallet declined: the message is rejected unless it has gone further. */
export function decideDeclined(
  state: MessageState,
  cause: RecordedEvent<"FundsDeclined">,
): Fact | undefined {
  if (!below(state.status, "rejected") || mayBeDelivered(state)) return undefined;
  const error: Failure = { code: cause.data.reason, class: "account", permanent: true };
  const message = messageContext(state.request);
  const { currency } = state.request;
  const data: EventData<"MessageRejected"> = { message_id: state.id, message, error, currency };
  return { type: "MessageRejected", data, cause };
}

/** The wallet gave money back, or says that none comes. That ends a message that failed; a canceled, expired or rejected one, or one that arrived after all, is left as it is. */
export function decideRefunded(
  state: MessageState,
  cause: RecordedEvent,
  amount: string,
): Fact | undefined {
  // One that was corrected has failed already, and its money came after.
  const awaitsMoney =
    below(state.status, "failed") ||
    (state.status === "failed" &&
      state.failing === "MessageCorrected" &&
      state.refund === undefined);
  if (state.failing === undefined || !awaitsMoney) return undefined;
  const isKept = cause.type === "FundsKept";
  const kind = isKept ? "capture" : cause.type === "FundsRefunded" ? "refund" : "release";
  const data: EventData<"MessageFailed"> = {
    message_id: state.id,
    message: messageContext(state.request),
    error: state.error ?? defaultError("undelivered", true),
    retry_count: Math.max(0, state.attempts - 1),
    // Where a provider charges for it nothing comes back: the transaction is then that of the charge.
    refund: {
      amount: isKept ? "0" : amount,
      currency: state.request.currency,
      transaction_id: deterministicId("wtx", state.id, kind),
    },
    ...(isKept && { charge: amount }),
  };
  return { type: "MessageFailed", data, cause };
}

/** The append of a message's facts. Ids follow from the cause, so that deciding again after a crash gives a duplicate. */
export function appendOf(stream: string, state: MessageState, facts: readonly Fact[]): Append {
  const events = facts.map(({ type, data, cause }): NewEvent => {
    const { request_id, traceparent = state.traceparent, at } = cause.metadata;
    return {
      id: uuid5(cause.id, state.id, type),
      type,
      data,
      metadata: {
        partner: state.partner,
        actor: "service:delivery",
        correlation: state.id,
        causation: cause.id,
        ...(request_id === undefined ? {} : { request_id }),
        ...(traceparent === undefined ? {} : { traceparent }),
        ...(at === undefined ? {} : { at }),
      },
    };
  });
  return { stream, expected: state.revision, events };
}
