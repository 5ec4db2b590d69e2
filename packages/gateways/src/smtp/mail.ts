import PostalMime from "postal-mime";

/** A mail as it is parsed; parts that are neither text nor HTML are attachments, and their contents texts. */
export type ParsedMail = Awaited<ReturnType<typeof PostalMime.parse>>;

/** Beyond what any mail program nests. */
const maxDepth = 32;
const maxHeadersBytes = 256_000;

/** Throws for what is nested or headed beyond reason. */
export const parseMail = (raw: Buffer): Promise<ParsedMail> =>
  PostalMime.parse(raw, {
    forceRfc822Attachments: true,
    attachmentEncoding: "utf8",
    maxNestingDepth: maxDepth,
    maxHeadersSize: maxHeadersBytes,
  });

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
 * Whether a machine wrote it, so that nothing answers and no conversation opens: it says so (RFC 3834 §5 and what was usual before), it comes from a list, or it has nobody to answer to.
 */
export function isAutomatic(mail: ParsedMail, envelopeFrom: string | undefined): boolean {
  const submitted = headerIn(mail, "auto-submitted");
  return (
    envelopeFrom === "" ||
    (submitted !== undefined && !/^no\b/i.test(submitted)) ||
    /^(?:bulk|junk|list|auto[-_]reply)\b/i.test(headerIn(mail, "precedence") ?? "") ||
    ["x-auto-response-suppress", "x-autoreply", "x-autorespond", "list-id"].some(
      (name) => headerIn(mail, name) !== undefined,
    )
  );
}
