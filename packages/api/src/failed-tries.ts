import { PublicError, type ErrorCode } from "@heliograph/contracts";
import { placeOf } from "./addresses.ts";

/** A misconfigured worker that calls ten times a second is told what is wrong with its key; a flood is not. */
const everyMs = 100;
const burst = 600;
/** Some 5 MB in a generation, of which there are two. Who has more addresses pushes out those that failed longest ago. */
const maxBlocks = 50_000;

/** That no key was sent is no guess. */
const guesses: ReadonlySet<ErrorCode> = new Set([
  "invalid_key",
  "key_revoked",
  "ip_not_allowed",
  "invalid_token",
  "session_revoked",
  "invalid_signature",
]);

/**
 * Failed authentications, counted by address in this process: one bucket (GCRA, ITU-T I.371) for an IPv4 address or the /64 of an IPv6 one. They are counted after the look-up, which
 * costs less than the answer, so that a wrong key shuts out no right one behind the same address.
 */
export class FailedTries {
  /** When each bucket would be full again; the second generation is dropped when the first one is full. */
  #fullAtMs = new Map<string, number>();
  #earlierMs = new Map<string, number>();
  readonly #now: () => number;
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  get size(): number {
    return this.#fullAtMs.size + this.#earlierMs.size;
  }

  /** What the caller is told of a failure: that itself, or `rate_limited` when there were too many. */
  refusal(thrown: unknown, ip: string): unknown {
    if (!(thrown instanceof PublicError) || !guesses.has(thrown.code)) return thrown;
    const waitMs = this.#take(placeOf(ip));
    if (waitMs <= 0) return thrown;
    return new PublicError("rate_limited", "Too many wrong keys came from your address.", {
      retryAfterSeconds: Math.ceil(waitMs / 1000),
    });
  }

  /** Takes one, or says how long until there is one. */
  #take(block: string): number {
    const now = this.#now();
    const known = this.#fullAtMs.get(block) ?? this.#earlierMs.get(block) ?? 0;
    const fullAt = Math.max(known, now);
    const waitMs = fullAt - now - (burst - 1) * everyMs;
    if (waitMs > 0) return waitMs;
    if (this.#fullAtMs.size >= maxBlocks && !this.#fullAtMs.has(block)) {
      this.#earlierMs = this.#fullAtMs;
      this.#fullAtMs = new Map();
    }
    this.#fullAtMs.set(block, fullAt + everyMs);
    return 0;
  }
}
