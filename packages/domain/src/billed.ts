import type { EventData, Failure, TypedEvent } from "@heliograph/contracts";
import { requestOfStep, type Failover } from "./failover.ts";

/**
 * What a message costs that comes to nothing: nothing, unless a provider charges for an attempt of it that failed. Then it is the price of the last step with such an attempt, once,
 * however many there were. Pure; dispatch and delivery write it into the event that ends the message, and the wallet charges by that.
 */
type Billed = {
  readonly billed: string | undefined;
  readonly request: Pick<EventData<"MessageRequested">, "cost">;
};

/** What is billed once an attempt of the step that is under way has failed. */
export const billedBy = ({ billed, request }: Billed, error: Failure | undefined) =>
  error?.billable ? request.cost : billed;

/** What is billed after an event of the message's stream; `state` is from before it. */
export function billedAfter(
  state: Billed & { readonly failover: Failover | undefined },
  { type, data }: TypedEvent,
): string | undefined {
  switch (type) {
    case "DispatchAttemptFailed":
    case "BounceDeferred":
      return billedBy(state, data.error);
    case "FailoverStepFailed":
      return data.error.billable && state.failover !== undefined
        ? requestOfStep(state.failover.origin, data.step).cost
        : state.billed;
    default:
      return state.billed;
  }
}

/** The part of an ending event that says it. */
export const chargeOf = (billed: string | undefined): { readonly charge?: string } =>
  billed === undefined ? {} : { charge: billed };
