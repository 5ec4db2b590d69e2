import { randomUUID } from "node:crypto";
import type { AnyOptions, Bytes, Query, Row } from "./calls.ts";
import { ConnectionError, NotModifiedError, problemError, TimeoutError } from "./errors.ts";
import type { Problem } from "./made/types.ts";
import { pause, pauseMs, retryAfterMs, scope } from "./retry.ts";
import { version } from "./version.ts";

export type Settings = {
  /** Without a slash at its end and without `/api/v1`. */
  readonly baseUrl: string;
  readonly key: () => string | undefined | Promise<string | undefined>;
  readonly timeoutMs: number;
  readonly attemptTimeoutMs: number;
  readonly maxAttempts: number;
  readonly fetch: typeof fetch;
};

/** One request, complete but for the key. */
export type Outgoing = {
  readonly row: Row;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Bytes;
  readonly options: AnyOptions;
};

/** What an answer said besides its body. */
export type AnswerInfo = {
  readonly status: number;
  readonly requestId: string | undefined;
  /** Of what was done: give it to a read as `minLogPosition`. */
  readonly logPosition: string | undefined;
  /** Give it to a change as `ifMatch`. */
  readonly etag: string | undefined;
  /** It is the answer of an earlier request with the same idempotency key. */
  readonly isReplayed: boolean;
  readonly headers: Headers;
};

const infos = new WeakMap<object, AnswerInfo>();

/** What came with an object that a call gave: its request id, its position in the log, its ETag. Undefined for anything else. */
export const answerInfo = (answer: object): AnswerInfo | undefined => infos.get(answer);

/** A path with its parameters in it. Throws for one that would lead to another resource. */
export function pathOf({ path }: Row, params: readonly unknown[]): string {
  let next = 0;
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    const value = params[next++];
    const text = typeof value === "number" ? String(value) : value;
    if (typeof text !== "string" || text === "" || text === "." || text === "..")
      throw new TypeError(`${name} must be a text that is not empty`);
    return encodeURIComponent(text);
  });
}

export function queryText(query: Query = {}): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== null)
      pairs.set(name, Array.isArray(value) ? value.join(",") : String(value as string));
  return pairs.size === 0 ? "" : `?${pairs.toString()}`;
}

/** The request of a call. Everything that stays the same over its attempts is made here, the idempotency key above all. */
export function outgoing(
  { baseUrl }: Settings,
  row: Row,
  params: readonly unknown[],
  { query, body, options }: { query?: Query; body?: unknown; options: AnyOptions },
): Outgoing {
  const headers: Record<string, string> = {
    accept: row.answer === "stream" ? "text/event-stream" : "application/json, */*;q=0.5",
    "user-agent": `heliograph-client/${version} node/${process.versions.node}`,
  };
  const set = (name: string, value: string | undefined): void => {
    if (value !== undefined) headers[name] = value;
  };
  if (row.key) headers["idempotency-key"] = options.idempotencyKey ?? randomUUID();
  set("prefer", options.wait === undefined ? undefined : `wait=${options.wait}`);
  set("if-match", options.ifMatch);
  set("if-none-match", options.ifNoneMatch);
  set("min-log-position", options.minLogPosition);
  const url = `${baseUrl}${pathOf(row, params)}${queryText(query)}`;
  if (body === undefined) return { row, url, headers, options };
  if (row.body === "json") {
    headers["content-type"] = "application/json";
    return { row, url, headers, options, body: JSON.stringify(body) };
  }
  if (row.body === "form") {
    headers["content-type"] = "application/x-www-form-urlencoded";
    const form = new URLSearchParams(body as Record<string, string>).toString();
    return { row, url, headers, options, body: form };
  }
  set("content-type", options.contentType);
  return { row, url, headers, options, body: body as Bytes };
}

/** The key of this moment. What cannot stand in a header is refused here, because the runtime's own error would show it. */
export async function keyOf({ key }: Settings): Promise<string | undefined> {
  const text = await key();
  if (text !== undefined && !/^[\x21-\x7e]+$/.test(text))
    throw new TypeError("the key is empty or has a character that no key has");
  return text;
}

/** Sends once and gives the answer as it is, refused or not. A redirect is not followed: nobody else gets the key. */
export function sendOnce(
  settings: Settings,
  { row, url, headers, body }: Outgoing,
  key: string | undefined,
  signal: AbortSignal,
): Promise<Response> {
  return settings.fetch(url, {
    method: row.method,
    headers: { ...headers, ...(key !== undefined && { authorization: `Bearer ${key}` }) },
    ...(body !== undefined && { body: body as RequestInit["body"] & {} }),
    redirect: "manual",
    signal,
  });
}

