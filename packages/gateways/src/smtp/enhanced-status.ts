import type { Fields } from "./mail.ts";
import type { SmtpErrorCode } from "./errors.ts";

const enhanced = /(?:^|[\s;(#[-])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])/;
/** Servers without enhanced codes say in words that nobody is there. A hint, where nothing else tells. */
const nobody =
  /\b(?:unknown|no such|does ?n[o']t exist|not found|invalid) (?:user|address|recipient|mailbox|account)|(?:user|address|recipient|mailbox|account) (?:is )?(?:unknown|disabled|inactive|unavailable|not found|does ?n[o']t exist)/i;

/** An address, in its angle brackets or by its `@`, and whatever else stands in such brackets. */
const name = /<[^<>]*>|[^\s<>()[\],;:]{0,320}@[^\s<>()[\],;]{0,320}/g;
/** A reply without the addresses that it quotes: what a recipient or a domain is called tells nothing of why it was refused. */
export const withoutNames = (reply: string): string => reply.slice(0, 8_000).replaceAll(name, "<>");

/** Servers that know only to whom they deliver say it by that; by policy the same words mean what follows them. */
const nobodyByEdge = /\brecipient address rejected\b/i;
const nobodyByList = /\brecipient address rejected: access denied\b/i;

/**
 * What a report of a failed delivery means: `Status` decides (RFC 3464 §2.3.4, RFC 3463), the diagnostic where that names no more than its class. With a class of 4 the server gave up on something that
 * may be over: another attempt can help. Nobody is kept from messages for what is not about the address itself: a full mailbox, a policy, a size.
 */
export function deliveredStatus(group: Fields): {
  readonly reason: SmtpErrorCode;
  readonly permanent: boolean;
  readonly code: string;
  readonly text: string | undefined;
} {
  const text = group.get("diagnostic-code")?.replace(/^[\w-]+;\s*/, "");
  const stated = enhanced.exec(group.get("status") ?? "");
  const words = withoutNames(text ?? "");
  const told = enhanced.exec(words);
  const isVague = stated !== null && saysLittle(Number(stated[2]), Number(stated[3]));
  const [status, , subject, detail] =
    (stated === null || isVague ? (told ?? stated) : stated) ?? [];
  const code = status?.replace(/^[^\d]/, "") ?? /^[45]\d\d\b/.exec(words)?.[0] ?? "";
  const permanent = !code.startsWith("4");
  const reason = permanent
    ? meaningOf(Number(subject ?? 0), Number(detail ?? 0), words)
    : "recipient_deferred";
  return { reason, permanent, code, text };
}

/** Servers without enhanced codes say in words that it is not the recipient whom they refuse. As above, a hint. */
const us =
  /\b(?:relay(?:ing)?|spam\w*|black-?list\w*|block-?list\w*|dnsbl|rbl|policy|reputation|rate limit)\b/i;

/** Whether a reply says that the mailbox has no room. */
export function isMailboxFull(text: string): boolean {
  const [, status, subject, detail] = enhanced.exec(text) ?? [];
  return status === "5" && subject === "2" && detail === "2";
}

/** What a reply of 5xx to a recipient means, of which addresses are taken out: nobody is kept from messages because a server has something against us, or has no room for this one. */
export function refusedRecipient(text: string): SmtpErrorCode {
  const [, status, subject, detail] = enhanced.exec(text) ?? [];
  if (status === "5" && !saysLittle(Number(subject), Number(detail)))
    return meaningOf(Number(subject), Number(detail), text);
  return us.test(text) && !nobody.test(text) ? "policy_rejected" : "recipient_rejected";
}

/** 5.0.0 says no more than that it failed, and 5.1.0 that it was something about an address: the sender's, as often as not. */
const saysLittle = (subject: number, detail: number): boolean =>
  subject === 0 || (subject === 1 && detail === 0);

/** RFC 3463 §3, by subject and detail. */
function meaningOf(subject: number, detail: number, text: string): SmtpErrorCode {
  if (saysLittle(subject, detail))
    return nobody.test(text) ? "recipient_rejected" : "provider_rejected";
  // 7 and 8 are about the sender's address.
  if (subject === 1) return detail === 7 || detail === 8 ? "invalid_sender" : "recipient_rejected";
  if (subject === 2) {
    if (detail === 2) return "mailbox_full";
    if (detail === 3) return "content_rejected";
    return detail === 1 ? "recipient_rejected" : "provider_rejected";
  }
  if (subject === 6 || (subject === 3 && detail === 4)) return "content_rejected";
  if (subject === 4 && detail === 1 && nobodyByEdge.test(text)) return "recipient_rejected";
  if (subject === 7)
    return detail === 1 && nobodyByList.test(text) ? "recipient_rejected" : "policy_rejected";
  return "provider_rejected";
}
