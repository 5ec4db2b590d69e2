import type { EventData, Failure } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";

export type Receipt = EventData<"ReceiptReceived">;
export type Cause = Pick<RecordedEvent, "id" | "metadata">;
/** A receipt as it is read now, and the event that tells it. */
export type ReceiptEvent = Cause & { readonly data: Receipt; readonly recordedAt?: number };
export type Fact = { readonly type: string; readonly data: object; readonly cause: Cause };

export const defaultError = (code: string, permanent: boolean): Failure => ({
  code,
  class: "recipient",
  permanent,
});

export const isTransient = ({ status, permanent }: Receipt): boolean =>
  status === "deferred" || (status === "bounced" && permanent === false);