const isJson = (answer: Response): boolean =>
  /[/+]json\b/.test(answer.headers.get("content-type") ?? "");

async function contentOf(answer: Response): Promise<unknown> {
  if (answer.status === 204) return undefined;
  if (isJson(answer)) {
    const content: unknown = await answer.json();
    if (typeof content === "object" && content !== null) infos.set(content, infoOf(answer));
    return content;
  }
  const type = answer.headers.get("content-type") ?? "";
  if (/^text\/|ndjson/.test(type)) return answer.text();
  return new Uint8Array(await answer.arrayBuffer());
}

function infoOf({ status, headers }: Response): AnswerInfo {
  const header = (name: string): string | undefined => headers.get(name) ?? undefined;
  return {
    status,
    requestId: header("request-id"),
    logPosition: header("log-position"),
    etag: header("etag"),
    isReplayed: header("idempotent-replayed") === "true",
    headers,
  };
}

/** The error that an answer is. What is no problem document, say a proxy's page, is not shown: nobody knows what stands in it. */
export async function refusalOf(answer: Response): Promise<Error> {
  if (answer.status === 304) return new NotModifiedError("It has not changed.");
  const found: unknown = isJson(answer) ? await answer.json().catch(() => undefined) : undefined;
  await answer.body?.cancel().catch(() => undefined);
  const problem = typeof found === "object" && found !== null ? (found as Partial<Problem>) : {};
  return problemError({
    status: answer.status,
    problem,
    requestId: answer.headers.get("request-id") ?? undefined,
    retryAfterMs: retryAfterMs(answer.headers.get("retry-after"), Date.now()),
  });
}

/** Refused before anything was done, or by something between us and the platform. */
const passing = new Set([429, 502, 503, 504]);

type Attempt =
  | { readonly content: unknown }
  | { readonly error: Error; readonly again: boolean; readonly afterMs?: number };

async function attempt(settings: Settings, request: Outgoing, leftMs: number): Promise<Attempt> {
  const { row, headers, options } = request;
  const secret = await keyOf(settings);
  const time = scope(Math.min(leftMs, settings.attemptTimeoutMs), options.signal);
  const key = headers["idempotency-key"];
  // With neither, a second one could do it a second time.
  const isRepeatable = row.method === "GET" || key !== undefined;
  try {
    const answer = await sendOnce(settings, request, secret, time.signal);
    if (answer.ok) return { content: await contentOf(answer) };
    const error = await refusalOf(answer);
    if (!("status" in error)) return { error, again: false };
    const { status, code, retryAfterMs: afterMs } = error as ReturnType<typeof problemError>;
    // Our own first attempt is still at work there: its answer is what we want.
    const isOurs = status === 409 && code === "idempotency_in_progress";
    const again =
      isOurs || status === 429 || status === 503 || (isRepeatable && passing.has(status));
    return { error, again, ...(afterMs !== undefined && { afterMs }) };
  } catch (error) {
    if (options.signal?.aborted) throw options.signal.reason;
    const what = `${row.method} ${row.path}`;
    return {
      error: time.isLate()
        ? new TimeoutError(`${what}: no answer in time`, key)
        : new ConnectionError(`${what}: no connection, or it broke`, key, { cause: error }),
      again: isRepeatable,
    };
  } finally {
    time.close();
  }
}

/** Sends until there is an answer that stands. Throws the last error when the attempts or the time are over, or the pause asked for is longer than what is left. */
export async function call(settings: Settings, request: Outgoing): Promise<unknown> {
  const { options } = request;
  const most = options.maxAttempts ?? settings.maxAttempts;
  const untilMs = performance.now() + (options.timeoutMs ?? settings.timeoutMs);
  options.signal?.throwIfAborted();
  for (let number = 1; ; number++) {
    const outcome = await attempt(settings, request, Math.max(0, untilMs - performance.now()));
    if ("content" in outcome) return outcome.content;
    const waitMs = outcome.afterMs ?? pauseMs(number, Math.random());
    if (!outcome.again || number >= most || performance.now() + waitMs >= untilMs)
      throw outcome.error;
    await pause(waitMs, options.signal);
  }
}
