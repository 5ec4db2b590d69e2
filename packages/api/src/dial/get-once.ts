import { request, type IncomingMessage } from "node:http";
import { dialTarget, type Dial } from "./dial.ts";

/** `end` gives the connection up, wherever its reading stands. */
export type OneAnswer = { readonly answer: IncomingMessage; end(): void };

/**
 * Asks one address over a connection of its own and follows it nowhere: who asks decides what a redirect is worth. Resolves with the head of the answer. Rejects with AddressRefused where it may not be
 * dialed, or with what the network said, in which an address can stand.
 */
export async function getOnce(
  dial: Dial,
  url: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<OneAnswer> {
  const socket = await dial(dialTarget(url), {});
  const end = (): void => void socket.destroy();
  try {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const { host, pathname, search } = url;
      const sent = { host, connection: "close", "user-agent": "Heliograph", ...headers };
      const options = { path: pathname + search, headers: sent, signal };
      request({ createConnection: () => socket, ...options })
        .on("response", resolve)
        .on("error", reject)
        .end();
    });
    return { answer, end };
  } catch (error) {
    end();
    throw error;
  }
}
