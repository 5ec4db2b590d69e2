import { Pool, type Dispatcher } from "undici";
import type { buildConnector } from "undici";
import { AddressRefused } from "./connector.ts";

/** What an attempt ended with. `excerpt` is the beginning of the body; `retryAfterMs` is what the answer asked for. */
export type Result =
  | {
      readonly type: "answer";
      readonly status: number;
      readonly excerpt: string;
      readonly retryAfterMs: number | undefined;
    }
  | { readonly type: "error"; readonly code: string; readonly message: string };

/** The answer's body is read this far; what is longer ends with the connection, judged by its status. Nothing is ever inflated. */
const maxBodyBytes = 64 * 1024;
/** What is kept of a body, for the partner to see. */
const excerptBytes = 512;
/** Interim answers (1xx) before the real one; more are a flood. */
const maxInterim = 10;
const maxHeaderBytes = 16 * 1024;

/** Connections of one endpoint: keep-alive, never shared with another endpoint. */
export function openConnections(
  origin: string,
  connect: buildConnector.connector,
  connections: number,
): Pool {
  return new Pool(origin, {
    connect,
    connections,
    pipelining: 1,
    allowH2: false,
    headersTimeout: 0, // one deadline over all of it is kept by the caller
    bodyTimeout: 0,
    keepAliveMaxTimeout: 60_000,
    maxHeaderSize: maxHeaderBytes,
  });
}

/** One attempt in the air. `done` is called exactly once. */
export class Attempt implements Dispatcher.DispatchHandler {
  readonly startedAt: number;
  /** The same moment by the clock that nobody sets. */
  readonly startedAtTick = performance.now();
  readonly #now: () => number;
  readonly #done: (result: Result) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #settled = false;
  #status = 0;
  #retryAfterMs: number | undefined;
  #encoded = false;
  #interim = 0;
  #bytes = 0;
  #excerpt: Buffer | undefined;

  constructor(now: () => number, done: (result: Result) => void) {
    this.#now = now;
    this.startedAt = now();
    this.#done = done;
  }

  /** Gives up: the deadline passed or the endpoint is gone. The connection is closed. */
  abort(code: string, message: string): void {
    this.#settle({ type: "error", code, message });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#settled) controller.abort(new Error("no longer wanted"));
  }

  onResponseStart(
    _: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    if (status < 200) {
      if (++this.#interim > maxInterim)
        this.abort("bad_answer", `more than ${maxInterim} interim answers`);
      return;
    }
    this.#status = status;
    this.#encoded = headers["content-encoding"] !== undefined;
    if (status === 429 || status === 503)
      this.#retryAfterMs = retryAfter(headers["retry-after"], this.#now());
  }

  onResponseData(_: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#excerpt === undefined && !this.#encoded)
      this.#excerpt = Buffer.from(chunk.subarray(0, excerptBytes));
    if (this.#bytes > maxBodyBytes) this.#answered();
  }

  onResponseEnd(): void {
    this.#controller = undefined; // the connection is fine and stays open
    this.#answered();
  }

  onResponseError(_: Dispatcher.DispatchController, error: Error): void {
    this.#controller = undefined;
    this.#settle(failureOf(error));
  }

  #answered(): void {
    const excerpt = this.#encoded
      ? `(${this.#bytes} encoded bytes)`
      : (this.#excerpt?.toString("utf8").replaceAll("\0", "\u{fffd}") ?? "");
    this.#settle({
      type: "answer",
      status: this.#status,
      excerpt,
      retryAfterMs: this.#retryAfterMs,
    });
  }

  #settle(result: Result): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#controller?.abort(new Error("no longer wanted"));
    this.#done(result);
  }
}

/** RFC 9110, section 10.2.3: seconds or a date. Undefined when it is neither. */
export function retryAfter(value: string | string[] | undefined, now: number): number | undefined {
  if (typeof value !== "string") return undefined;
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000;
  const at = /^[A-Z][a-z]{2,8}[ ,]/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

function failureOf(error: Error): Result {
  const code = (error as { code?: unknown }).code;
  const text = typeof code === "string" ? code : error.name;
  if (error instanceof AddressRefused)
    return { type: "error", code: error.code, message: error.message };
  if (/^(ENOTFOUND|ENODATA|EAI_|ESERVFAIL|ETIMEOUT|EREFUSED)/.test(text))
    return { type: "error", code: "dns_failed", message: error.message };
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(text))
    return { type: "error", code: "tls_failed", message: error.message };
  if (text === "connect_timeout") return { type: "error", code: text, message: error.message };
  if (
    error.name === "HTTPParserError" ||
    text.startsWith("HPE_") ||
    text === "UND_ERR_HEADERS_OVERFLOW" ||
    text.startsWith("UND_ERR_RES")
  )
    return { type: "error", code: "bad_answer", message: error.message };
  return { type: "error", code: "connection_failed", message: error.message || text };
}
