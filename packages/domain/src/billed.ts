import { type EventData, type Failure, parseMoney, type TypedEvent } from "@heliograph/contracts";
import { requestOfStep, type Failover } from "./failover.ts";

/**
 * What a message costs that comes to nothing: nothing, unless a provider charges for an attempt of it that failed. Then it is the price of the last step with such an attempt, once,
 * however many there were, and never more than was charged for the message already: the wallet gives back what a cheaper step leaves of a hold, and takes no more for one that failed.
 * Pure; dispatch and delivery write it into the event that ends the message, and the wallet charges by that.
 */
export type Billed = {
  /** The price of what a provider charges for although it failed. */
  readonly billed: string | undefined;
  /** The same by what dispatch was answered alone, without what receipts say: those may be read again. */
  readonly answered: string | undefined;
  /** What the wallet charges for the message as long as nothing is said of its end; undefined while its funds are held only. */
  readonly captured: string | undefined;
};
export const nothingBilled: Billed = {
  billed: undefined,
  answered: undefined,
  captured: undefined,
};

type Step = Billed & { readonly request: Pick<EventData<"MessageRequested">, "cost"> };

/** After an attempt of the step that is under way has failed, or nothing is known of that. */
export const billedBy = (
  { billed, answered, captured, request }: Step,
  error: Failure | undefined,
): Billed => ({ billed: error?.billable ? request.cost : billed, answered, captured });

/** After an event of the message's stream; `state` is from before it. */
export function billedAfter(
  state: Step & { readonly failover: Failover | undefined },
  { type, data }: TypedEvent,
): Billed {
  const { billed, answered, captured, failover } = state;
  const before: Billed = { billed, answered, captured };
  switch (type) {
    case "DispatchAttemptFailed":
      return data.error.billable
        ? { billed: state.request.cost, answered: state.request.cost, captured }
        : before;
    case "BounceDeferred":
      return billedBy(state, data.error);
    case "FailoverStepFailed":
      return data.error.billable && failover !== undefined
        ? { ...before, billed: requestOfStep(failover.origin, data.step).cost }
        : before;
    // Captured once; after that only another step that counts changes it.
    case "MessageSent":
      return data.settles === false ? before : { ...before, captured: captured ?? data.cost };
    case "MessageSettled":
      return { ...before, captured: data.cost };
    default:
      return before;
  }
}

/** The part of an ending event that says it. */
export function chargeOf({ billed, captured }: Pick<Billed, "billed" | "captured">): {
  readonly charge?: string;
} {
  if (billed === undefined) return {};
  const isLess = captured !== undefined && parseMoney(captured)! < parseMoney(billed)!;
  return { charge: isLess ? captured : billed };
}
