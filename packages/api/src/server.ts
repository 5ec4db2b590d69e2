import {
  IncomingMessage,
  STATUS_CODES,
  type Server,
  ServerResponse,
  createServer,
} from "node:http";
import { type AddressInfo, Server as NetServer } from "node:net";
import type { Duplex } from "node:stream";
import { PublicError } from "@heliograph/contracts";
import express, { type Express } from "express";
import { isPatient } from "./body.ts";
import { connectionLimit, descriptorLimit } from "./descriptors.ts";
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
  /** No byte in either direction for so long: a client that does not read its answer. Above every wait that an answer may take. */
  silenceTimeoutMs: 120_000,
  /** Of a refused connection: time for the client to read why. */
  lingerMs: 1_000,
  maxHeaderBytes: 16_384,
  maxHeadersCount: 100,
} as const;

/** A connection that stays silent this long after the stop has nothing on its way. */
const stopGraceMs = 100;
/** At a stop, connections that the kernel has made are still taken for so long at most: under a flood there is no end to them. */
const takingMs = 1_000;

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

/** Told what is wrong, and ending: what they still send is not looked at. */
const refused = new WeakSet<Duplex>();

/** What never became a request (slow, too large, not HTTP) gets a problem too, and its connection ends whatever the client does. */
function refuseRaw(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (refused.has(socket)) return;
  // The server's deadline is told of once, and a body that has its own is not ended by it.
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT" && isPatient(socket)) return;
  if (!socket.writable || error.code === "ECONNRESET") {
    socket.destroy();
    return;
  }
  refused.add(socket);
  const refusal =
    error.code === "ERR_HTTP_REQUEST_TIMEOUT"
      ? new PublicError("request_timeout", "The request did not arrive in time.")
      : error.code === "HPE_HEADER_OVERFLOW"
        ? new PublicError(
            "headers_too_large",
            `The address and the headers are larger than ${limits.maxHeaderBytes} bytes.`,
          )
        : new PublicError("bad_request", "This is not a valid HTTP/1.1 request.");
  const id = requestId(undefined);
  const body = JSON.stringify(problemOf(refusal, id, "/", ""));
  const head = `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\nContent-Type: application/problem+json\r\nRequest-Id: ${id}`;
  // `end` only half-closes. Destroyed at once, bytes that are not read yet would make a reset of it, which can overtake the answer.
  socket.end(
    `${head}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  const linger = setTimeout(() => socket.destroy(), limits.lingerMs);
  socket.once("end", () => socket.destroy());
  socket.once("close", () => clearTimeout(linger));
}

/** Fields of which a second one would leave it open which of them counts (for `Host`: RFC 9112, section 3.2). */
const singular = ["host", "authorization", "content-type"];
const hostForm = /^[\w.~!$&'()*+,;=:%[\]-]*$/;

/** `POST http://host/path`, as a client behind a proxy may write it: a server takes it, and goes by the host in it (RFC 9112, section 3.2.2). */
const absoluteForm = /^https?:\/\/([^/?#]+)([^#]*)$/i;

function toOriginForm(request: IncomingMessage): void {
  const [, host, target] = absoluteForm.exec(request.url!) ?? [];
  if (host === undefined) return;
  request.headers.host = host;
  request.url = target!.startsWith("/") ? target : `/${target}`;
}

/** Why a request cannot be trusted to mean one thing; undefined when it can. */
function ambiguity(request: IncomingMessage): string | undefined {
  const { rawHeaders } = request;
  const { host } = request.headers;
  const coding = request.headers["transfer-encoding"];
  // Another coding below it would stay in what is read as the body (RFC 9112, section 6.1).
  if (coding !== undefined && coding.toLowerCase() !== "chunked")
    return "The body comes in a transfer coding that is not known here: only chunked is.";
  if (host === undefined && request.httpVersionMinor === 1) return "The header Host is missing.";
  // Or the address, where it is in the absolute form.
  if (host !== undefined && !hostForm.test(host)) return "The header Host does not name a host.";
  let seen = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const { length } = rawHeaders[index]!;
    // Most fields are told apart by the length of their names alone.
    if (length !== 4 && length !== 12 && length !== 13) continue;
    const place = singular.indexOf(rawHeaders[index]!.toLowerCase());
    if (place === -1) continue;
    if ((seen & (1 << place)) !== 0) return `The header ${rawHeaders[index]} is there twice.`;
    seen |= 1 << place;
  }
  return undefined;
}

function refuseAmbiguous(detail: string, response: ServerResponse): void {
  const id = requestId(undefined);
  const body = JSON.stringify(problemOf(new PublicError("bad_request", detail), id, "/", ""));
  response.writeHead(400, {
    "Content-Type": "application/problem+json",
    "Request-Id": id,
    "Content-Length": Buffer.byteLength(body),
    Connection: "close",
  });
  response.end(body);
}

/**
 * Makes what a server hands out Express's from the start. Express itself gives each request and each response another prototype when it has come, which makes whatever touches them
 * later slower, Node's own code too.
 */
function madeBy({ request, response }: Express) {
  class AppRequest extends IncomingMessage {}
  Object.setPrototypeOf(AppRequest.prototype, request);
  class AppResponse extends ServerResponse {}
  Object.setPrototypeOf(AppResponse.prototype, response);
  return { IncomingMessage: AppRequest, ServerResponse: AppResponse };
}

/**
 * Takes the connections that wait in the kernel's queue: closing the socket would reset them, and their clients took them for made. Ends in the turn of the loop that found none, so that
 * none can come between the last look and what the caller does next but in that moment.
 */
async function takeWaiting(server: Server): Promise<void> {
  let taken = true;
  const took = (): void => void (taken = true);
  const end = performance.now() + takingMs;
  server.on("connection", took);
  // The first may run before the loop has looked at its sockets again; from then on each follows one look.
  while (taken && performance.now() < end) {
    await turnOfLoop();
    taken = false;
    await turnOfLoop();
  }
  server.off("connection", took);
}
const turnOfLoop = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

export type Listening = {
  readonly server: Server;
  readonly port: number;
  /** Takes what waits to be taken and then no new connection, lets requests in flight finish until the deadline, then cuts what is left. */
  stop(deadlineMs: number): Promise<void>;
};

/** Serves the application. Throws when the address is taken. `overrides` shortens limits for tests. */
export async function listen(
  app: Express,
  host: string,
  port: number,
  overrides: {
    readonly requestTimeoutMs?: number;
    readonly checkEveryMs?: number;
    readonly silenceTimeoutMs?: number;
  } = {},
): Promise<Listening> {
  const server = createServer(
    {
      ...madeBy(app),
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: Math.min(
        limits.headersTimeoutMs,
        overrides.requestTimeoutMs ?? limits.headersTimeoutMs,
      ),
      requestTimeout: overrides.requestTimeoutMs ?? limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      // Node's own refusal of a request without one is no problem (RFC 9457).
      requireHostHeader: false,
      connectionsCheckingInterval: overrides.checkEveryMs ?? 5_000,
    },
    (request, response) => {
      if (!request.url!.startsWith("/")) toOriginForm(request);
      const unclear = ambiguity(request);
      if (unclear === undefined) app(request, response);
      else refuseAmbiguous(unclear, response);
    },
  );
  server.on("clientError", refuseRaw);
  server.on("checkExpectation", (_request, response: ServerResponse) =>
    refuseAmbiguous("Of what the header Expect may ask for, only 100-continue is met.", response),
  );
  server.maxHeadersCount = limits.maxHeadersCount;
  server.maxConnections = connectionLimit(descriptorLimit());
  server.timeout = overrides.silenceTimeoutMs ?? limits.silenceTimeoutMs;
  // A client may close its half of the connection once it has asked (RFC 9112, section 9.6), and still waits for the answer.
  (server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
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
  const close = (deadlineMs: number): Promise<void> =>
    new Promise((resolve) => {
      // Not `server.close()`, which also cuts idle connections: a request may be on its way on one of them, or lie there while the process was busy, so the loop looks at its sockets first.
      const sweep = (): void => void turnOfLoop().then(() => server.closeIdleConnections());
      const sweeping = setInterval(sweep, stopGraceMs);
      const cut = setTimeout(() => server.closeAllConnections(), deadlineMs);
      NetServer.prototype.close.call(server, () => {
        clearInterval(sweeping);
        clearTimeout(cut);
        // Ends the server's own timer; it says that it is not running, which is so.
        server.close(() => undefined);
        resolve();
      });
    });
  const stop = (deadlineMs: number): Promise<void> =>
    (stopping ??= takeWaiting(server).then(() => close(deadlineMs)));
  return { server, port: (server.address() as AddressInfo).port, stop };
}
