import { STATUS_CODES, type Server, type ServerResponse, createServer } from "node:http";
import { type AddressInfo, Server as NetServer } from "node:net";
import type { Duplex } from "node:stream";
import { PublicError } from "@heliograph/contracts";
import express, { type Express } from "express";
import { problemOf } from "./problem.ts";
import { requestId } from "./request-id.ts";

/** Limits of a server that faces clients we do not know; each ends a connection that only holds a socket. */
const limits = {
  /** Headers are small: ten seconds are ample over a bad mobile link. */
  headersTimeoutMs: 10_000,
  /** Whole request including its body; looked at every `connectionsCheckingInterval`. */
  requestTimeoutMs: 30_000,
  /** Above the 60 s of common load balancers, so that they close first and never reuse a socket that we are closing. */
  keepAliveTimeoutMs: 65_000,
  maxHeaderBytes: 16_384,
  maxHeadersCount: 100,
  maxConnections: 10_000,
} as const;

/** A connection that stays silent this long after the stop has nothing on its way. */
const stopGraceMs = 100;

/** An Express 5 application without what costs time or leaks facts. `trustProxy`: a number of hops, or addresses and CIDRs. */
export function createApp(trustProxy: string | undefined): Express {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.set("query parser", "simple");
  app.set(
    "trust proxy",
    trustProxy === undefined ? false : /^\d+$/.test(trustProxy) ? Number(trustProxy) : trustProxy,
  );
  return app;
}

/** What never became a request (slow, too large, not HTTP) gets a problem too, and its connection ends. */
function refuseRaw(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  const refusal =
    error.code === "ERR_HTTP_REQUEST_TIMEOUT"
      ? new PublicError("request_timeout", "The request did not arrive in time.")
      : error.code === "HPE_HEADER_OVERFLOW"
        ? new PublicError(
            "bad_request",
            `The headers are larger than ${limits.maxHeaderBytes} bytes.`,
          )
        : new PublicError("bad_request", "This is not a valid HTTP/1.1 request.");
  const id = requestId(undefined);
  const body = JSON.stringify(problemOf(refusal, id, "/"));
  const head = `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\nContent-Type: application/problem+json\r\nRequest-Id: ${id}`;
  socket.end(
    `${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

export type Listening = {
  readonly server: Server;
  readonly port: number;
  /** Takes no new connection, lets requests in flight finish until the deadline, then cuts what is left. */
  stop(deadlineMs: number): Promise<void>;
};

/** Serves the application. Throws when the address is taken. `overrides` shortens limits for tests. */
export async function listen(
  app: Express,
  host: string,
  port: number,
  overrides: { readonly requestTimeoutMs?: number; readonly checkEveryMs?: number } = {},
): Promise<Listening> {
  const server = createServer(
    {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: Math.min(
        limits.headersTimeoutMs,
        overrides.requestTimeoutMs ?? limits.headersTimeoutMs,
      ),
      requestTimeout: overrides.requestTimeoutMs ?? limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: overrides.checkEveryMs ?? 5_000,
    },
    app,
  );
  server.on("clientError", refuseRaw);
  server.maxHeadersCount = limits.maxHeadersCount;
  server.maxConnections = limits.maxConnections;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, 1024, () => {
      server.off("error", reject);
      resolve();
    });
  });
  let stopping: Promise<void> | undefined;
  server.prependListener("request", (_request, response: ServerResponse) => {
    if (stopping !== undefined) response.shouldKeepAlive = false;
  });
  const stop = (deadlineMs: number): Promise<void> =>
    (stopping ??= new Promise((resolve) => {
      // Not `server.close()`, which also cuts idle connections: a request may be on its way on one of them.
      const sweeping = setInterval(() => server.closeIdleConnections(), stopGraceMs);
      const cut = setTimeout(() => server.closeAllConnections(), deadlineMs);
      NetServer.prototype.close.call(server, () => {
        clearInterval(sweeping);
        clearTimeout(cut);
        // Ends the server's own timer; it says that it is not running, which is so.
        server.close(() => undefined);
        resolve();
      });
    }));
  return { server, port: (server.address() as AddressInfo).port, stop };
}
