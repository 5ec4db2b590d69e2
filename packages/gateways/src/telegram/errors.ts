import type { Failure } from "@heliograph/contracts";
import { httpErrors } from "../call.ts";
import { failureOf, type Said } from "../failure.ts";

type Class = Pick<Failure, "class" | "permanent">;

/** What a refusal of Telegram's can mean. */
export const telegramErrors = {
  ...httpErrors,
  invalid_recipient: { class: "recipient", permanent: true },
  recipient_blocked: { class: "recipient", permanent: true },
  recipient_unreachable: { class: "recipient", permanent: true },
  content_rejected: { class: "content", permanent: true },
  account_not_allowed: { class: "account", permanent: true },
  /** Where it is now it wants nothing. */
  recipient_suppressed: { class: "recipient", permanent: true },
  /** Whether it wants something where it is now was not known in time. */
  recipient_moved: { class: "recipient", permanent: false },
} as const satisfies Record<string, Class>;
export type TelegramError = keyof typeof telegramErrors;

/**
 * The Bot API has no codes beside HTTP's: what differs stands in the description, in words that its server (telegram-bot-api, `Client.cpp`) has kept for years. One that is not here is judged by the
 * status, and kept.
 */
const descriptions: readonly (readonly [RegExp, TelegramError])[] = [
  [/blocked by the user/i, "recipient_blocked"],
  [
    /user is deactivated|can't initiate conversation|can't send messages to bots/i,
    "recipient_unreachable",
  ],
  [
    /was kicked|is not a member|chat was (?:deleted|deactivated)|chat_write_forbidden/i,
    "recipient_unreachable",
  ],
  [/chat not found|chat_id is empty|peer_id_invalid|user not found/i, "invalid_recipient"],
  [/(?:not enough|have no) rights|need administrator rights/i, "account_not_allowed"],
  [/(?:message|caption|text).*(?:too long|is empty|must be non-empty)/i, "content_rejected"],
  [
    /can't parse entities|wrong (?:file|type)|http url|webpage|wrong remote file|media/i,
    "content_rejected",
  ],
];

/** Undefined for words that are not in the table. */
export const telegramError = (description: string): TelegramError | undefined =>
  descriptions.find(([words]) => words.test(description))?.[1];

/** A failure of this kind, as `failureOf` words it. */
export const telegramFailure = (
  gateway: string,
  reason: TelegramError,
  said: Said,
  to?: string,
): Failure => failureOf(gateway, { code: reason, ...telegramErrors[reason] }, said, to);
