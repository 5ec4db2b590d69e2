import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";

export type Received = {
  readonly id: string;
  readonly type: string;
  readonly atMs: number;
  /** What is wrong with the signature; undefined when it is good. */
  readonly problem: string | undefined;
};

export type Receiver = {
  readonly url: string;
  /** Webhooks are verified with this secret; until it is set none is accepted. */
  trust(secret: string): void;
  close(): Promise<void>;
};

const maxBodyBytes = 1024 * 1024;

/** A webhook receiver on this machine that checks every signature with the Standard Webhooks library and answers 204, or 401. */
export async function startReceiver(onReceived: (received: Received) => void): Promise<Receiver> {
  let webhook: Webhook | undefined;
  const server = createServer((request, response) => {
    readBody(request).then(
      (body) => {
        const received = check(webhook, request, body);
        response.writeHead(received.problem === undefined ? 204 : 401).end();
        onReceived(received);
      },
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen(0, "127.0.0.1", resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks`,
    trust(secret) {
      webhook = new Webhook(secret);
    },
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => void server.close(() => resolve()));
    },
  };
}

function check(webhook: Webhook | undefined, request: IncomingMessage, body: string): Received {
  const id = String(request.headers["webhook-id"] ?? "");
  const atMs = Date.now();
  try {
    if (webhook === undefined) throw new Error("no secret yet");
    const headers = request.headers as Record<string, string>;
    const event = webhook.verify(body, headers) as { id: string; type: string };
    return { id: event.id, type: event.type, atMs, problem: undefined };
  } catch (error) {
    return { id, type: "", atMs, problem: (error as Error).message };
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw new Error("the body is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
