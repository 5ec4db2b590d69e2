import { domainToASCII } from "node:url";
import { isLongerThan } from "@heliograph/domain";

/** `address` is the local part as written and the domain in lower-case ASCII (punycode): the form that is stored, searched and sent. */
export type Email = { readonly address: string; readonly local: string; readonly domain: string };

/** RFC 5321 4.5.3.1: a path has 256 octets, its angle brackets among them, and a local part 64. */
const maxAddress = 254;
const maxLocal = 64;

const atom = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const asciiDomain = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$/;
/**
 * What a host name is written with in any script. Only that may come near the conversion, which is the host parser of URLs: it would
 * cut a path off, decode `%6D`, and drop soft hyphens and blanks without width.
 */
const hostName = /^[\p{L}\p{M}\p{Nd}.-]+$/u;

/**
 * Reads an addr-spec as RFC 5321 allows it on the public internet: one @, an unquoted ASCII local part of at most 64 characters, a domain
 * of at least two labels of letters, digits and hyphens that may be internationalised (IDNA), at most 254 characters in all. Gives
 * undefined when it is no such address.
 */
export function parseEmail(text: string): Email | undefined {
  const at = text.indexOf("@");
  if (text.length > maxAddress || at < 1 || at > maxLocal || at !== text.lastIndexOf("@"))
    return undefined;
  const local = text.slice(0, at);
  const written = text.slice(at + 1);
  if (!atom.test(local)) return undefined;
  const domain = asciiDomainOf(written);
  if (domain === undefined || local.length + 1 + domain.length > maxAddress) return undefined;
  return { address: `${local}@${domain}`, local, domain };
}

/** Undefined for what is no domain of the public internet. One that is plain already skips the slow conversion. */
function asciiDomainOf(written: string): string | undefined {
  if (asciiDomain.test(written) && !written.includes("xn--")) return written;
  const domain = hostName.test(written) ? domainToASCII(written) : "";
  return asciiDomain.test(domain) ? domain : undefined;
}

const plainLocal = /^[^\s"(),:;<>@[\\\]]+$/;
// oxlint-disable-next-line no-control-regex -- a local part of what is not ASCII alone stands without quotes too (RFC 6531 §3.3)
const wideLocal = /[^\u0000-\u007f]/;

/**
 * Reads any address that a mail may be from, also one that nothing is sent to, in one form: a local part without quotes where it needs none and with as few backslashes as it can (RFC 5321 §4.1.2), of
 * several scripts too (RFC 6531 §3.3); the domain in lower-case ASCII, or in lower case as it came where it is none of the public internet (`localhost`, `[192.0.2.1]`). Undefined where a side is missing.
 */
export function parseWriter(text: string): Email | undefined {
  const at = text.lastIndexOf("@");
  if (at < 1 || at === text.length - 1) return undefined;
  const written = text.slice(0, at).normalize("NFC");
  const inner = quoted.exec(written)?.[1]?.replaceAll(/\\(.)/gsu, "$1") ?? written;
  const isPlain = atom.test(inner) || (wideLocal.test(inner) && plainLocal.test(inner));
  const local = isPlain ? inner : `"${inner.replaceAll(/["\\]/g, "\\$&")}"`;
  const named = text.slice(at + 1);
  const domain = asciiDomainOf(named) ?? named.toLowerCase();
  return { address: `${local}@${domain}`, local, domain };
}

/** An address with the name that mail programs show beside it; without one, the name is empty. */
export type Mailbox = { readonly name: string; readonly email: Email };

/** A shown name longer than this is cut by every mail program. */
const maxName = 128;
// oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const control = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;
const quoted = /^"((?:[^"\\]|\\.)*)"$/;
/** RFC 5322 3.2.3: what has a meaning of its own in a header and must be quoted; the dot is taken as it is everywhere. */
const special = /[()<>[\]:;@\\,"]/;

/**
 * Reads `shop@example.org`, `Heliograph <shop@example.org>` or `"Shop, Berlin" <shop@example.org>` (RFC 5322 3.4), one mailbox and no
 * more. Gives undefined when it is none, or when the name could end or continue a header line.
 */
export function parseMailbox(text: string): Mailbox | undefined {
  if (!text.endsWith(">")) {
    const email = parseEmail(text);
    return email && { name: "", email };
  }
  const open = text.lastIndexOf("<");
  if (open < 0 || control.test(text) || !text.isWellFormed()) return undefined;
  const email = parseEmail(text.slice(open + 1, -1));
  const name = readName(text.slice(0, open).trim());
  return email === undefined || name === undefined ? undefined : { name, email };
}

function readName(text: string): string | undefined {
  const inner = quoted.exec(text)?.[1];
  if (inner === undefined && special.test(text)) return undefined;
  const name = inner === undefined ? text : inner.replaceAll(/\\(.)/gu, "$1").trim();
  return isLongerThan(name, maxName) ? undefined : name;
}

/** The one form of a mailbox, which `parseMailbox` reads back to the same. */
export function formatMailbox({ name, email }: Mailbox): string {
  if (name === "") return email.address;
  const shown = special.test(name) ? `"${name.replaceAll(/["\\]/g, "\\$&")}"` : name;
  return `${shown} <${email.address}>`;
}

const messageId = /^<?([^\s<>@]+@[^\s<>@]+)>?$/;

/** A Message-ID as headers have it; one that its sender folded over two lines is whole again. Undefined for what a provider calls a message that is no mail. */
export function parseMailId(providerId: string): string | undefined {
  const found = messageId.exec(providerId.replaceAll(/\s+/g, ""));
  return found === null ? undefined : `<${found[1]}>`;
}

const replyPrefix = /^re\s*:/i;

/** The subject of a mail that answers one with this subject (RFC 5322 3.6.5). */
export const replySubject = (subject: string): string =>
  replyPrefix.test(subject) ? subject : `Re: ${subject}`;
