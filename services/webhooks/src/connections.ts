import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Dial, DialTarget } from "@heliograph/api";
import { AnswerReader, type Answer } from "./answer-reader.ts";
import {
  BadAnswer,
  cutOff,
  doubtfulAfterMs,
  type Exchange,
  longestKeepAliveMs,
  waited,
} from "./exchange.ts";
import { Session } from "./session.ts";

/** How long an unused connection is trusted when the receiver does not say: less than the 5 s after which Node's own server closes one. */
const defaultKeepAliveMs = 4_000;
/** Stop using a connection so long before the receiver said it would close it, for the way there and back. */
const keepAliveMarginMs = 1_000;

/** What a lane needs of its connections. */
export type Carrier = Pick<Connections, "send" | "sweep" | "close">;

type Connection = {
  readonly socket: Socket;
  reader: AnswerReader;
  current: Exchange | undefined;
  /** Nothing of the answer has come yet on a connection that had rested for long. */
  doubtful: boolean;
  idleSince: number;
  usableUntil: number;
  writtenAt: number;
  /** Nobody waits for an answer to this request any more. */
  abandon(exchange: Exchange): void;
};

/** A connection that is being opened: over HTTP/2 until the receiver has said how many requests it takes beside each other. */
type Opening = {
  /** Requests that are to go on it. */
  readonly room: number;
  waiting: Exchange[];
};

/**
 * The connections to one endpoint, kept open between requests. Nobody else uses them. How many there are is up to the caller, who limits how many requests run at once. Over HTTP/1.1 one
 * request at a time goes on each; where the receiver has chosen HTTP/2 as many as it allows.
 *
 * As long as nobody knows what the receiver chooses and allows, all requests wait for the one connection that is being opened. Where it cannot be opened they fail with it. Where it is cut, the one that
 * it was opened for fails, and the others go over another, once.
 */
export class Connections {
  readonly #dial: Dial;
  #target: DialTarget;
  readonly #idle: Connection[] = [];
  readonly #sessions = new Set<Session>();
  readonly #openings = new Set<Opening>();
  /** Requests that a connection takes beside each other, by the last one there was. */
  #room: number;
  #closed = false;

  constructor(dial: Dial, target: DialTarget) {
    this.#dial = dial;
    this.#target = target;
    this.#room = target.secure && target.http2 === true ? Infinity : 1;
  }

