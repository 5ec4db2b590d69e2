import type { Carrier } from "./connections.ts";
import { cancel, type Exchange } from "./exchange.ts";
import { answered, failure, type Result } from "./result.ts";
import type { Timing } from "./tables/webhooks.ts";

/** One attempt in the air. `done` is called exactly once. */
export class Attempt {
  readonly startedAt: number;
  /** The same moment by the clock that nobody sets. */
  readonly startedAtTick = performance.now();
  readonly timing: Timing = {};
  readonly #done: (result: Result) => void;
  #settled = false;
  #exchange: Exchange | undefined;

  constructor(now: number, done: (result: Result) => void) {
    this.startedAt = now;
    this.#done = done;
  }

  send(connections: Carrier, text: string): void {
    if (this.#settled) return;
    this.#exchange = {
      text,
      timing: this.timing,
      answered: (answer) => this.#settle(answered(answer, Date.now())),
      failed: (error) => this.#settle(failure(error)),
      canceled: false,
      connection: undefined,
    };
    connections.send(this.#exchange);
  }

  /** Gives up: the deadline passed or the endpoint is gone. The connection is closed. */
  abort(code: string, message: string): void {
    if (this.#settled) return;
    if (this.#exchange !== undefined) cancel(this.#exchange);
    this.#settle({ type: "error", code, message });
  }

  #settle(result: Result): void {
    if (this.#settled) return;
    this.#settled = true;
    this.#done(result);
  }
}
