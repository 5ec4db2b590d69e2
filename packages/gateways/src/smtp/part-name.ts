import PostalMime from "postal-mime";

/** Of several the parser takes the first: it has to be the part's own, whatever that says of how the part is shown. */
const ownDisposition = /^content-disposition:[ \t]*(?:\r?\n[ \t]+)*[^;\r\n]*/im;
const attached = "Content-Disposition: attachment";

/** What a part of a mail is called, by its own headers (RFC 2183, RFC 2231, and what mail programs write instead); undefined where they do not say. */
export async function nameOfPart(headers: string): Promise<string | undefined> {
  try {
    const own = headers.trimEnd();
    const head = ownDisposition.test(own)
      ? own.replace(ownDisposition, attached)
      : `${attached}\r\n${own}`;
    const { attachments } = await PostalMime.parse(`${head}\r\n\r\n`);
    return attachments[0]?.filename ?? undefined;
  } catch {
    return undefined;
  }
}
