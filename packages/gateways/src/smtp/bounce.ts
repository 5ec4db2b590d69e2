import type { CallbackItem, Report } from "../callbacks.ts";
import { failureOf } from "../failure.ts";
import type { deliveredStatus } from "./enhanced-status.ts";
import { smtpErrors } from "./errors.ts";

type Status = Pick<ReturnType<typeof deliveredStatus>, "reason" | "permanent" | "code" | "text">;

/** Mail that came back, however that is told: by a mail server or by a provider's event. `recipient` is nowhere quoted. */
export function bounceOf(
  gateway: string,
  { reason, permanent, code, text }: Status,
  recipient: string | undefined,
): Pick<Report, "status" | "permanent" | "error" | "diagnostic"> {
  const said = { code, ...(text !== undefined && { text }) };
  const error = failureOf(gateway, { code: reason, ...smtpErrors[reason] }, said, recipient);
  return { status: "bounced", permanent, error, diagnostic: error.provider!.text! };
}

/** What happened to it was not about the address, whatever the server's words say: nobody is kept from messages for that. */
export const notOfAddress = (status: Status): Status =>
  status.reason === "recipient_rejected" ? { ...status, reason: "provider_rejected" } : status;

/** What a person says by a feedback of this type. That a mail is no spam, or failed a check of its signature, is no complaint (RFC 6430, RFC 6591). */
export const isComplaint = (type: string): boolean => /^(?:abuse|fraud|opt-out)/i.test(type);

export const stranger = {
  kind: "ignored",
  what: "a report on a mail of somebody else's",
} as const satisfies CallbackItem;
