import {
  createServer as createHttpServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from "node:http";
import { type AddressInfo, type Socket, createServer } from "node:net";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as pause } from "node:timers/promises";
import { createGzip } from "node:zlib";

export type SinkRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly at: Date;
};

/** What the receiver of a webhook can do to us. */
export type SinkBehaviour =
  | {
      type: "answer";
      status?: number;
      headers?: Record<string, string>;
      body?: string;
      delayMs?: number;
    }
  /** Takes the request and never answers. */
  | { type: "hang" }
  /** Accepts the connection and never reads from it. Decided when the connection comes, before any request. */
  | { type: "hang-on-connect" }
  /** Answers with a body of `bytes`, one byte a second. */
  | { type: "trickle"; bytes?: number }
  /** Reads the request, then resets the connection: the sender cannot know whether it was processed. */
  | { type: "reset" }
  | { type: "redirect"; to: string; status?: number }
  /** Answers 200 with `bytes` of body, as fast as they are taken. */
  | { type: "huge-body"; bytes: number }
  /** Answers 200 with a gzip body that unpacks to `bytes` zeros, a thousandth of it on the wire. */
  | { type: "gzip-bomb"; bytes: number };

type Behaving = (request: SinkRequest) => SinkBehaviour | Promise<SinkBehaviour>;

export type WebhookSink = {
  readonly url: string;
  readonly port: number;
  /** In order of arrival; a request is here before it is answered. */
  readonly requests: readonly SinkRequest[];
  /** From now on, for requests that no queued behaviour takes. */
  behave(behaviour: SinkBehaviour | Behaving): void;
  /** For the next requests, one each, in this order. */
  queue(...behaviours: SinkBehaviour[]): void;
  /** Cuts all connections and stops listening. */
  close(): Promise<void>;
};

/** A sender that posts more than this is a bug in the test. */
const maxRequestBytes = 16 * 1024 * 1024;

/** A real HTTP server on 127.0.0.1 that keeps what it gets and misbehaves on demand. */
export async function webhookSink(options: { port?: number } = {}): Promise<WebhookSink> {
  const requests: SinkRequest[] = [];
  const sockets = new Set<Socket>();
  const queued: SinkBehaviour[] = [];
  const stopped = new AbortController();
  let standing: Behaving = () => ({ type: "answer" });
  let hangOnConnect = false;

  const http = createHttpServer((request, response) => {
    void serve(request, response).catch(() => request.socket.destroy());
  });
  const listener = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
    if (hangOnConnect || queued[0]?.type === "hang-on-connect") {
      if (!hangOnConnect) queued.shift();
      socket.pause();
    } else {
      http.emit("connection", socket);
    }
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url: path = "", headers } = request;
    const entry = { method, path, headers, body: await readBody(request), at: new Date() };
    requests.push(entry);
    await misbehave(queued.shift() ?? (await standing(entry)), request, response, stopped.signal);
  }

  await new Promise<void>((resolve, reject) => {
    listener.once("error", reject);
    listener.listen({ port: options.port ?? 0, host: "127.0.0.1" }, resolve);
  });
  const { port } = listener.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    behave(behaviour) {
      hangOnConnect = typeof behaviour !== "function" && behaviour.type === "hang-on-connect";
      standing = typeof behaviour === "function" ? behaviour : () => behaviour;
    },
    queue: (...behaviours) => void queued.push(...behaviours),
    close() {
      stopped.abort();
      for (const socket of sockets) socket.destroy();
      http.close();
      return new Promise((resolve) => listener.close(() => resolve()));
    },
  };
}

async function misbehave(
  behaviour: SinkBehaviour,
  request: IncomingMessage,
  response: ServerResponse,
  signal: AbortSignal,
): Promise<void> {
  switch (behaviour.type) {
    case "answer":
      if (behaviour.delayMs) await pause(behaviour.delayMs, undefined, { signal });
      response.writeHead(behaviour.status ?? 200, behaviour.headers).end(behaviour.body ?? "");
      return;
    case "hang":
    case "hang-on-connect":
      return;
    case "trickle":
      response.writeHead(200);
      for (let sent = 0; sent < (behaviour.bytes ?? 3600) && !response.destroyed; sent++) {
        response.write(".");
        await pause(1000, undefined, { signal });
      }
      response.end();
      return;
    case "reset":
      request.socket.resetAndDestroy();
      return;
    case "redirect":
      response.writeHead(behaviour.status ?? 302, { location: behaviour.to }).end();
      return;
    case "huge-body":
      response.writeHead(200, { "content-type": "text/plain" });
      await pipeline(Readable.from(zeros(behaviour.bytes)), response);
      return;
    case "gzip-bomb":
      response.writeHead(200, { "content-type": "text/plain", "content-encoding": "gzip" });
      await pipeline(Readable.from(zeros(behaviour.bytes)), createGzip(), response);
      return;
    default:
      behaviour satisfies never;
  }
}

function* zeros(bytes: number): Generator<Buffer> {
  const chunk = Buffer.alloc(64 * 1024);
  for (let left = bytes; left > 0; left -= chunk.length) yield chunk.subarray(0, left);
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxRequestBytes) throw new Error(`request above ${maxRequestBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
