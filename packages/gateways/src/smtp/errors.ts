import type { Failure } from "@heliograph/contracts";

/** What a mail server's refusal can mean. A wrong account is no fault of the message: another gateway may take it, and this one after a repair. */
export const smtpErrors = {
  invalid_recipient: { class: "recipient", permanent: true },
  invalid_sender: { class: "content", permanent: true },
  greylisted: { class: "recipient", permanent: false },
  recipient_deferred: { class: "recipient", permanent: false },
  recipient_rejected: { class: "recipient", permanent: true },
  mailbox_full: { class: "recipient", permanent: false },
  policy_rejected: { class: "provider", permanent: true },
  content_deferred: { class: "content", permanent: false },
  content_rejected: { class: "content", permanent: true },
  provider_deferred: { class: "provider", permanent: false },
  provider_rejected: { class: "provider", permanent: true },
  provider_unavailable: { class: "provider", permanent: false },
  gateway_block_listed: { class: "gateway", permanent: false },
  gateway_authentication_failed: { class: "account", permanent: false },
  gateway_timeout: { class: "timeout", permanent: false },
  gateway_unreachable: { class: "gateway", permanent: false },
} as const satisfies Record<string, Pick<Failure, "class" | "permanent">>;
export type SmtpErrorCode = keyof typeof smtpErrors;
