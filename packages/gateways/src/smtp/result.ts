import type { Failure } from "@heliograph/contracts";
import { failureOf } from "../failure.ts";
import { isBlockListed, isMailboxFull, refusedRecipient, withoutNames } from "./enhanced-status.ts";
import { type SmtpErrorCode, smtpErrors } from "./errors.ts";
import type { SendResult } from "../types.ts";

type SmtpError = {
  readonly code?: string;
  readonly command?: string;
  readonly responseCode?: number;
  readonly response?: string;
  readonly message?: string;
  readonly syscall?: string;
  readonly timeoutType?: string;
};

/**
 * Whether the server never spoke. The command does not tell: the client calls everything that befalls a connection `CONN`, also one that was lost in the middle of a
 * message, and a message at which a server hangs up would come back for ever if that were no attempt.
 */
const neverSpoke = (error: SmtpError): boolean =>
  error.code === "EDNS" ||
  error.timeoutType === "CONNECT_TIMEOUT" ||
  error.timeoutType === "GREETING_TIMEOUT" ||
  (error.code === "ESOCKET" && (error.syscall === "connect" || error instanceof AggregateError));

/**
 * Greylisting refuses strangers at first and takes them when they come back (RFC 6647 §2). Most servers say the word; 4.7.1 is the enhanced code for a refusal by
 * policy (RFC 3463 §3.8), which in a 4xx reply means the same: later.
 */
const GREYLISTED = /gr[ea]y-?\s?list|\b4\.7\.1\b/i;

/**
 * What a failed SMTP call means. A reply is believed: 5xx is final, 4xx is not (RFC 5321 §4.2.1). Without a reply it depends on
 * whether the content had begun to flow: before, the server has nothing; after, it may have taken the message, so the
 * outcome is uncertain (RFC 5321 §4.2.5: the server takes responsibility with its reply to the final dot). Without even a greeting there was no attempt.
 */
export function smtpResult(
  name: string,
  error: unknown,
  state: { readonly begun: boolean; readonly aborted: boolean },
): SendResult {
  const {
    code = "UNKNOWN",
    command,
    responseCode,
    response,
    message = String(error),
  } = error as SmtpError;
  const failure = (reason: SmtpErrorCode): Failure =>
    failureOf(
      name,
      { code: reason, ...smtpErrors[reason] },
      { code: String(responseCode ?? code), text: response ?? message },
    );
  const rejected = (reason: SmtpErrorCode): SendResult => ({
    type: "rejected",
    error: failure(reason),
  });
  if (code === "EAUTH" || code === "ENOAUTH" || code === "EOAUTH2")
    return rejected("gateway_authentication_failed");
  // Whatever number it refuses encryption with, it is not the message that it refuses.
  if (code === "ETLS") return { type: "unavailable", error: failure("gateway_unreachable") };
  if (responseCode !== undefined && responseCode >= 400) {
    const reason = replied(responseCode, command, code, withoutNames(response ?? message));
    const thisRecipient = command === "RCPT TO" && !aboutUs.has(reason);
    return { type: "rejected", error: failure(reason), ...(thisRecipient && { thisRecipient }) };
  }
  const timedOut = state.aborted || code === "ETIMEDOUT" || code === "EABORT";
  if (state.begun) return { type: "uncertain", cause: timedOut ? "timeout" : "connection_lost" };
  if (code === "EMESSAGE" || code === "EMAXRECIPIENTS") return rejected("content_rejected");
  if (neverSpoke(error as SmtpError))
    return { type: "unavailable", error: failure("gateway_unreachable") };
  return rejected(timedOut ? "gateway_timeout" : "gateway_unreachable");
}

/** Said in answer to a recipient's name, and nevertheless not of it: the server goes away, wants us to sign in, or has us on a list. */
const aboutUs: ReadonlySet<SmtpErrorCode> = new Set([
  "provider_unavailable",
  "gateway_authentication_failed",
  "gateway_block_listed",
]);
/** The server wants to know first who asks (RFC 4954 §6), or does not believe it. */
const aboutAccount: ReadonlySet<number> = new Set([530, 534, 535, 538]);
/** The greeting, and what is said before any message. */
const beforeMail: ReadonlySet<string> = new Set(["CONN", "EHLO", "HELO", "LHLO"]);

/** What a reply of the server means, by its number, by what it answers and by its words without any address. */
function replied(
  responseCode: number,
  command: string | undefined,
  code: string,
  text: string,
): SmtpErrorCode {
  const permanent = responseCode >= 500;
  if (isBlockListed(text)) return "gateway_block_listed";
  if (!permanent && GREYLISTED.test(text)) return "greylisted";
  // 421 means that the server is closing the connection for reasons of its own.
  if (responseCode === 421) return "provider_unavailable";
  if (aboutAccount.has(responseCode)) return "gateway_authentication_failed";
  // Nobody has been named yet: it is us that it refuses (RFC 5321 §3.1).
  if (beforeMail.has(command ?? "")) return "provider_unavailable";
  if (command === "RCPT TO") return permanent ? refusedRecipient(text) : "recipient_deferred";
  // Some know the mailbox only once they have the mail.
  if (permanent && isMailboxFull(text)) return "mailbox_full";
  // Larger than the server takes (RFC 1870 §6.1), said before it has any of it.
  if (responseCode === 552) return "content_rejected";
  if (command === "DATA" || code === "EMESSAGE")
    return permanent ? "content_rejected" : "content_deferred";
  return permanent ? "provider_rejected" : "provider_deferred";
}
