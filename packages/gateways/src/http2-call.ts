import { constants, type ClientHttp2Session } from "node:http2";
import {
  codeOf,
  maxConnectMs,
  type HttpCaller,
  type HttpOutcome,
  type HttpRequest,
} from "./call.ts";
import { answerOf, newSession, orAborted, ping } from "./http2-session.ts";
import type { GatewayConfig } from "./types.ts";

/** A session that was idle for so long is asked whether it still is one: what forgets connections on the way says so to nobody. */
const asking = { askAfterMs: 60_000, answerMs: 5_000 } as const;
/** A request that the provider has not processed goes over another session, so often. */
const maxSessions = 3;

/** A session and what is under way on it. */
type Link = {
  readonly session: ClientHttp2Session;
  active: number;
  /** When the provider was last heard, by the monotonic clock. */
  heardAt: number;
  /** It takes nothing new; what is under way ends. One that is not is the current one. */
  retired: boolean;
  alive: Promise<boolean> | undefined;
};

type Options = Pick<GatewayConfig, "max_concurrent" | "timeout_ms"> & {
  readonly askAfterMs: number;
  readonly answerMs: number;
};

/**
 * Calls one provider over HTTP/2: one session that lives on, opened as calls come, with as many streams as the provider allows. One that ends, or that the provider wants to end, is
 * followed by another at once, and what it left unread (RFC 9113, 8.7) goes over that one.
 */
export const createHttp2Caller = (
  origin: string,
  { max_concurrent, timeout_ms }: Pick<GatewayConfig, "max_concurrent" | "timeout_ms">,
  asked: Pick<Options, "askAfterMs" | "answerMs"> = asking,
): HttpCaller => new Http2Caller(origin, { max_concurrent, timeout_ms, ...asked });

class Http2Caller implements HttpCaller {
  readonly #origin: string;
  readonly #options: Options;
  readonly #links = new Set<Link>();
  readonly #waiting = new Set<() => void>();
  readonly #closing = new AbortController();
  #current: Promise<Link> | undefined;

  constructor(origin: string, options: Options) {
    this.#origin = origin;
    this.#options = options;
  }

  async call(request: HttpRequest, signal: AbortSignal): Promise<HttpOutcome> {
    const ends = AbortSignal.any([signal, this.#closing.signal]);
    try {
      for (let session = 0; session < maxSessions; session++) {
        const link = await this.#take(ends);
        if (link === undefined) return { kind: "not sent", why: "aborted", givenUp: true };
        const outcome = await this.#exchange(link, request, ends);
        if (outcome !== "not processed") return outcome;
      }
      return { kind: "not sent", why: "REFUSED_STREAM", givenUp: false };
    } catch (error) {
      return { kind: "not sent", why: codeOf(error), givenUp: ends.aborted };
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    for (const { session } of this.#links) session.destroy();
  }

  /** A session with room, taken; undefined once `signal` is aborted. Rejects where none can be opened. */
  async #take(signal: AbortSignal): Promise<Link | undefined> {
    while (!signal.aborted) {
      const link = await orAborted((this.#current ??= this.#open()), signal);
      if (link === undefined || !(await orAborted(this.#isAlive(link), signal))) continue;
      const allowed = link.session.remoteSettings.maxConcurrentStreams ?? 1;
      if (!link.retired && link.active < Math.min(this.#options.max_concurrent, allowed)) {
        link.active++;
        return link;
      }
      if (!link.retired) await this.#room(signal);
    }
    // It may have been woken for room that another can use.
    this.#wakeOne();
    return undefined;
  }

  /** One attempt at a time, whoever waits for it. */
  async #open(): Promise<Link> {
    try {
      const connectMs = Math.min(this.#options.timeout_ms, maxConnectMs);
      return this.#opened(await newSession(this.#origin, connectMs, this.#closing.signal));
    } catch (error) {
      this.#current = undefined;
      throw error;
    }
  }

  #opened(session: ClientHttp2Session): Link {
    const link: Link = {
      session,
      active: 0,
      heardAt: performance.now(),
      retired: false,
      alive: undefined,
    };
    this.#links.add(link);
    session.on("remoteSettings", () => this.#wakeAll());
    session.on("goaway", () => this.#retire(link));
    session.on("close", () => {
      this.#links.delete(link);
      this.#retire(link);
    });
    return link;
  }

  #retire(link: Link): void {
    if (!link.retired) {
      link.retired = true;
      this.#current = undefined;
      link.session.close();
      this.#wakeAll();
    }
    if (link.active === 0) link.session.destroy();
  }

  async #isAlive(link: Link): Promise<boolean> {
    const { askAfterMs, answerMs } = this.#options;
    if (link.active > 0 || performance.now() - link.heardAt < askAfterMs) return true;
    const answered = await (link.alive ??= ping(link.session, answerMs));
    link.alive = undefined;
    if (answered) link.heardAt = performance.now();
    else this.#retire(link);
    return answered;
  }

  async #exchange(
    link: Link,
    request: HttpRequest,
    signal: AbortSignal,
  ): Promise<HttpOutcome | "not processed"> {
    const begun = performance.now();
    const { outcome, stream } = await answerOf(link.session, request, signal);
    link.active--;
    if (outcome !== undefined) link.heardAt = performance.now();
    // Nothing was heard of it since: it may be gone without a word. Others that wait on it end by their own time.
    else if (stream === undefined || (signal.aborted && link.heardAt <= begun)) this.#retire(link);
    if (link.retired) this.#retire(link);
    else this.#wakeOne();
    if (outcome !== undefined) return outcome;
    // Those behind the last that a GOAWAY names are closed with the same code, by nghttp2.
    if (stream === undefined || stream.rstCode === constants.NGHTTP2_REFUSED_STREAM)
      return "not processed";
    return { kind: "uncertain", cause: signal.aborted ? "timeout" : "connection_lost" };
  }

  async #room(signal: AbortSignal): Promise<void> {
    const { promise, resolve: look } = Promise.withResolvers<void>();
    this.#waiting.add(look);
    await orAborted(promise, signal);
    this.#waiting.delete(look);
  }
  /** There is room for one more: the one that waits longest looks again. */
  #wakeOne(): void {
    const [look] = this.#waiting;
    if (look === undefined) return;
    this.#waiting.delete(look);
    look();
  }
  /** There may be more room, or another session. */
  #wakeAll(): void {
    for (const look of this.#waiting) look();
    this.#waiting.clear();
  }
}
