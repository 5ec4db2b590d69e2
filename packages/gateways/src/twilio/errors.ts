import type { Failure } from "@heliograph/contracts";
import { httpErrors } from "../call.ts";
import { failureOf, type Said } from "../failure.ts";

type Class = Pick<Failure, "class" | "permanent">;

/** What a refusal of Twilio, or a delivery that failed, can mean. */
export const twilioErrors = {
  ...httpErrors,
  invalid_recipient: { class: "recipient", permanent: true },
  recipient_unreachable: { class: "recipient", permanent: true },
  recipient_blocked: { class: "recipient", permanent: true },
  recipient_opted_out: { class: "recipient", permanent: true },
  invalid_sender: { class: "content", permanent: true },
  content_rejected: { class: "content", permanent: true },
  account_not_allowed: { class: "account", permanent: true },
  undelivered: { class: "provider", permanent: true },
} as const satisfies Record<string, Class>;
export type TwilioError = keyof typeof twilioErrors;

/** The codes of https://www.twilio.com/docs/api/errors that say more than the status beside them. */
const codes: Readonly<Record<string, TwilioError>> = {
  20003: "gateway_authentication_failed",
  20005: "gateway_authentication_failed",
  20404: "gateway_authentication_failed",
  20429: "provider_throttled",
  21211: "invalid_recipient",
  21212: "invalid_sender",
  21217: "invalid_recipient",
  21219: "account_not_allowed",
  21265: "invalid_recipient",
  21401: "invalid_recipient",
  21408: "account_not_allowed",
  21421: "invalid_recipient",
  21602: "content_rejected",
  21603: "invalid_sender",
  21604: "invalid_recipient",
  21605: "content_rejected",
  21606: "invalid_sender",
  21608: "account_not_allowed",
  21610: "recipient_opted_out",
  21611: "provider_throttled",
  21612: "recipient_unreachable",
  21614: "invalid_recipient",
  21617: "content_rejected",
  21619: "content_rejected",
  21620: "content_rejected",
  21623: "content_rejected",
  21635: "recipient_unreachable",
  21659: "invalid_sender",
  21660: "invalid_sender",
  21661: "invalid_sender",
  21701: "invalid_sender",
  21703: "invalid_sender",
  21704: "invalid_sender",
  30001: "provider_throttled",
  30002: "gateway_authentication_failed",
  30003: "recipient_unreachable",
  30004: "recipient_blocked",
  30005: "invalid_recipient",
  30006: "recipient_unreachable",
  30007: "content_rejected",
  30011: "content_rejected",
  30019: "content_rejected",
  30022: "provider_throttled",
  30034: "account_not_allowed",
};

/**
 * What was filtered for its content. Twilio charges for whatever it tried to deliver (its help, "Will I be charged if Twilio encounters an error"), but that a recipient cannot be reached is no
 * fault of who wrote: an operator whose prices say otherwise adds the codes. What Twilio calls `failed` never left it and costs nothing.
 */
const filtered: readonly string[] = ["30007"];
export const isBilled = (word: string, code: string, others: readonly string[] = []): boolean =>
  word === "undelivered" && (filtered.includes(code) || others.includes(code));

/** Undefined for a code that is not in the table: then the status beside it decides, and the code is kept. */
export const twilioError = (code: string): TwilioError | undefined => codes[code];

/** A failure of this kind, as `failureOf` words it; a code that comes without a word is named. */
export const twilioFailure = (
  gateway: string,
  reason: TwilioError,
  said: Said,
  to?: string,
): Failure => {
  const text = said.text || (said.code ? `Twilio error ${said.code}` : "");
  return failureOf(gateway, { code: reason, ...twilioErrors[reason] }, { ...said, text }, to);
};
