import type { EventData, Failure, FailoverTrigger, TypedEvent } from "@heliograph/contracts";
import { formatTime, timeOfEvent } from "./time.ts";

/**
 * The steps of a message that may go by other channels: one message, one stream, one price. Pure; dispatch begins steps and delivery reads receipts by the same rules, and
 * the exact revision of the message's stream sees to it that one of them decides.
 */
type Requested = EventData<"MessageRequested">;
type Provider = {
  readonly gateway: string;
  readonly name: string;
  readonly message_id: string;
  readonly status: string;
};
type Step = {
  /** `sent`: a provider took it, and nothing bad was heard of it. */
  readonly status: "waiting" | "under_way" | "sent" | "delivered" | "failed" | "expired";
  /** Why it was begun; that of the first is the request. */
  readonly trigger?: FailoverTrigger;
  readonly begunAt?: number;
  readonly sentAt?: number;
  readonly error?: Failure;
  /** Who took it, each attempt that was accepted. */
  readonly taken: readonly Provider[];
};
export type Failover = {
  readonly origin: Requested;
  /** The step that is under way, or on which the message ended. */
  readonly step: number;
  /** No further step begins. */
  readonly over: boolean;
  readonly steps: readonly Step[];
};
type StepEvent = TypedEvent & {
  readonly metadata: { readonly at?: string };
  readonly recordedAt: number;
};

/** Undefined for a message that has one step, as most have. */
export const beginFailover = (origin: Requested): Failover | undefined =>
  origin.failover === undefined
    ? undefined
    : {
        origin,
        step: 0,
        over: false,
        steps: [origin, ...origin.failover].map((_, step) => ({
          status: step === 0 ? "under_way" : "waiting",
          taken: [],
        })),
      };

const withStep = (failover: Failover, step: number, change: Partial<Step>): Failover => ({
  ...failover,
  steps: failover.steps.map((each, index) => (index === step ? { ...each, ...change } : each)),
});

/** What an event of the message's stream says of its steps. */
export function evolveFailover(failover: Failover, event: StepEvent): Failover {
  const { type, data } = event;
  const end = (change: Partial<Step>): Failover => ({
    ...withStep(failover, failover.step, change),
    over: true,
  });
  switch (type) {
    case "MessageSent":
    case "MessageResent": {
      const step = type === "MessageSent" ? (data.step ?? 0) : failover.step;
      const { status, taken } = failover.steps[step]!;
      return withStep(failover, step, {
        status: status === "delivered" ? status : "sent",
        sentAt: timeOfEvent(event),
        taken: [...taken, { gateway: data.gateway, ...data.provider }],
      });
    }
    case "DispatchAttemptFailed":
      return withStep(failover, failover.step, { error: data.error });
    case "FailoverStarted": {
      const { step, trigger } = data;
      const before =
        trigger === "no_receipt"
          ? failover
          : withStep(failover, failover.step, { status: trigger });
      const begunAt = timeOfEvent(event);
      return { ...withStep(before, step, { status: "under_way", trigger, begunAt }), step };
    }
    case "FailoverStepFailed":
      return withStep(failover, data.step, { status: "failed", error: data.error });
    case "MessageSettled": {
      const isUnderWay = failover.steps[failover.step]!.status === "under_way";
      // One that was sent and is not what counts was told to have failed, or may arrive still.
      const ended =
        isUnderWay && data.step !== failover.step ? end({ status: "failed" }) : failover;
      return { ...ended, step: data.step, over: true };
    }
    case "MessageDelivered":
    case "MessageRead": {
      const { step: told = failover.step } = data;
      // The first that was delivered is the one that counts, and is charged, whatever is heard of others: it may have come back since, and another be read.
      const isThere = failover.steps[failover.step]!.status === "delivered";
      const step = isThere || type === "MessageRead" ? failover.step : told;
      return { ...withStep(failover, told, { status: "delivered" }), step, over: true };
    }
    case "DispatchExhausted":
    case "DeliveryFailed":
    case "MessageBounced":
    case "MessageRejected":
      return end({ status: "failed", error: data.error });
    case "MessageExpired":
      return end({ status: "expired" });
    case "MessageCanceled":
      return end({ status: "waiting" });
    default:
      return failover;
  }
}

