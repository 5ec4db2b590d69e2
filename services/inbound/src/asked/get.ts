import { request, type IncomingMessage } from "node:http";
import { dialTarget, type Dial } from "@heliograph/api";

/** For the whole of it, from the name to the last byte. */
const timeoutMs = 5_000;
/** A certificate has 2 KB, and the answer to a confirmation less. */
const maxBytes = 64 * 1024;

/** The text at an address of a provider's. Rejects for anything but 200: nobody is followed to another address. */
export type Get = (url: string) => Promise<string>;

/** Over connections that the address guard lets through. */
export const createGet =
  (dial: Dial): Get =>
  async (text) => {
    const url = new URL(text);
    const signal = AbortSignal.timeout(timeoutMs);
    const socket = await dial(dialTarget(url), {});
    try {
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        const { host, pathname, search } = url;
        const headers = { host, connection: "close" };
        request({ createConnection: () => socket, path: pathname + search, headers, signal })
          .on("response", resolve)
          .on("error", reject)
          .end();
      });
      return await bodyOf(answer);
    } finally {
      socket.destroy();
    }
  };

async function bodyOf(answer: IncomingMessage): Promise<string> {
  if (answer.statusCode !== 200) throw new Error(`it answers ${answer.statusCode}`);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`it answers with more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
