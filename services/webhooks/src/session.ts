import {
  connect,
  constants,
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { Socket } from "node:net";
import { Excerpt, maxHeadBytes, maxInterim, type Answer } from "./answer-reader.ts";
import {
  BadAnswer,
  cutOff,
  doubtfulAfterMs,
  type Exchange,
  longestKeepAliveMs,
} from "./exchange.ts";

/** Header fields of one answer. */
const maxFields = 128;
/** Node bounds frames that ask for something. Of those that do not, for more room for example, there is no end: what came is weighed so often, against so much for the connection and once for each request on it. */
const weighEveryMs = 250;
const maxBytesWeighed = 256 * 1024;

type Ends = {
  /** A request that the receiver has not looked at, or most likely not, goes over another connection. */
  readonly again: (exchange: Exchange) => void;
  /** The receiver has said how many requests it takes beside each other. */
  readonly ready: (room: number) => void;
  /** The receiver sends without end what nobody asked for. */
  readonly flooded: () => void;
  /** The connection is no more. */
  readonly closed: () => void;
};

/**
 * A connection over HTTP/2 (RFC 9113), on which as many requests go beside each other as the receiver allows. Node's own `http2` holds it: it bounds what a receiver sends in frames of all kinds,
 * gives no stream more than its window, and takes no pushes. Each request is given up at its own deadline, so whatever a receiver withholds, room for streams or for bytes, it withholds no longer.
 *
 * It takes nothing new after the receiver has said that it goes away, or has left a request unanswered until that was given up: then it may be gone without a word.
 */
export class Session {
  readonly #socket: Socket;
  readonly #http: ClientHttp2Session;
  readonly #ends: Ends;
  readonly #underWay = new Map<Exchange, ClientHttp2Stream>();
  /** One until the receiver has said how many. */
  #room = 1;
  #retired = false;
  /** After a GOAWAY that tells of no fault: the last stream that the receiver looks at. */
  #lastRead = Infinity;
  #idleSince = performance.now();
  /** Bytes received when it was last used after a rest. As long as there are no more, the receiver may have closed it before what was sent since then came. */
  #readAtRest = -1;
  #readAtWeighing = 0;
  /** What may still come: what it has not used of its own and of the requests that are on it. */
  #due = maxBytesWeighed;

  constructor(socket: Socket, ends: Ends) {
    this.#socket = socket;
    this.#ends = ends;
    // The name is not looked at: the socket is there, and each request names its own authority.
    this.#http = connect("https://receiver.invalid", {
      createConnection: () => socket,
      settings: { enablePush: false, maxHeaderListSize: maxHeadBytes },
      maxHeaderListPairs: maxFields,
    });
    this.#http.on("remoteSettings", ({ maxConcurrentStreams }) => {
      this.#room = maxConcurrentStreams ?? Infinity;
      // Nothing goes on it: kept, there would be one more with each request.
      if (this.#room === 0) this.retire();
      ends.ready(this.#room);
    });
    this.#http.on("goaway", (code, lastStream) => {
      if (code === constants.NGHTTP2_NO_ERROR) this.#lastRead = lastStream;
      this.retire();
    });
    // Each request that is on it hears of it by its own stream.
    this.#http.on("error", () => this.retire());
    const weighing = setInterval(() => this.#weigh(), weighEveryMs).unref();
    this.#http.on("close", () => {
      clearInterval(weighing);
      this.#retired = true;
      ends.closed();
    });
  }

  get hasRoom(): boolean {
    return !this.#retired && this.#underWay.size < this.#room;
  }

  send(exchange: Exchange): void {
    const { fields, body } = framed(exchange.text);
    const sentAt = performance.now();
    if (this.#underWay.size === 0 && sentAt - this.#idleSince > doubtfulAfterMs)
      this.#readAtRest = this.#socket.bytesRead;
    let stream: ClientHttp2Stream;
    try {
      stream = this.#http.request(fields);
    } catch (error) {
      // It ended a moment ago, or has no numbers left for streams.
      this.retire();
      return this.#unread(exchange, error as Error);
    }
    this.#underWay.set(exchange, stream);
    this.#due += maxBytesWeighed;
    exchange.connection = this;
    const heard = (): void => {
      exchange.timing.first_byte_ms ??= Math.round(performance.now() - sentAt);
    };
    readAnswer(stream, heard, (answer) => {
      if (!this.#underWay.delete(exchange)) return;
      this.#idleSince = performance.now();
      if (this.#retired) this.retire();
      if (!(answer instanceof Error)) return exchange.answered(answer);
      // As over HTTP/1.1, a connection that had rested and gave not a byte any more was most likely closed before this came. A reset, a fault or an answer that cannot be read are bytes.
      if ((stream.id ?? 0) > this.#lastRead || this.#socket.bytesRead === this.#readAtRest)
        this.#unread(exchange, answer);
      else exchange.failed(answer);
    });
    stream.end(body);
  }

  abandon(exchange: Exchange): void {
    const stream = this.#underWay.get(exchange);
    if (stream === undefined) return;
    this.#underWay.delete(exchange);
    stream.close(constants.NGHTTP2_CANCEL);
    this.retire();
  }

  /** Closes it when nothing went over it for too long. */
  sweep(now: number): void {
    if (this.#underWay.size === 0 && now - this.#idleSince > longestKeepAliveMs) this.retire();
  }

  /** Takes nothing new, and ends with the last request that is on it. */
  retire(): void {
    this.#retired = true;
    if (this.#underWay.size === 0) this.#http.destroy();
  }

  #weigh(): void {
    const read = this.#socket.bytesRead;
    this.#due -= read - this.#readAtWeighing;
    this.#readAtWeighing = read;
    if (this.#due < 0) {
      this.#ends.flooded();
      this.#retired = true;
      this.#http.destroy(new BadAnswer(`${-this.#due} bytes more than its answers may have`));
      return;
    }
    // What an answer has not used ends with it.
    this.#due = Math.min(this.#due, maxBytesWeighed * (1 + this.#underWay.size));
  }

  #unread(exchange: Exchange, error: Error): void {
    if (exchange.repeated) return exchange.failed(error);
    exchange.repeated = true;
    this.#ends.again(exchange);
  }
}

/** The request as HTTP/2 has it. Its head is ours, and was judged when it was made. */
function framed(text: string): { readonly fields: OutgoingHttpHeaders; readonly body: string } {
  const end = text.indexOf("\r\n\r\n");
  const [start, ...lines] = text.slice(0, end).split("\r\n");
  const fields: [string, string][] = lines.map((line) => {
    const colon = line.indexOf(": ");
    const name = line.slice(0, colon);
    return [name === "host" ? ":authority" : name, line.slice(colon + 2)];
  });
  const [method, path] = start!.split(" ");
  return {
    fields: Object.fromEntries([
      [":method", method!],
      [":scheme", "https"],
      [":path", path!],
      ...fields,
    ]),
    body: text.slice(end + 4),
  };
}

/** Reads one answer. `heard` is called whenever something of its head comes, `over` at the end and maybe again: the first time counts. */
function readAnswer(
  stream: ClientHttp2Stream,
  heard: () => void,
  over: (answer: Answer | Error) => void,
): void {
  const excerpt = new Excerpt();
  let head: { readonly status: number; readonly retryAfter: string | undefined } | undefined;
  let interim = 0;
  let failure: Error | undefined;
  const answered = (): void => {
    if (head !== undefined) over({ ...head, excerpt: excerpt.text, keepAliveMs: undefined });
  };
  const cut = (): void => stream.close(constants.NGHTTP2_CANCEL);
  stream.on("headers", () => {
    heard();
    if (++interim <= maxInterim) return;
    over(new BadAnswer("too many interim answers"));
    cut();
  });
  stream.on("response", (fields) => {
    heard();
    head = { status: fields[":status"]!, retryAfter: fields["retry-after"] };
    excerpt.encoded = fields["content-encoding"] !== undefined;
  });
  stream.on("data", (chunk: Buffer) => {
    excerpt.add(chunk);
    if (!excerpt.isLong) return;
    // The rest is of no interest: it is judged by its status.
    answered();
    cut();
  });
  stream.on("end", answered);
  stream.on("error", (error: Error & { code?: string }) => {
    failure = error.code === "ERR_HTTP2_ERROR" ? new BadAnswer(error.message) : error;
  });
  stream.on("close", () => over(failure ?? cutOff()));
}
