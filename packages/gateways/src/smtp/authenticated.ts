import { parseEmail, parseWriter } from "@heliograph/channels";
import { addressParser } from "postal-mime";
import type { ParsedMail } from "./mail.ts";
import { isOneOf } from "./networks.ts";
import type { SmtpSettings } from "./settings.ts";

type Trusted = NonNullable<SmtpSettings["authenticated_by"]>;

/** A header without its comments and quoted strings: whoever writes a mail has some words put into them, which are no results (RFC 8601 §2.2). */
function plainWords(header: string): string {
  let plain = "";
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < header.length; at++) {
    const character = header[at]!;
    if (character === "\\") at++;
    else if (quoted) quoted = character !== '"';
    else if (character === "(") depth++;
    else if (character === ")") depth = Math.max(0, depth - 1);
    else if (depth > 0) continue;
    else if (character === '"') quoted = true;
    else plain += character;
  }
  return plain;
}

/** What a server of this name says of DMARC; nothing where the header is another server's. */
function dmarcResults(
  header: string,
  authservId: string,
): readonly { readonly passed: boolean; readonly domain: string | undefined }[] {
  const [server = "", ...results] = plainWords(header).split(";");
  if (server.trim().split(/\s+/)[0]?.toLowerCase() !== authservId) return [];
  return results.flatMap((text) => {
    const [, result] = /^\s*dmarc\s*=\s*([a-z]+)(?=\s|$)/i.exec(text) ?? [];
    if (result === undefined) return [];
    const [, from = ""] = /\sheader\.from\s*=\s*(\S+)/i.exec(text) ?? [];
    return {
      passed: result.toLowerCase() === "pass",
      domain: parseEmail(`postmaster@${from}`)?.domain,
    };
  });
}

/**
 * Whether a server that is trusted has found that the mail is of the domain of its one `From` (RFC 8601, RFC 7489). It takes out headers of its own name that come from elsewhere; whoever delivers without
 * it is not believed, whatever the headers say.
 */
export function isAuthenticated(
  { headers }: Pick<ParsedMail, "headers">,
  remoteAddress: string | undefined,
  trusted: Trusted | undefined,
): boolean {
  if (trusted === undefined || !isOneOf(trusted.addresses, remoteAddress ?? "")) return false;
  const named = (name: string): readonly string[] =>
    headers.flatMap(({ key, value }) => (key === name ? [value] : []));
  const [from, ...more] = named("from").flatMap((value) => addressParser(value));
  const domain = parseWriter(from?.address ?? "")?.domain;
  if (domain === undefined || more.length > 0) return false;
  const results = named("authentication-results").flatMap((header) =>
    dmarcResults(header, trusted.authserv_id),
  );
  return results.length > 0 && results.every((each) => each.passed && each.domain === domain);
}