/** When a request may be sent first, and how long from then on: each of its steps has as long from its own beginning. */
export const validityMs = ({ send_at, created_at, expires_at }: Requested): number =>
  Date.parse(expires_at) - Date.parse(send_at ?? created_at);

/** When nothing more becomes of a request for certain. */
export function overAt(request: Requested): number {
  const validity = validityMs(request);
  const steps = request.failover ?? [];
  return steps.reduce(
    (at, { after_seconds = 0 }) => at + validity + after_seconds * 1_000,
    Date.parse(request.expires_at),
  );
}

/** The request as one of its steps carries it out. */
export function requestOfStep(
  origin: Requested,
  step: number,
  expires_at: string = origin.expires_at,
): Requested {
  const own = step === 0 ? undefined : origin.failover?.[step - 1];
  if (own === undefined) return origin;
  const { from: _, sender_pool: __, sender_rule: ___, ...others } = origin;
  const { reply_to: ____, unsubscribe_url: _____, ...common } = others;
  const { on: ______, after_seconds: _______, ...sent } = own;
  return { ...common, ...sent, expires_at };
}

/** In the word of gateways for somebody who wrote STOP to the provider, which takes no more messages to that number. */
export const optedOutCode = "recipient_opted_out";

const unwanted: ReadonlySet<string> = new Set([optedOutCode, "recipient_suppressed"]);

/** What follows when the step came to nothing: the next one, one that was sent before and may arrive still, or the end of the message. */
export type AfterStep =
  | { readonly type: "next" | "fall_back"; readonly step: number }
  | { readonly type: "end" };

export function afterStep(failover: Failover, what: FailoverTrigger, error?: Failure): AfterStep {
  const { origin, step, over } = failover;
  // Who wants no messages gets none by another channel either.
  const goesOn = !over && !unwanted.has(error?.code ?? "");
  if (goesOn && origin.failover![step]?.on.includes(what)) return { type: "next", step: step + 1 };
  const left = fallBackOf(failover);
  return left === undefined ? { type: "end" } : { type: "fall_back", step: left };
}

/** The last of the other steps that may arrive still. */
export function fallBackOf({ step, steps }: Failover): number | undefined {
  const left = steps.findLastIndex(({ status }, index) => index !== step && status === "sent");
  return left < 0 ? undefined : left;
}

/**
 * Until when a step that was sent at `sentAt` may be followed by the next one, and what is done then: without a receipt the next one begins where it says so, else what was sent last is
 * charged. Undefined where nothing follows that was sent.
 */
export function receiptWait(
  { origin, step, over }: Failover,
  expiresAt: number,
  sentAt: number,
): { readonly until: number; readonly outcome: "no_receipt" | "settle" } | undefined {
  const next = over ? undefined : origin.failover![step];
  if (next?.on.includes("no_receipt"))
    return { until: sentAt + next.after_seconds! * 1_000, outcome: "no_receipt" };
  return next?.on.includes("failed")
    ? { until: Math.max(expiresAt, sentAt), outcome: "settle" }
    : undefined;
}

/** The step that a provider speaks of; undefined where no step is known to have gone there. */
export function stepOf(
  { steps }: Failover,
  about: { readonly gateway: string; readonly provider_message_id: string },
): number | undefined {
  const found = steps.findLastIndex(({ taken }) =>
    taken.some(
      ({ gateway, message_id }) =>
        gateway === about.gateway && message_id === about.provider_message_id,
    ),
  );
  return found < 0 ? undefined : found;
}

export const wasSent = ({ steps }: Failover): boolean =>
  steps.some(({ sentAt }) => sentAt !== undefined);

/** The steps as `GET /messages/{id}` shows them. */
export const stepsView = ({ origin, steps }: Failover): readonly Record<string, unknown>[] =>
  steps.map(({ status, trigger, begunAt, sentAt, error, taken }, step) => {
    const { channel, to, cost } = requestOfStep(origin, step);
    const provider = taken.at(-1);
    return {
      step,
      channel,
      to,
      status,
      cost_estimate: cost,
      ...(trigger !== undefined && { trigger }),
      ...(begunAt !== undefined && { begun_at: formatTime(begunAt) }),
      ...(sentAt !== undefined && { sent_at: formatTime(sentAt) }),
      ...(provider !== undefined && { provider }),
      ...(error !== undefined && (status === "failed" || status === "expired") && { error }),
    };
  });