  send(exchange: Exchange): void {
    for (const session of this.#sessions) if (session.hasRoom) return session.send(exchange);
    const now = performance.now();
    for (
      let connection = this.#idle.pop();
      connection !== undefined;
      connection = this.#idle.pop()
    ) {
      if (connection.usableUntil > now && !connection.socket.destroyed) {
        connection.doubtful = now - connection.idleSince > doubtfulAfterMs;
        return this.#write(connection, exchange);
      }
      connection.socket.destroy();
    }
    this.#open(exchange);
  }

  /** Closes connections that were not used for too long. */
  sweep(): void {
    const now = performance.now();
    for (const connection of this.#idle)
      if (connection.usableUntil <= now) connection.socket.destroy();
    for (const session of this.#sessions) session.sweep(now);
  }

  /** Closes what is idle now and the rest when its request has ended. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#idle.splice(0)) connection.socket.destroy();
    for (const session of this.#sessions) session.retire();
  }

  /** Sends it over a connection that is not open yet. */
  #open(exchange: Exchange): void {
    for (const opening of this.#openings)
      if (opening.waiting.length < opening.room) {
        exchange.waitsSince = performance.now();
        return void opening.waiting.push(exchange);
      }
    const opening: Opening = { room: this.#room, waiting: [exchange] };
    this.#openings.add(opening);
    this.#dial(this.#target, exchange.timing).then(
      (socket) => this.#opened(opening, socket),
      (error: Error & { cut?: boolean }) => {
        // Whatever else keeps a connection from opening keeps the next one too.
        for (const each of this.#leave(opening))
          if (each !== exchange && error.cut === true) this.#again(each, error);
          else each.failed(error);
      },
    );
  }

  #opened(opening: Opening, socket: Socket): void {
    const [first, ...others] = opening.waiting.filter(({ canceled }) => !canceled);
    if (first !== undefined && (socket as TLSSocket).alpnProtocol === "h2") {
      opening.waiting = others;
      waited(first);
      return this.#begin(socket, opening).send(first);
    }
    this.#leave(opening);
    this.#room = 1;
    if (first === undefined) socket.destroy();
    else this.#write(this.#adopt(socket), first);
    for (const exchange of others) this.send(exchange);
  }

  /** Nothing waits for this connection any more: gives what did. */
  #leave(opening: Opening): readonly Exchange[] {
    this.#openings.delete(opening);
    const left = opening.waiting.splice(0).filter(({ canceled }) => !canceled);
    for (const exchange of left) waited(exchange);
    return left;
  }

  /** One that waited for a connection which never began. */
  #again(exchange: Exchange, error: Error): void {
    if (exchange.repeated) return exchange.failed(error);
    exchange.repeated = true;
    this.send(exchange);
  }

  #begin(socket: Socket, opening: Opening): Session {
    const session = new Session(socket, {
      again: (exchange) => this.#open(exchange),
      ready: (room) => {
        this.#room = Math.max(1, room);
        for (const exchange of this.#leave(opening))
          if (session.hasRoom) session.send(exchange);
          else this.send(exchange);
        // What is sent from here on goes elsewhere.
        if (this.#closed) session.retire();
      },
      // Over HTTP/1.1 all that it sends is an answer, and has an end.
      flooded: () => (this.#target = { ...this.#target, http2: false }),
      closed: () => {
        this.#sessions.delete(session);
        for (const exchange of this.#leave(opening)) this.#again(exchange, cutOff());
      },
    });
    if (!this.#closed) this.#sessions.add(session);
    return session;
  }

  #write(connection: Connection, exchange: Exchange): void {
    connection.current = exchange;
    exchange.connection = connection;
    connection.writtenAt = performance.now();
    connection.socket.write(exchange.text);
  }

  #adopt(socket: Socket): Connection {
    const connection: Connection = {
      socket,
      reader: new AnswerReader(),
      current: undefined,
      doubtful: false,
      idleSince: 0,
      usableUntil: 0,
      writtenAt: 0,
      abandon(exchange) {
        if (connection.current !== exchange) return;
        connection.current = undefined;
        socket.destroy();
      },
    };
    let failure: Error | undefined;
    socket.on("data", (chunk) => this.#read(connection, chunk));
    socket.on("end", () => {
      const answer = connection.current && connection.reader.end();
      if (answer !== undefined) this.#finish(connection, answer);
      socket.destroy();
    });
    socket.on("error", (error) => (failure = error));
    socket.on("close", () => {
      const index = this.#idle.indexOf(connection);
      if (index >= 0) this.#idle.splice(index, 1);
      const exchange = connection.current;
      connection.current = undefined;
      if (exchange === undefined) return;
      // Most likely closed before the request came; if not, the receiver knows the `webhook-id` already.
      if (connection.doubtful) this.#open(exchange);
      else exchange.failed(failure ?? cutOff());
    });
    return connection;
  }

  #read(connection: Connection, chunk: Buffer): void {
    if (connection.current === undefined) return void connection.socket.destroy(); // nothing was asked
    connection.doubtful = false;
    connection.current.timing.first_byte_ms ??= Math.round(
      performance.now() - connection.writtenAt,
    );
    let answer: Answer | undefined;
    try {
      answer = connection.reader.feed(chunk);
    } catch (error) {
      const exchange = connection.current;
      connection.current = undefined;
      connection.socket.destroy();
      return exchange.failed(new BadAnswer(error instanceof Error ? error.message : String(error)));
    }
    if (answer !== undefined) this.#finish(connection, answer);
  }

  #finish(connection: Connection, answer: Answer): void {
    const exchange = connection.current!;
    connection.current = undefined;
    const keepMs =
      answer.keepAliveMs === undefined
        ? defaultKeepAliveMs
        : Math.min(answer.keepAliveMs - keepAliveMarginMs, longestKeepAliveMs);
    if (keepMs <= 0 || this.#closed) connection.socket.destroy();
    else {
      connection.reader = new AnswerReader();
      connection.idleSince = performance.now();
      connection.usableUntil = connection.idleSince + keepMs;
      this.#idle.push(connection);
    }
    exchange.answered(answer);
  }
}
