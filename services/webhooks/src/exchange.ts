import type { Answer } from "./answer-reader.ts";
import type { Timing } from "./tables/webhooks.ts";

/** One request and who hears how it ended: exactly one of the two, once, unless it was canceled. */
export type Exchange = {
  /** The whole request as HTTP/1.1 has it on the wire. */
  readonly text: string;
  readonly answered: (answer: Answer) => void;
  readonly failed: (error: Error) => void;
  /** Filled in as it goes on. */
  readonly timing: Timing;
  canceled: boolean;
  /** It waits for a connection that is being opened for another. */
  waitsSince?: number | undefined;
  /** It goes over another connection since the receiver said that it has not looked at it, or had most likely closed the one before: that is done once. */
  repeated?: true;
  /** What carries it at the moment. */
  connection: { abandon(exchange: Exchange): void } | undefined;
};

/** How long an unused connection is trusted at most. */
export const longestKeepAliveMs = 60_000;
/** A connection that rested for longer than this may have been closed at the other end without us having heard of it. */
export const doubtfulAfterMs = 1_000;

/** An answer that cannot be understood. */
export class BadAnswer extends Error {
  readonly code = "bad_answer";
}

export const cutOff = (): Error =>
  new Error("the connection was closed before the answer was complete");

/** It waits no longer for a connection that was opened for another. */
export function waited(exchange: Exchange): void {
  const { timing, waitsSince } = exchange;
  if (waitsSince === undefined) return;
  exchange.waitsSince = undefined;
  timing.waited_ms = (timing.waited_ms ?? 0) + Math.round(performance.now() - waitsSince);
}

/** Gives a request up: neither of its callbacks is called any more. */
export function cancel(exchange: Exchange): void {
  exchange.canceled = true;
  waited(exchange);
  exchange.connection?.abandon(exchange);
}
