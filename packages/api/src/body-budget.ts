import { PublicError } from "@heliograph/contracts";

/** Bytes of bodies that are being received or handled at one time. */
export type BodyLimits = {
  /** Of one partner: several batches of the largest size at once. */
  readonly perNameBytes: number;
  /** Of all together: parsed, a body takes some four times its bytes, and that must fit the process. */
  readonly totalBytes: number;
};

const defaultLimits: BodyLimits = {
  perNameBytes: 24 * 1024 * 1024,
  totalBytes: 96 * 1024 * 1024,
};

/** What one request holds of the budget. */
export type BodyHold = {
  /** Takes more. Throws `rate_limited` when the partner has too much in flight, `overloaded` when all together have. */
  grow(bytes: number): void;
  /** Gives all of it back; a second time does nothing. */
  release(): void;
};

/** Bounds the memory that bodies take: each has its own limit, but ten thousand of them at once would not fit. */
export class BodyBudget {
  readonly #limits: BodyLimits;
  readonly #byName = new Map<string, number>();
  #totalBytes = 0;

  constructor(limits: BodyLimits = defaultLimits) {
    this.#limits = limits;
  }

  hold(name: string): BodyHold {
    let held = 0;
    return {
      grow: (bytes) => {
        const own = (this.#byName.get(name) ?? 0) + bytes;
        if (own > this.#limits.perNameBytes)
          throw new PublicError(
            "rate_limited",
            `More than ${this.#limits.perNameBytes} bytes of your requests are being handled at once.`,
            { retryAfterSeconds: 1 },
          );
        if (this.#totalBytes + bytes > this.#limits.totalBytes)
          throw new PublicError(
            "overloaded",
            "Too many large requests are being handled at once.",
            {
              retryAfterSeconds: 1,
            },
          );
        this.#byName.set(name, own);
        this.#totalBytes += bytes;
        held += bytes;
      },
      release: () => {
        if (held === 0) return;
        const left = this.#byName.get(name)! - held;
        if (left === 0) this.#byName.delete(name);
        else this.#byName.set(name, left);
        this.#totalBytes -= held;
        held = 0;
      },
    };
  }
}
