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
} from "./exchange.ts";
import { Session } from "./session.ts";

/** How long an unused connection is trusted when the receiver does not say: less than the 5 s after which Node's own server closes one. */
const defaultKeepAliveMs = 4_000;
/** Stop using a connection so long before the receiver said it would close it, for the way there and back. */
const keepAliveMarginMs = 1_000;

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

/**
 * The connections to one endpoint, kept open between requests. Nobody else uses them. How many there are is up to the caller, who limits how many requests run at once. Over HTTP/1.1 one
 * request at a time goes on each; where the receiver has chosen HTTP/2 as many as it allows.
 */
export class Connections {
  readonly #dial: Dial;
  readonly #target: DialTarget;
  readonly #idle: Connection[] = [];
  readonly #sessions = new Set<Session>();
  #closed = false;

  constructor(dial: Dial, target: DialTarget) {
    this.#dial = dial;
    this.#target = target;
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

  #open(exchange: Exchange): void {
    this.#dial(this.#target, exchange.timing).then(
      (socket) => {
        if (exchange.canceled) socket.destroy();
        else if ((socket as TLSSocket).alpnProtocol === "h2") this.#begin(socket).send(exchange);
        else this.#write(this.#adopt(socket), exchange);
      },
      (error: unknown) => {
        if (!exchange.canceled) exchange.failed(error as Error);
      },
    );
  }

  #begin(socket: Socket): Session {
    const session = new Session(socket, {
      again: (exchange) => this.#open(exchange),
      closed: () => this.#sessions.delete(session),
    });
    // Closed meanwhile: it is for this one request.
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
