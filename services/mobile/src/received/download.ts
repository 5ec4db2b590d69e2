import type { IncomingMessage } from "node:http";
import { AddressRefused, dialAs, getOnce, type Dial, type OneAnswer } from "@heliograph/api";
import { maxAttachmentBytes } from "@heliograph/attachments";
import { type AskProvider, type FileAddress, NoReceivedFile } from "@heliograph/gateways";
import type { Settings } from "@heliograph/runtime";

/** What a provider's API says of one file has a few hundred bytes. */
const maxAnswerBytes = 64 * 1_024;
const connectMs = 10_000;

export type Download = {
  /** Reads an address that the operator configured. */
  readonly ask: AskProvider;
  /** The bytes at an address, 10 MB at most; `announced` hears how many there will be, where that is said, and may throw. Nobody is followed to another one: credentials go where they belong. Throws NoReceivedFile. */
  file<Result>(
    address: FileAddress,
    announced: (bytes: number) => Promise<void>,
    take: (chunks: AsyncIterable<Buffer>) => Promise<Result>,
  ): Promise<Result>;
};

/** Over connections of one use. `signal` bounds all of it. */
export function openDownload(
  settings: Pick<Settings, "webhookAllowCidrs" | "webhookProxy">,
  signal: AbortSignal,
): Download {
  // What the operator has configured may be anywhere, as for sends.
  const anywhere = { ...settings, webhookAllowCidrs: ["0.0.0.0/0", "::/0"] };
  const configured = dialAs(anywhere, {}, connectMs);
  const guarded = dialAs(settings, {}, connectMs);
  return {
    async ask(url, headers) {
      const { answer, end } = await get(configured, { url, headers }, signal);
      try {
        const chunks: Buffer[] = [];
        for await (const chunk of bounded(answer, maxAnswerBytes, signal)) chunks.push(chunk);
        return { status: answer.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") };
      } finally {
        end();
      }
    },
    async file(address, announced, take) {
      const dial = address.isConfigured ? configured : guarded;
      const { answer, end } = await get(dial, address, signal);
      try {
        if (answer.statusCode !== 200) throw refusedAs(answer.statusCode ?? 0);
        const length = Number(answer.headers["content-length"]);
        if (Number.isSafeInteger(length)) await announced(length);
        return await take(bounded(answer, maxAttachmentBytes, signal));
      } finally {
        end();
      }
    },
  };
}

export const tooLarge = (): NoReceivedFile =>
  new NoReceivedFile("too_large", `the file has more than ${maxAttachmentBytes / 1_000_000} MB`);
/** An address that has passed is asked for again, so a file that is not at it is not gone. */
const refusedAs = (status: number): NoReceivedFile =>
  new NoReceivedFile(status < 500 ? "refused" : "unreachable", `its address answers ${status}`);

async function get(
  dial: Dial,
  { url, headers }: Pick<FileAddress, "url" | "headers">,
  signal: AbortSignal,
): Promise<OneAnswer> {
  const address = new URL(url);
  try {
    return await getOnce(dial, address, headers, signal);
  } catch (error) {
    // Never what the network said of it: an address can have a token in it.
    const isRefused = error instanceof AddressRefused;
    const why = isRefused ? "the address is not allowed" : "the provider cannot be reached";
    throw new NoReceivedFile(isRefused ? "refused" : "unreachable", why);
  }
}

async function* bounded(
  answer: IncomingMessage,
  most: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  let bytes = 0;
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > most) throw tooLarge();
      yield chunk;
    }
  } catch (error) {
    if (error instanceof NoReceivedFile) throw error;
    throw new NoReceivedFile("unreachable", signal.aborted ? "it takes too long" : "it breaks off");
  }
}
