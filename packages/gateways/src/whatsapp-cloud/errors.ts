import type { Failure } from "@heliograph/contracts";
import { httpErrors } from "../call.ts";
import { failureOf, type Said } from "../failure.ts";

type Class = Pick<Failure, "class" | "permanent">;

/** What a refusal of Meta's, or a delivery that failed, can mean. */
export const whatsappErrors = {
  ...httpErrors,
  invalid_recipient: { class: "recipient", permanent: true },
  recipient_unreachable: { class: "recipient", permanent: true },
  recipient_opted_out: { class: "recipient", permanent: true },
  session_window_closed: { class: "content", permanent: true },
  template_rejected: { class: "content", permanent: true },
  content_rejected: { class: "content", permanent: true },
  account_not_allowed: { class: "account", permanent: true },
  undelivered: { class: "provider", permanent: true },
} as const satisfies Record<string, Class>;
export type WhatsappError = keyof typeof whatsappErrors;

/** The codes of https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes that say more than the status beside them. */
const codes: Readonly<Record<number, WhatsappError>> = {
  0: "gateway_authentication_failed",
  3: "gateway_authentication_failed",
  4: "provider_throttled",
  10: "gateway_authentication_failed",
  33: "gateway_authentication_failed",
  100: "content_rejected",
  190: "gateway_authentication_failed",
  368: "account_not_allowed",
  80007: "provider_throttled",
  130429: "provider_throttled",
  130472: "recipient_unreachable",
  130497: "account_not_allowed",
  131005: "gateway_authentication_failed",
  131000: "provider_unavailable",
  131008: "content_rejected",
  131009: "content_rejected",
  131016: "provider_unavailable",
  131021: "invalid_recipient",
  131026: "recipient_unreachable",
  131030: "invalid_recipient",
  131031: "account_not_allowed",
  131037: "account_not_allowed",
  131042: "account_not_allowed",
  131045: "account_not_allowed",
  131047: "session_window_closed",
  131048: "provider_throttled",
  131049: "recipient_unreachable",
  131050: "recipient_opted_out",
  131051: "content_rejected",
  131052: "content_rejected",
  131053: "content_rejected",
  // Of this pair of numbers.
  131056: "provider_throttled",
  131057: "provider_unavailable",
  132000: "template_rejected",
  132001: "template_rejected",
  132005: "template_rejected",
  132007: "template_rejected",
  132012: "template_rejected",
  132018: "template_rejected",
  132015: "template_rejected",
  132016: "template_rejected",
  132068: "template_rejected",
  132069: "template_rejected",
  133004: "provider_unavailable",
  133010: "account_not_allowed",
  135000: "content_rejected",
};

/** Undefined for a code that is not in the table: then the status beside it decides, and the code is kept. */
export const whatsappError = (code: number): WhatsappError | undefined =>
  codes[code] ??
  // "API permission": granted or removed.
  (code >= 200 && code < 300 ? "gateway_authentication_failed" : undefined);

/** A failure of this kind, as `failureOf` words it. */
export const whatsappFailure = (
  gateway: string,
  reason: WhatsappError,
  said: Said,
  to?: string,
): Failure => failureOf(gateway, { code: reason, ...whatsappErrors[reason] }, said, to);
