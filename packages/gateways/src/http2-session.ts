import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type IncomingHttpStatusHeader,
} from "node:http2";
import { maxAnswerBytes, type HttpOutcome, type HttpRequest } from "./call.ts";

/** Resolves once the provider has said what it allows; rejects where there is no HTTP/2, or not in time. */
export function newSession(
  origin: string,
  connectMs: number,
  closing: AbortSignal,
): Promise<ClientHttp2Session> {
  const { promise, resolve, reject } = Promise.withResolvers<ClientHttp2Session>();
  const session = connect(origin, { settings: { enablePush: false } });
  const signal = AbortSignal.any([closing, AbortSignal.timeout(connectMs)]);
  const end = (): void => {
    session.destroy();
    reject(Object.assign(new Error("no session in time"), { code: "ETIMEDOUT" }));
  };
  signal.addEventListener("abort", end, { once: true });
  // Later errors are told by the close that follows.
  session.on("error", reject).once("close", () => reject(new Error("the connection was closed")));
  session.once("remoteSettings", () => {
    signal.removeEventListener("abort", end);
    resolve(session);
  });
  return promise;
}

export function ping(session: ClientHttp2Session, answerMs: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), answerMs);
  const isAsked = !session.destroyed && session.ping((error) => resolve(error === null));
  if (!isAsked) resolve(false);
  return promise.finally(() => clearTimeout(timer));
}

/** One request; without an `outcome` the stream ended before it was answered, and without a `stream` it never began. */
export async function answerOf(
  session: ClientHttp2Session,
  { method, url, headers, body = "" }: HttpRequest,
  signal: AbortSignal,
): Promise<{ readonly outcome?: HttpOutcome; readonly stream?: ClientHttp2Stream }> {
  const { pathname, search } = new URL(url);
  let stream: ClientHttp2Stream;
  try {
    stream = session.request(
      { ...headers, ":method": method, ":path": pathname + search },
      { endStream: false },
    );
  } catch {
    // It ended a moment ago.
    return {};
  }
  const answer = {
    headers: {} as IncomingHttpHeaders & IncomingHttpStatusHeader,
    chunks: [] as Buffer[],
    size: 0,
    ended: false,
  };
  const over = Promise.withResolvers<void>();
  const cancel = (): void => {
    stream.close(constants.NGHTTP2_CANCEL);
    // Behind a connection that takes nothing any more it would not close.
    over.resolve();
  };
  signal.addEventListener("abort", cancel, { once: true });
  if (signal.aborted) cancel();
  stream
    .once("close", over.resolve)
    .on("response", (given) => void (answer.headers = given))
    .on("data", (chunk: Buffer) => {
      if (answer.size < maxAnswerBytes) answer.chunks.push(chunk);
      answer.size += chunk.length;
    })
    .on("end", () => void (answer.ended = true))
    // What went wrong the close says too.
    .on("error", () => undefined);
  stream.end(body);
  await over.promise;
  signal.removeEventListener("abort", cancel);
  const { ":status": status, ...others } = answer.headers;
  if (status === undefined || !answer.ended) return { stream };
  const text = Buffer.concat(answer.chunks).subarray(0, maxAnswerBytes).toString("utf8");
  return { outcome: { kind: "answered", answer: { status, headers: others, body: text } }, stream };
}

/** Undefined once the signal is aborted, whatever becomes of what is waited for. */
export function orAborted<Value>(
  waited: Promise<Value>,
  signal: AbortSignal,
): Promise<Value | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Value | undefined>();
  const abort = (): void => resolve(undefined);
  signal.addEventListener("abort", abort, { once: true });
  if (signal.aborted) abort();
  waited.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  return promise;
}
