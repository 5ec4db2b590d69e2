import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import express, { type Express } from "express";

/** Limits of a server that faces clients we do not know; each ends a connection that only holds a socket. */
const limits = {
  /** Headers are small: ten seconds are ample over a bad mobile link. */
  headersTimeoutMs: 10_000,
  /** Whole request including its body. */
  requestTimeoutMs: 30_000,
  /** Above the 60 s of common load balancers, so that they close first and never reuse a socket that we are closing. */
  keepAliveTimeoutMs: 65_000,
  maxHeaderBytes: 16_384,
  maxHeadersCount: 100,
  maxConnections: 10_000,
} as const;

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

export type Listening = {
  readonly server: Server;
  readonly port: number;
  /** Takes no new connection, lets requests in flight finish until the deadline, then cuts what is left. */
  stop(deadlineMs: number): Promise<void>;
};

/** Serves the application. Throws when the address is taken. */
export async function listen(app: Express, host: string, port: number): Promise<Listening> {
  const server = createServer(
    {
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: 5_000,
    },
    app,
  );
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
  const stop = (deadlineMs: number): Promise<void> =>
    (stopping ??= new Promise((resolve) => {
      const cut = setTimeout(() => server.closeAllConnections(), deadlineMs);
      server.close(() => {
        clearTimeout(cut);
        resolve();
      });
      server.closeIdleConnections();
    }));
  return { server, port: (server.address() as AddressInfo).port, stop };
}
