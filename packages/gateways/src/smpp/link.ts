import { statusMeaning, type SmppErrorCode } from "./errors.ts";
import { BindRefused, type Outcome, type Session, type SessionEvents } from "./session.ts";
import type { Submit } from "./submit.ts";
import type { Timing } from "./timing.ts";

/** Why there is no connection. */
export type Away = { readonly code: SmppErrorCode; readonly said: string };

type Options = {
  readonly transmits: boolean;
  readonly window: number;
  readonly timing: Timing;
  /** Connects and binds. */
  readonly open: (events: SessionEvents, signal: AbortSignal) => Promise<Session>;
  readonly delivered: SessionEvents["delivered"];
  /** Something may go that could not before. */
  readonly room: () => void;
  /** It has been tried, and there is no connection. */
  readonly failed: () => void;
  readonly tell: (fields: object, message: string) => void;
};

/**
 * One bind that is kept: after an end it is tried again, one try at a time, each failure waiting longer than the last.
 *
 *   idle ── start ──▶ trying ── bound ──▶ up ── ended ──▶ waiting ── in time ──▶ trying
 *                       └──────────── refused, away ────────▲
 */
export class Link {
  readonly transmits: boolean;
  readonly #options: Options;
  #session: Session | undefined;
  #state: "idle" | "trying" | "up" | "waiting" | "closed" = "idle";
  #failures = 0;
  #hopeful = true;
  #throttles = 0;
  #reserved = 0;
  #pausedUntil = 0;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #closing = new AbortController();
  /** Of the last failure, while there is no connection. */
  away: Away | undefined;
  /** When it is tried again; by `performance.now()`. */
  retryAt = 0;

  constructor(options: Options) {
    this.#options = options;
    this.transmits = options.transmits;
  }

  get up(): boolean {
    return this.#state === "up";
  }
  /** There is hope of a connection soon: one that was good has just ended, or none was tried yet. */
  get trying(): boolean {
    return this.#hopeful && this.#state !== "closed";
  }
  /** Submits in its window, and places that are taken for some. */
  get outstanding(): number {
    return (this.#session?.outstanding ?? 0) + this.#reserved;
  }
  get hasRoom(): boolean {
    return (
      this.up && this.outstanding < this.#options.window && performance.now() >= this.#pausedUntil
    );
  }
  /** Takes a place for a submit that is about to come. */
  reserve(): void {
    this.#reserved++;
  }

  start(): void {
    if (this.#state === "idle") void this.#try();
  }

  async #try(): Promise<void> {
    const { open, timing, delivered, room, tell } = this.#options;
    this.#state = "trying";
    const begun = performance.now();
    let refused = false;
    try {
      const opened: { session?: Session } = {};
      const events: SessionEvents = {
        delivered,
        room,
        closed: (reason) => this.#ended(opened.session, reason, performance.now() - begun),
        odd: (what, fields) => tell(fields, what),
      };
      const session = await open(events, this.#closing.signal);
      opened.session = session;
      if (this.#isClosed) return await session.close();
      if (session.closed) throw new Error("the connection ended at once");
      this.#session = session;
      this.#state = "up";
      this.#hopeful = true;
      this.away = undefined;
      tell({}, "bound to the message centre");
      return room();
    } catch (error) {
      if (this.#isClosed) return;
      this.#hopeful = false;
      refused = this.#note(error as Error);
    }
    this.#wait(
      refused ? timing.refusedMs : timing.retryMs,
      refused ? timing.longestRefusedMs : timing.longestRetryMs,
    );
    this.#options.failed();
  }

  get #isClosed(): boolean {
    return this.#state === "closed";
  }

  /** Whether only a person can mend it. */
  #note(error: Error): boolean {
    if (!(error instanceof BindRefused)) {
      this.away = { code: "gateway_unreachable", said: error.message };
      this.#options.tell({ error: error.message }, "the message centre cannot be reached");
      return false;
    }
    const { name, code } = statusMeaning(error.status);
    this.away = { code, said: `the bind was refused: ${name}` };
    this.#options.tell({ status: name }, "gateway.degraded: the message centre refuses the bind");
    // Already bound: our own connection of before, which ends in a while.
    return code === "gateway_authentication_failed" && error.status !== alreadyBound;
  }

  #ended(session: Session | undefined, reason: string, lastedMs: number): void {
    if (session === undefined || this.#session !== session || this.#isClosed) return;
    this.#session = undefined;
    if (lastedMs >= this.#options.timing.stableMs) this.#failures = 0;
    // One that takes the bind and hangs up again and again is no connection either.
    this.#hopeful = this.#failures < 3;
    this.away = { code: "gateway_unreachable", said: reason };
    this.#options.tell({ reason }, "the connection to the message centre has ended");
    this.#wait(this.#options.timing.retryMs, this.#options.timing.longestRetryMs);
    this.#options.failed();
  }

  #wait(firstMs: number, longestMs: number): void {
    this.#state = "waiting";
    const fullMs = Math.min(longestMs, firstMs * 2 ** Math.min(this.#failures++, 20));
    // Half is drawn: the connections of many processes that ended together do not come back together.
    const delayMs = (fullMs / 2) * (1 + Math.random());
    this.retryAt = performance.now() + delayMs;
    this.#after(delayMs, () => void this.#try());
  }

  #after(delayMs: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, delayMs);
    this.#timers.add(timer);
  }

  /** In a place that was reserved. After an answer that throttles nothing more is sent for a while. */
  async submit(
    submit: Submit,
    limitMs: number,
    late: (outcome: Outcome) => void,
  ): Promise<Outcome | { readonly type: "unsent" }> {
    this.#reserved--;
    // It may have ended since the place was reserved: then nothing was sent.
    if (this.#session === undefined) return { type: "unsent" };
    const outcome = await this.#session.submit(submit, limitMs, late);
    if (outcome.type === "answered") this.#heed(outcome.status);
    return outcome;
  }

  #heed(answered: number): void {
    if (answered === 0) this.#throttles = 0;
    if (statusMeaning(answered).code !== "provider_throttled") return;
    // The rest of the same window is told the same.
    if (performance.now() < this.#pausedUntil) return;
    const { throttledMs, longestThrottledMs } = this.#options.timing;
    const fullMs = Math.min(longestThrottledMs, throttledMs * 2 ** Math.min(this.#throttles++, 20));
    const delayMs = (fullMs / 2) * (1 + Math.random());
    const until = performance.now() + delayMs;
    this.#pausedUntil = until;
    this.#after(delayMs, () => {
      // The alarm ends the pause, not the clock: a timer may ring some milliseconds early, and nobody would ask for room again.
      if (this.#pausedUntil === until) this.#pausedUntil = 0;
      this.#options.room();
    });
  }

  async close(): Promise<void> {
    this.#state = "closed";
    this.#closing.abort();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await this.#session?.close();
  }
}

const alreadyBound = 0x05;
