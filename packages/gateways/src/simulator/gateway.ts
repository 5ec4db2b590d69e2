import { magicOutcome } from "@heliograph/channels";
import type { Failure } from "@heliograph/contracts";
import { simulatedMessageId } from "../attempt-id.ts";
import { earlyReceipt } from "./receipts.ts";
import type { Attempt, Gateway, GatewayConfig, GatewayTools, SendResult } from "../types.ts";

/** How long the `slow` recipient's provider thinks before it answers. */
const SLOW_MS = 5_000;
/** Attempts whose answer was lost, kept so that a lookup can tell; a real provider forgets sooner or later too. */
const REMEMBERED_ATTEMPTS = 10_000;

export const simulatorErrors = {
  recipient_unreachable: { class: "recipient", permanent: true },
  recipient_unavailable: { class: "recipient", permanent: false },
  recipient_suppressed: { class: "recipient", permanent: true },
  no_gateway: { class: "gateway", permanent: false },
} as const satisfies Record<string, Pick<Failure, "class" | "permanent">>;

/** What the simulated provider called `name` answers those whom it does not take. */
function refusalsOf(name: string) {
  const error = (code: keyof typeof simulatorErrors, text: string): Failure => ({
    code,
    ...simulatorErrors[code],
    provider: { name, code, text },
  });
  const rejected = (...said: Parameters<typeof error>): SendResult => ({
    type: "rejected",
    error: error(...said),
  });
  /** In the word of FCM. */
  const unregistered: SendResult = {
    type: "rejected",
    error: {
      code: "recipient_unreachable",
      ...simulatorErrors.recipient_unreachable,
      provider: { name, code: "UNREGISTERED", text: "The device is not registered any more" },
    },
    gone: {},
  };
  return {
    unreachable: (channel: string): SendResult =>
      channel === "push"
        ? unregistered
        : rejected(
            "recipient_unreachable",
            channel === "email" ? "The address does not exist" : "The number is not in service",
          ),
    busy: rejected("recipient_unavailable", "The recipient cannot be reached at the moment"),
    optedOut: rejected("recipient_suppressed", "The recipient opted out"),
    /** Nobody takes it for as long as it is valid, so it need not be offered again. */
    notTaken: {
      type: "unavailable",
      error: error("no_gateway", "No gateway takes the message"),
      retryAfterMs: Number.POSITIVE_INFINITY,
    } satisfies SendResult,
  };
}

/**
 * A provider without a network: the recipient's address chooses the outcome, by the attempt number where it changes from one attempt
 * to the next. It answers at once, without a timer, except for `slow`.
 */
export function createSimulator(config: GatewayConfig, tools: GatewayTools): Gateway {
  const refusals = refusalsOf(config.name);
  const lost = new Set<string>();
  const remember = (attemptId: string): void => {
    lost.add(attemptId);
    if (lost.size > REMEMBERED_ATTEMPTS) lost.delete(lost.values().next().value!);
  };
  const accept = (attemptId: string): SendResult => ({
    type: "accepted",
    providerMessageId: simulatedMessageId(attemptId),
    status: "accepted",
  });

  function answer(attempt: Attempt, signal: AbortSignal): SendResult | Promise<SendResult> {
    const outcome = magicOutcome(attempt.channel, attempt.to);
    switch (outcome) {
      case "unreachable":
        return refusals.unreachable(attempt.channel);
      case "suppressed":
        return refusals.optedOut; // Ingress refuses it before; a second line of defence.
      case "flaky":
        return attempt.attempt <= 2 ? refusals.busy : accept(attempt.attemptId);
      case "exhausted":
        return refusals.busy;
      case "expired":
        return refusals.notTaken;
      case "uncertain":
        remember(attempt.attemptId);
        return { type: "uncertain", cause: "timeout" };
      case "slow":
        return wait(SLOW_MS, signal).then((waited) => {
          if (waited) return accept(attempt.attemptId);
          remember(attempt.attemptId); // It accepted after we had hung up.
          return { type: "uncertain", cause: "timeout" };
        });
      case "duplicate-receipts":
        // One that is lost here is played again after the answer.
        tools
          .onReceipt(earlyReceipt(config.name, attempt, Date.now()), attempt.partner)
          .catch(() => undefined);
        return accept(attempt.attemptId);
      case "delivered":
      case "sent-only":
      case "bounced":
      case "soft-bounced":
      case "contradictory":
      case "read":
      case "complained":
        return accept(attempt.attemptId);
      default:
        return outcome satisfies never;
    }
  }

  return {
    name: config.name,
    kind: config.kind,
    async send(attempt, signal) {
      tellMedia(config.name, tools, attempt);
      return answer(attempt, signal);
    },
    lookup: async (attemptId) => (lost.has(attemptId) ? accept(attemptId) : "unknown"),
    close: async () => {},
  };
}

/** Without the links: who reads the log has no right to the files. */
function tellMedia(gateway: string, { logger }: GatewayTools, attempt: Attempt): void {
  const { messageId: message, attemptId, media } = attempt;
  if (media === undefined) return;
  const files = media.map(({ type, bytes }) => ({ type, bytes }));
  logger.info(
    { gateway, message, attempt: attemptId, media: files },
    "media given to the simulator",
  );
}

/** Resolves true after the delay, false as soon as the signal is aborted. */
function wait(delayMs: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = (waited: boolean): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", aborted);
      resolve(waited);
    };
    const aborted = (): void => finish(false);
    const timer = setTimeout(() => finish(true), delayMs);
    if (signal.aborted) finish(false);
    else signal.addEventListener("abort", aborted);
  });
}
