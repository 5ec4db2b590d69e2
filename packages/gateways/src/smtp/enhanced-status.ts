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

const ip = String.raw`(?:\d{1,3}\.){3}\d{1,3}|[\da-f]{1,4}:[\da-f:]{2,}:[\da-f]{1,4}`;
/** Whom a reply refuses: the machine that delivers, by its address or as who is connected. */
const machine = new RegExp(
  String.raw`(?<![\w/.])(?:${ip})(?![\w.])|\b(?:client|sending|connecting|your|source) (?:host|ip|server|network)\b|\bip address\b`,
  "i",
);
/** And by what: a list, or its keeper. */
const list =
  /\b(?:block|black|deny)[ -]?list(?:s|ed|ing)?\b|\bdnsbls?\b|\brbls?\b|\bblocked (?:using|by|at)\b|\blist(?:ed|ing) (?:at|in|on|by)\b|\bfound on\b|\bbanned\b|\bspamhaus\b|\bspamcop\b|\bbarracuda|\bsorbs\b|\buceprotect|\bproofpoint\b|\bsenderscore\b/i;
/** Lists of names and of addresses within mails, which another machine would be refused by as well. */
const ofNames =
  /\b(?:dbl|rhsbl|surbl|uribl)\b|\b(?:url|uri|link)s?\b(?=.*(?:list|block))|\bsender(?: address| domain)?\b.{0,80}(?:list|blocked)/i;
/** Microsoft's numbers for a banned address of a sending machine. */
const bannedByMicrosoft = /\b5\.7\.(?:511|6(?:0[6-9]|[1-4]\d))(?!\d)/;

/**
 * Whether a reply, without the addresses that it quotes, says that the machine which delivers stands on a list: whatever it answers and whatever number it has, it is no word of the recipient
 * and none of the message. Postfix ("Client host [192.0.2.1] blocked using zen.spamhaus.org"), Exim, Microsoft, Yahoo, Apple, Barracuda, Proofpoint and Comcast write it so. A hint, as above.
 */
export const isBlockListed = (text: string): boolean =>
  bannedByMicrosoft.test(text) ||
  (machine.test(text) && list.test(text) && !ofNames.test(text) && !nobody.test(text));

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
