import type { Failure } from "@heliograph/contracts";
import type { SendResult } from "./types.ts";

type SmtpError = {
  readonly code?: string;
  readonly command?: string;
  readonly responseCode?: number;
  readonly response?: string;
  readonly message?: string;
};

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
  const failure = (what: Pick<Failure, "code" | "class" | "permanent">): Failure => ({
    ...what,
    provider: {
      name: name.slice(0, 64),
      code: String(responseCode ?? code).slice(0, 64),
      text: (response ?? message).slice(0, 2000),
    },
  });
  const rejected = (what: Pick<Failure, "code" | "class" | "permanent">): SendResult => ({
    type: "rejected",
    error: failure(what),
  });
  if (code === "EAUTH" || code === "ENOAUTH" || code === "EOAUTH2")
    // The account is wrong, not the message: another gateway may take it, and this one after a repair.
    return rejected({ code: "gateway_authentication_failed", class: "account", permanent: false });
  if (responseCode !== undefined && responseCode >= 400) {
    const permanent = responseCode >= 500;
    if (!permanent && GREYLISTED.test(response ?? message))
      return rejected({ code: "greylisted", class: "recipient", permanent: false });
    // 421 means that the server is closing the connection for reasons of its own.
    if (responseCode === 421)
      return rejected({ code: "provider_unavailable", class: "provider", permanent: false });
    if (command === "RCPT TO")
      return rejected({
        code: permanent ? "recipient_rejected" : "recipient_deferred",
        class: "recipient",
        permanent,
      });
    if (command === "DATA" || code === "EMESSAGE")
      return rejected({
        code: permanent ? "content_rejected" : "content_deferred",
        class: "content",
        permanent,
      });
    return rejected({
      code: permanent ? "provider_rejected" : "provider_deferred",
      class: "provider",
      permanent,
    });
  }
  const timedOut = state.aborted || code === "ETIMEDOUT" || code === "EABORT";
  if (state.begun) return { type: "uncertain", cause: timedOut ? "timeout" : "connection_lost" };
  if (code === "EMESSAGE" || code === "EMAXRECIPIENTS")
    return rejected({ code: "content_rejected", class: "content", permanent: true });
  if (command === "CONN")
    return {
      type: "unavailable",
      error: failure({ code: "gateway_unreachable", class: "gateway", permanent: false }),
    };
  return rejected({
    code: timedOut ? "gateway_timeout" : "gateway_unreachable",
    class: timedOut ? "timeout" : "gateway",
    permanent: false,
  });
}
