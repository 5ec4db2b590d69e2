import { textOfHtml } from "@heliograph/channels";
import PostalMime from "postal-mime";
import { unsubscribeSubject } from "./headers.ts";

/** A mail as it is parsed; parts that are neither text nor HTML are attachments, and their contents texts. */
export type ParsedMail = Awaited<ReturnType<typeof PostalMime.parse>>;

/** Beyond what any mail program nests. */
const maxDepth = 32;
const maxHeadersBytes = 128_000;
/** Each line costs the parser some 16 µs and 3 kB, whatever is in it. What is kept of a mail is 6,500 lines of base64. */
const maxLines = 10_000;
/** Each part costs it as much as some lines, and 100 kB for a while. Lines of a text that begin like this are counted too. */
const maxParts = 1_000;

/** The texts of a mail by where they stand: under one `multipart/alternative`, or a part by itself. */
type TextsOf = Readonly<Partial<Record<"plain" | "html", readonly { readonly value: string }[]>>>;

/** The parser makes text of HTML and HTML of text wherever one of them is missing, in a time that is quadratic in hostile HTML. */
class MailParser extends PostalMime {
  declare private readonly textMap: ReadonlyMap<object, TextsOf>;
  declare private textContent: { readonly plain?: string; readonly html?: string };

  /** In place of the parser's own. HTML only where it is the whole: the text always is. */
  protected renderTextContent(): void {
    const texts = [...this.textMap.values()];
    const join = (parts: TextsOf["plain"] = []): string =>
      parts.map(({ value }) => value).join("\n");
    this.textContent = {
      ...(texts.some(({ plain }) => plain !== undefined) && {
        plain: texts
          .map(({ plain, html }) => (plain === undefined ? textOfHtml(join(html)) : join(plain)))
          .join("\n"),
      }),
      ...(texts.every(({ html }) => html !== undefined) && {
        html: texts.map(({ html }) => join(html)).join("\n"),
      }),
    };
  }
}

/** As much of a mail as is read: what comes behind so many lines, or lines that may begin a part, is as if it had been cut off on the way. */
export function readableBeginning(raw: Buffer): Buffer {
  let parts = 0;
  let start = 0;
  for (let lines = 0; start < raw.length; lines++) {
    if (raw[start] === 0x2d && raw[start + 1] === 0x2d) parts++;
    if (lines === maxLines || parts > maxParts) return raw.subarray(0, start);
    const end = raw.indexOf(0x0a, start);
    if (end < 0) break;
    start = end + 1;
  }
  return raw;
}

/** Undefined for what is nested or headed beyond reason. */
export async function parseMail(raw: Buffer): Promise<ParsedMail | undefined> {
  const parser = new MailParser({
    forceRfc822Attachments: true,
    attachmentEncoding: "utf8",
    maxNestingDepth: maxDepth,
    maxHeadersSize: maxHeadersBytes,
  });
  try {
    return await parser.parse(readableBeginning(raw));
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("Maximum ")) return undefined;
    throw error;
  }
}

/** The first header of a name, in lower case. */
export const headerIn = ({ headers }: Pick<ParsedMail, "headers">, name: string) =>
  headers.find(({ key }) => key === name)?.value.trim();

/** The content of the first part of one of these types. */
export function partIn({ attachments }: ParsedMail, ...types: readonly string[]) {
  const content = attachments.find(({ mimeType }) => types.includes(mimeType))?.content;
  return typeof content === "string" ? content : undefined;
}

export type Fields = ReadonlyMap<string, string>;

/** A report names one recipient; one that comes from a list names some more. */
const maxGroups = 50;

/** Groups of `Name: value` lines with an empty line between them (RFC 3464 §2.1, RFC 5965 §3.1), and the headers of a mail. Of a name that comes twice the first counts. */
export function fieldGroups(text: string): readonly Fields[] {
  const groups: Map<string, string>[] = [new Map()];
  for (const line of text.replaceAll(/\r?\n[ \t]+/g, " ").split(/\r?\n/)) {
    const group = groups.at(-1)!;
    if (line.trim() === "") {
      if (groups.length === maxGroups) break;
      if (group.size > 0) groups.push(new Map());
      continue;
    }
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).trim().toLowerCase();
    if (name !== "" && !group.has(name)) group.set(name, line.slice(colon + 1).trim());
  }
  return groups.filter(({ size }) => size > 0);
}

/** The headers of the mail that came back, whole or cut. */
export const returnedHeaders = (mail: ParsedMail): Fields =>
  fieldGroups(
    partIn(
      mail,
      "text/rfc822-headers",
      "message/rfc822",
      "message/global",
      "message/global-headers",
    ) ?? "",
  )[0] ?? new Map<string, string>();

/**
 * Whether a machine wrote it, so that nothing answers and no conversation opens: it says so (RFC 3834 §5 and what was usual before), it comes from a list, or it has nobody to answer to. What a mail
 * program writes when its user unsubscribes is that user's.
 */
export function isAutomatic(mail: ParsedMail, envelopeFrom: string | undefined): boolean {
  if (envelopeFrom === "" || headerIn(mail, "list-id") !== undefined) return true;
  if (isUnsubscribing(mail)) return false;
  const submitted = headerIn(mail, "auto-submitted");
  return (
    (submitted !== undefined && !/^no\b/i.test(submitted)) ||
    /^(?:bulk|junk|list|auto[-_]reply)\b/i.test(headerIn(mail, "precedence") ?? "") ||
    ["x-auto-response-suppress", "x-autoreply", "x-autorespond"].some(
      (name) => headerIn(mail, name) !== undefined,
    )
  );
}

/** The subject of our `mailto:`, in a mail that answers none. */
const isUnsubscribing = (mail: ParsedMail): boolean =>
  mail.subject?.trim().toLowerCase() === unsubscribeSubject &&
  ["in-reply-to", "references"].every((name) => headerIn(mail, name) === undefined);
