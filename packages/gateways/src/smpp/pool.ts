import type { Away, Link } from "./link.ts";

/** Where a submit may go: a connection with room; or there is none to be had, or the caller does not wait any more. */
export type Place =
  | { readonly type: "link"; readonly link: Link }
  | { readonly type: "away"; readonly away: Away; readonly retryAfterMs: number }
  | { readonly type: "given_up" };

type Waiting = { readonly settle: (place: Place) => void };

/** The connections of a gateway. What finds no room waits for it, first come, first served. */
export class Pool {
  readonly #links: readonly Link[];
  readonly #senders: readonly Link[];
  readonly #waiting = new Set<Waiting>();

  constructor(
    open: (events: { readonly room: () => void; readonly failed: () => void }) => readonly Link[],
  ) {
    this.#links = open({ room: () => this.#serve(), failed: () => this.#giveUp() });
    this.#senders = this.#links.filter(({ transmits }) => transmits);
  }

  start(): void {
    for (const link of this.#links) link.start();
  }

  /** Settles when there is room, when no connection can be had, or when the signal is aborted. The room is the caller's, who must use it. */
  place(signal: AbortSignal): Promise<Place> {
    if (signal.aborted) return Promise.resolve({ type: "given_up" });
    this.start();
    const link = this.#waiting.size === 0 ? this.#free() : undefined;
    if (link !== undefined) {
      link.reserve();
      return Promise.resolve({ type: "link", link });
    }
    return new Promise((resolve) => {
      const waiting: Waiting = {
        settle: (place) => {
          this.#waiting.delete(waiting);
          signal.removeEventListener("abort", aborted);
          resolve(place);
        },
      };
      const aborted = (): void => waiting.settle({ type: "given_up" });
      signal.addEventListener("abort", aborted);
      this.#waiting.add(waiting);
      this.#giveUp();
    });
  }

  /** The one that has least to do. */
  #free(): Link | undefined {
    let best: Link | undefined;
    for (const link of this.#senders)
      if (link.hasRoom && (best === undefined || link.outstanding < best.outstanding)) best = link;
    return best;
  }

  #serve(): void {
    for (const waiting of this.#waiting) {
      const link = this.#free();
      if (link === undefined) return;
      // Whoever waited takes the room in a moment; until then it is not given away twice.
      link.reserve();
      waiting.settle({ type: "link", link });
    }
  }

  /** Without a connection, and without one that is being tried, nobody has to wait for what may take minutes. */
  #giveUp(): void {
    if (this.#waiting.size === 0 || this.#senders.some(({ up, trying }) => up || trying)) return;
    const [away, retryAfterMs] = this.#nextTry();
    for (const waiting of this.#waiting) waiting.settle({ type: "away", away, retryAfterMs });
  }

  #nextTry(): readonly [Away, number] {
    const next = this.#senders.reduce((one, other) => (other.retryAt < one.retryAt ? other : one));
    return [next.away ?? unknown, Math.max(0, next.retryAt - performance.now())];
  }

  async close(): Promise<void> {
    const away = { code: "gateway_unreachable", said: "the gateway is being closed" } as const;
    for (const waiting of this.#waiting) waiting.settle({ type: "away", away, retryAfterMs: 0 });
    await Promise.all(this.#links.map((link) => link.close()));
  }
}

const unknown: Away = { code: "gateway_unreachable", said: "there is no connection" };
