import type { Failure } from "@heliograph/contracts";
import { Agent, type Dispatcher } from "undici";
import { jsonIn } from "./json-in.ts";
import type { GatewayConfig, SendResult, Throttles } from "./types.ts";

/** A provider that takes longer than this to take a connection is as good as away; the call's own timeout may be shorter. */
export const maxConnectMs = 10_000;
/** No provider's answer to one message is longer; what comes after it is not read. */
export const maxAnswerBytes = 256 * 1024;
/** Idle connections are given up before most providers close them, so that a request seldom meets a closed one. */
const keepAliveMs = 4_000;
/** A provider that names a longer time is asked again after this one. */
export const maxRetryAfterMs = 24 * 3_600_000;

export type HttpRequest = {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
};
export type HttpAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** At most 256 KiB of it. */
  readonly body: string;
};

/** What became of a request: without an answer it matters whether any of it may have got there. */
export type HttpOutcome =
  | { readonly kind: "answered"; readonly answer: HttpAnswer }
  /** Nothing was sent. `given up`: because the caller no longer waits. */
  | { readonly kind: "not sent"; readonly why: string; readonly givenUp: boolean }
  | { readonly kind: "uncertain"; readonly cause: "timeout" | "connection_lost" };

export type HttpCaller = {
  /** Never rejects, repeats nothing, and follows no redirect: where a request goes is configured, not said by whoever answers. */
  call(request: HttpRequest, signal: AbortSignal): Promise<HttpOutcome>;
  close(): Promise<void>;
};

/** Connections to one provider, kept open between calls; opened as calls come. */
export function createCaller({ max_concurrent, timeout_ms }: GatewayConfig): HttpCaller {
  const agent = new Agent({
    connect: { timeout: Math.min(timeout_ms, maxConnectMs) },
    connections: max_concurrent,
    pipelining: 1,
    keepAliveTimeout: keepAliveMs,
    headersTimeout: timeout_ms,
    bodyTimeout: timeout_ms,
    maxHeaderSize: 16 * 1024,
  });
  return {
    async call({ method, url, headers, body }, signal) {
      let begun = false;
      const begins = (): void => {
        begun = true;
      };
      try {
        signal.throwIfAborted();
        const { origin, pathname, search } = new URL(url);
        const response = await agent.compose(telling(begins)).request({
          origin,
          path: pathname + search,
          method: method as Dispatcher.HttpMethod,
          headers: Object.fromEntries(
            Object.entries(headers).map(([name, value]) => [name, octets(value)]),
          ),
          ...(method !== "GET" && { body: body ?? "" }),
          signal,
        });
        const answered = { status: response.statusCode, headers: response.headers };
        return {
          kind: "answered",
          answer: { ...answered, body: await bounded(response.body) },
        };
      } catch (error) {
        const cause = signal.aborted || isTimeout(error) ? "timeout" : "connection_lost";
        return begun
          ? { kind: "uncertain", cause }
          : { kind: "not sent", why: codeOf(error), givenUp: signal.aborted };
      }
    },
    close: () => agent.destroy(),
  };
}

/**
 * Tells when a request is about to be written: there is a connection, and from here on it may get there. A body that is read would not tell it: there are messages that go without one, as a `GET` or as a
 * `POST` with everything in its address.
 */
const telling =
  (begins: () => void): Dispatcher.DispatcherComposeInterceptor =>
  (dispatch) =>
  (options, handler) =>
    dispatch(options, {
      onRequestStart(controller, context) {
        handler.onRequestStart?.(controller, context);
        // Given up while it waited for its connection: nothing is written.
        if (!controller.aborted) begins();
      },
      onResponseStart: (...told) => handler.onResponseStart?.(...told),
      onResponseData: (...told) => handler.onResponseData?.(...told),
      onResponseEnd: (...told) => handler.onResponseEnd?.(...told),
      onResponseError: (...told) => handler.onResponseError?.(...told),
    });

