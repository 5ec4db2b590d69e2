import { domainToASCII } from "node:url";

/** `address` is the local part as written and the domain in lower-case ASCII (punycode). */
export type Email = { readonly address: string; readonly local: string; readonly domain: string };

const atom = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
const asciiDomain = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])$/;
// oxlint-disable-next-line no-control-regex -- control characters are exactly what is looked for
const unsafe = /[\u0000-\u0020\u007f-\u00a0\u2028\u2029]/;

/**
 * Reads an addr-spec as RFC 5321 allows it on the public internet: one @, an unquoted ASCII local part of at most 64 characters, a domain
 * of at least two labels that may be internationalised (IDNA), at most 254 characters in all. Blanks and control characters are refused,
 * so that nothing can be smuggled into a header. Gives undefined when it is no such address.
 */
export function parseEmail(text: string): Email | undefined {
  if (text.length > 254 || unsafe.test(text)) return undefined;
  const at = text.indexOf("@");
  if (at < 1 || at > 64 || at !== text.lastIndexOf("@")) return undefined;
  const local = text.slice(0, at);
  if (!atom.test(local)) return undefined;
  const written = text.slice(at + 1);
  // A domain that is plain already skips the slow conversion.
  const domain =
    asciiDomain.test(written) && !written.includes("xn--") ? written : domainToASCII(written);
  if (!asciiDomain.test(domain) || local.length + 1 + domain.length > 254) return undefined;
  return { address: `${local}@${domain}`, local, domain };
}
