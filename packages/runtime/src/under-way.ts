/** What takes longer waits for something else, and nobody makes room for it. */
const roomMs = 20;
/** Work that can wait does so for no longer, however long its last piece took. */
const longestMs = 200;

/** Sends that callers of this process have under way, each by itself: work that can wait begins its next piece in the gaps between them. */
export class UnderWay {
  readonly #now: () => number;
  /** When each was begun, oldest first. */
  readonly #begun = new Set<{ readonly at: number }>();
  readonly #waiting = new Set<() => void>();

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** One is under way until what this gives is called. */
  begin(): () => void {
    const one = { at: this.#now() };
    this.#begun.add(one);
    return () => {
      this.#begun.delete(one);
      if (this.#begun.size === 0) for (const wake of this.#waiting) wake();
    };
  }

  /** Resolves once none is under way for which room is made, and after `mostMs` in any case. */
  async gap(mostMs: number): Promise<void> {
    const until = this.#now() + Math.min(mostMs, longestMs);
    for (let leftMs = until - this.#now(); leftMs > 0; leftMs = until - this.#now()) {
      const busyMs = this.#busyMs();
      if (busyMs === 0) return;
      await this.#wait(Math.min(leftMs, busyMs));
    }
  }

  /** How long the oldest for which room is made has that yet; 0 where there is none. */
  #busyMs(): number {
    for (const one of this.#begun) {
      const leftMs = one.at + roomMs - this.#now();
      if (leftMs > 0) return leftMs;
      this.#begun.delete(one);
    }
    return 0;
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#waiting.add(wake);
    });
  }
}

/** Of the process: whatever environment and partner they are of, it is the same processor's time. */
export const sendsUnderWay = new UnderWay();
