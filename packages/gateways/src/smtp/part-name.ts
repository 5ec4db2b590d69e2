import PostalMime from "postal-mime";

/** What a part of a mail is called, by its own headers (RFC 2183, RFC 2231, and what mail programs write instead); undefined where they do not say. */
export async function nameOfPart(headers: string): Promise<string | undefined> {
  try {
    const mail = `Content-Disposition: attachment\r\n${headers.trimEnd()}\r\n\r\n`;
    const { attachments } = await PostalMime.parse(mail);
    return attachments[0]?.filename ?? undefined;
  } catch {
    return undefined;
  }
}
