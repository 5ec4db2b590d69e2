import type { EventData, FailoverTrigger } from "@heliograph/contracts";
import { requestOfStep, validityMs } from "./failover.ts";
import { messageContext } from "./message.ts";
import { formatTime } from "./time.ts";

type Requested = EventData<"MessageRequested">;

/** That a step begins, at `now` (epoch ms), from when on it is valid. */
export const startedStep = (
  origin: Requested,
  step: number,
  trigger: FailoverTrigger,
  reason: string,
  now: number,
): EventData<"FailoverStarted"> => ({
  message_id: origin.message_id,
  message: messageContext(requestOfStep(origin, step)),
  step,
  trigger,
  expires_at: formatTime(now + validityMs(origin)),
  reason,
});

/** That a step is the one that counts, and is charged. */
export function settledStep(
  origin: Requested,
  step: number,
  reason: string,
): EventData<"MessageSettled"> {
  const request = requestOfStep(origin, step);
  const { message_id, cost, currency } = request;
  return { message_id, message: messageContext(request), step, cost, currency, reason };
}