/** A header holds octets (RFC 9110, 5.5): those of UTF-8, because a character above Latin-1 cannot stand there, and the request with it would never be made. */
const octets = (value: string): string => Buffer.from(value, "utf8").toString("latin1");

async function bounded(body: AsyncIterable<Buffer> & { destroy(): unknown }): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > maxAnswerBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, maxAnswerBytes).toString("utf8");
}

export const codeOf = (error: unknown): string =>
  error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "the connection failed";
const isTimeout = (error: unknown): boolean => codeOf(error).includes("TIMEOUT");

/** What every provider behind HTTP can come to, beside what it says itself. */
export const httpErrors = {
  gateway_timeout: { class: "timeout", permanent: false },
  gateway_unreachable: { class: "gateway", permanent: false },
  gateway_authentication_failed: { class: "account", permanent: false },
  provider_throttled: { class: "provider", permanent: false },
  provider_unavailable: { class: "provider", permanent: false },
  provider_rejected: { class: "provider", permanent: true },
} as const satisfies Record<string, Pick<Failure, "class" | "permanent">>;

/** How a gateway words a failure: our code, with what the provider said. */
export type Word = (
  code: keyof typeof httpErrors,
  said: { readonly code: string; readonly text?: string },
) => Failure;

/** What a call without an answer came to. */
export function unanswered(
  outcome: Exclude<HttpOutcome, { kind: "answered" }>,
  word: Word,
): SendResult {
  if (outcome.kind === "uncertain") return { type: "uncertain", cause: outcome.cause };
  return outcome.givenUp
    ? { type: "rejected", error: word("gateway_timeout", { code: "aborted" }) }
    : { type: "unavailable", error: word("gateway_unreachable", { code: outcome.why }) };
}

/** A provider takes no more for now, and took nothing: that was no attempt. */
export function throttled(
  { headers }: Pick<HttpAnswer, "headers">,
  error: Failure,
  throttles: Throttles,
): SendResult {
  const retryAfterMs = retryAfter(headers["retry-after"]);
  return {
    type: "unavailable",
    error,
    throttles,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

/**
 * What a refusal means by its status, where the provider's own code says no more. 429 took nothing, so it was no attempt; nor was 503 where a time is named. Of the 5xx only 503 says that nothing was done (RFC 9110,
 * 15.6): behind any other the message may be on its way. A redirect took nothing either.
 */
export function refusedByStatus(
  { status, headers }: HttpAnswer,
  word: Word,
  said: { readonly code: string; readonly text?: string },
): SendResult {
  if (status === 429) return throttled({ headers }, word("provider_throttled", said), "gateway");
  if (status === 503) {
    const error = word("provider_unavailable", said);
    const retryAfterMs = retryAfter(headers["retry-after"]);
    return retryAfterMs === undefined
      ? { type: "rejected", error }
      : { type: "unavailable", error, retryAfterMs };
  }
  // So is one that was taken in another way than was to be expected.
  if (status >= 500 || status < 300) return { type: "uncertain", cause: "connection_lost" };
  if (status === 401 || status === 403 || status === 407)
    return { type: "rejected", error: word("gateway_authentication_failed", said) };
  const passing = status < 400 || status === 408 || status === 425;
  return {
    type: "rejected",
    error: word(passing ? "provider_unavailable" : "provider_rejected", said),
  };
}

/** Seconds or a date of HTTP (RFC 9110, 10.2.3), as milliseconds from now. Anything else says nothing: `Date.parse` would take `-5` for a day in 2001, which is over, and the provider would be asked again at once. */
export function retryAfter(header: HttpAnswer["headers"][string]): number | undefined {
  const text = (Array.isArray(header) ? header[0] : header)?.trim() ?? "";
  const isSeconds = /^\d+$/.test(text);
  if (!isSeconds && !/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(text))
    return undefined;
  const ms = isSeconds ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), maxRetryAfterMs);
}

/** JSON of an object; undefined for anything else. */
export function objectIn(text: string): Readonly<Record<string, unknown>> | undefined {
  const value = jsonIn(text);
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}
