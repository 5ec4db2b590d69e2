import type { IncomingMessage } from "node:http";
import { AddressRefused, getOnce, type Dial, type OneAnswer } from "@heliograph/api";
import { cleanName, maxAttachmentBytes, nameInHeader } from "@heliograph/attachments";

/** For the whole of a file, from the name to the last byte: 10 MB at 5 Mbit/s. */
const timeoutMs = 15_000;
/** A link leads to where the file is by so many steps at most; each is held against the address guard. */
const maxRedirects = 3;

/** Why there is no file: a code to decide by, and words that fit behind the field's name. */
export class NoFile extends Error {
  readonly code: "unreachable" | "too_large" | "empty";

  constructor(code: NoFile["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** Gets the file at an address and gives it to `take`, which reads it to its end or throws. Throws NoFile where there is none. */
export type GetFile = <Result>(
  url: string,
  take: (chunks: AsyncIterable<Buffer>, name: string | undefined) => Promise<Result>,
) => Promise<Result>;

const unreachable = (why: string): NoFile => new NoFile("unreachable", why);

/** Over connections that the address guard lets through. */
export const createGetFile =
  (dial: Dial): GetFile =>
  async (text, take) => {
    if (!URL.canParse(text)) throw unreachable("is no address");
    const signal = AbortSignal.timeout(timeoutMs);
    let url = new URL(text);
    for (let redirects = 0; ; redirects++) {
      const { answer, end } = await ask(dial, url, signal);
      try {
        const { statusCode = 0, headers } = answer;
        if (statusCode >= 300 && statusCode < 400 && headers.location !== undefined) {
          if (redirects === maxRedirects) throw unreachable("leads on and on");
          url = next(url, headers.location);
          continue;
        }
        if (statusCode !== 200) throw unreachable(`answers ${statusCode}`);
        if (Number(headers["content-length"] ?? 0) > maxAttachmentBytes) throw tooLarge();
        return await take(bounded(answer, signal), nameOf(url, headers["content-disposition"]));
      } finally {
        end();
      }
    }
  };

const tooLarge = (): NoFile =>
  new NoFile("too_large", `is a file of more than ${maxAttachmentBytes / 1_000_000} MB`);

/** A secure address leads to no other. */
function next(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
  const isSound =
    to !== undefined &&
    (to.protocol === from.protocol || (from.protocol === "http:" && to.protocol === "https:")) &&
    to.username === "" &&
    to.password === "";
  if (!isSound) throw unreachable("leads to an address that is none");
  return to;
}

function nameOf(url: URL, header: string | undefined): string | undefined {
  const last = url.pathname.split("/").at(-1)!;
  const given = nameInHeader(header);
  if (given !== undefined) return cleanName(given);
  try {
    return cleanName(decodeURIComponent(last));
  } catch {
    return cleanName(last);
  }
}

async function ask(dial: Dial, url: URL, signal: AbortSignal): Promise<OneAnswer> {
  try {
    return await getOnce(dial, url, { accept: "*/*" }, signal);
  } catch (error) {
    throw unreachable(
      error instanceof AddressRefused ? "is an address that is not allowed" : "cannot be reached",
    );
  }
}

/** No more than a file may have, and not for longer than it may take. */
async function* bounded(answer: IncomingMessage, signal: AbortSignal): AsyncGenerator<Buffer> {
  let bytes = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxAttachmentBytes) throw tooLarge();
      yield chunk;
    }
  } catch (error) {
    if (error instanceof NoFile) throw error;
    throw unreachable(signal.aborted ? "takes too long" : "breaks off");
  }
  if (bytes === 0) throw new NoFile("empty", "is an empty file");
}
