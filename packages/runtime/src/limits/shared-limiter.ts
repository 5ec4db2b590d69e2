import type { BucketAsk, BucketGrant } from "../tables/limits.ts";
import { gathering } from "./gathering.ts";
import type { Limiter } from "./limiter.ts";
import {
  burstOf,
  bucketMs,
  intervalMs,
  maxDebtMs,
  RateLimiter,
  verdictOf,
  wholeSeconds,
  type Limit,
  type Verdict,
} from "./rate-limit.ts";

/** A process takes this much of a limit more than it needs when it is busy, and spends it without asking: at most 1 % of a second's worth, for each process. */
const blockMs = 10;
/** Nor more than what it spends in this time. A busy process asks so often and no more where the limit is far above what it spends, which saves a fifth of what accepting a message costs. */
const spentInMs = 100;
/** The store is asked again this long after it did not answer; meanwhile nobody waits for it. */
const awayMs = 1_000;
const forgetEvery = 10_000;

export type BucketStore = (asks: readonly BucketAsk[]) => Promise<ReadonlyMap<string, BucketGrant>>;

/** What this process knows of a shared bucket. Times are those of its own clock that never goes back. */
type Known = {
  readonly limit: Limit;
  /** Taken from the store, and not spent. */
  spare: number;
  /** When the bucket is full again, as the store last said. */
  fullAtMs: number;
  /** No token is there before. */
  emptyUntilMs: number;
  /** When the store was last asked, and how much was spent since. */
  askedAtMs: number;
  spent: number;
};
type Ask = { readonly name: string; readonly known: Known } & (
  | { readonly type: "take" | "refund"; readonly count: number }
  | { readonly type: "charge"; readonly count: number }
  | { readonly type: "look" }
);

/**
 * Limits that several processes share: a bucket is a row, by the clock of the database, so that no process's own clock counts. Calls that come while the store is asked are put
 * together into the next statement; a busy name takes a small block ahead; a name whose bucket is known to be empty is not asked for. While the store does not answer each process
 * allows its part of the limit (`copies`) from memory, at once: never all of it, and no call waits for a timeout but those that first met it.
 */
export class SharedLimiter implements Limiter {
  readonly #store: BucketStore;
  readonly #copies: number;
  readonly #blockMs: number;
  readonly #now: () => number;
  readonly #onAway: (error: unknown) => void;
  readonly #known = new Map<string, Known>();
  readonly #own: RateLimiter;
  readonly #ask: (ask: Ask) => Promise<Verdict>;
  #awayUntilMs = 0;
  #probing = false;
  #calls = 0;

  constructor(options: {
    readonly store: BucketStore;
    /** How many processes are taken to share the limits while they cannot. */
    readonly copies: number;
    readonly onAway: (error: unknown) => void;
    /** 0 for a caller that takes ahead by itself. */
    readonly blockMs?: number;
    readonly now?: () => number;
  }) {
    this.#store = options.store;
    this.#copies = options.copies;
    this.#blockMs = options.blockMs ?? blockMs;
    this.#onAway = options.onAway;
    this.#now = options.now ?? (() => performance.now());
    this.#own = new RateLimiter(this.#now);
    this.#ask = gathering((asks) => this.#askStore(asks));
  }

  take(name: string, limit: Limit, count: number): Verdict | Promise<Verdict> {
    const now = this.#now();
    if (++this.#calls % forgetEvery === 0) this.#forget(now);
    const key = keyOf(name, limit);
    const known = this.#of(key, limit);
    if (known.spare >= count) {
      known.spare -= count;
      known.spent += count;
      return verdictNow(known, now, count, count);
    }
    if (this.#isAway(now)) return this.#own.take(key, this.#part(limit), count);
    if (now < known.emptyUntilMs && known.spare === 0) return verdictNow(known, now, 0, count);
    return this.#ask({ type: "take", name: key, known, count });
  }

  charge(name: string, limit: Limit, cost: number): Verdict | Promise<Verdict> {
    const key = keyOf(name, limit);
    if (this.#isAway(this.#now())) return this.#own.charge(key, this.#part(limit), cost);
    return this.#ask({ type: "charge", name: key, known: this.#of(key, limit), count: cost });
  }

  look(name: string, limit: Limit): Verdict | Promise<Verdict> {
    const key = keyOf(name, limit);
    if (this.#isAway(this.#now())) return this.#own.look(key, this.#part(limit));
    return this.#ask({ type: "look", name: key, known: this.#of(key, limit) });
  }

  refund(name: string, limit: Limit, count: number): void {
    const key = keyOf(name, limit);
    const known = this.#of(key, limit);
    known.emptyUntilMs = 0;
    if (this.#isAway(this.#now())) this.#own.refund(key, this.#part(limit), count);
    else void this.#ask({ type: "refund", name: key, known, count });
  }

  /** How long until a token is there, in ms, as far as this process knows; 0 when one may be there now. */
  waitMs(name: string, limit: Limit): number {
    const now = this.#now();
    const key = keyOf(name, limit);
    if (this.#isAway(now)) return this.#own.waitMs(key, this.#part(limit));
    return Math.max(0, (this.#known.get(key)?.emptyUntilMs ?? 0) - now);
  }

  async close(): Promise<void> {}

  #of(key: string, limit: Limit): Known {
    let known = this.#known.get(key);
    if (known === undefined) {
      known = { limit, spare: 0, fullAtMs: 0, emptyUntilMs: 0, askedAtMs: -Infinity, spent: 0 };
      this.#known.set(key, known);
    }
    return known;
  }

  /** Whether the store is not to be waited for. From time to time one look, for which nobody waits, finds out whether it is back. */
  #isAway(now: number): boolean {
    if (this.#awayUntilMs === 0) return false;
    if (now >= this.#awayUntilMs && !this.#probing) {
      this.#probing = true;
      this.#store([])
        .then(
          () => (this.#awayUntilMs = 0),
          () => (this.#awayUntilMs = this.#now() + awayMs),
        )
        .finally(() => (this.#probing = false));
    }
    return true;
  }

  /** What this process may allow by itself. */
  #part(limit: Limit): Limit {
    const { requests, windowSeconds } = limit;
    const burst = Math.max(1, Math.floor(burstOf(limit) / this.#copies));
    return { requests, windowSeconds: windowSeconds * this.#copies, burst };
  }

  async #askStore(asks: readonly Ask[]): Promise<readonly Verdict[]> {
    const verdicts = new Map<Ask, Verdict>();
    let left = asks;
    while (left.length > 0 && this.#awayUntilMs === 0) {
      const { rows, later } = rowsOf(left);
      const now = this.#now();
      try {
        const granted = await this.#store(
          [...rows].map(([name, row]) => askOf(name, row, now, this.#blockMs)),
        );
        const at = this.#now();
        for (const [name, row] of rows) settle(row, granted.get(name)!, at, verdicts);
        left = later;
      } catch (error) {
        this.#onAway(error);
        this.#awayUntilMs = this.#now() + awayMs;
      }
    }
    return asks.map((ask) => verdicts.get(ask) ?? this.#alone(ask));
  }

  #alone(ask: Ask): Verdict {
    const limit = this.#part(ask.known.limit);
    switch (ask.type) {
      case "take":
        return this.#own.take(ask.name, limit, ask.count);
      case "charge":
        return this.#own.charge(ask.name, limit, ask.count);
      case "refund":
        this.#own.refund(ask.name, limit, ask.count);
        return this.#own.look(ask.name, limit);
      case "look":
        return this.#own.look(ask.name, limit);
      default:
        return ask satisfies never;
    }
  }

  #forget(now: number): void {
    for (const [key, { fullAtMs, askedAtMs }] of this.#known)
      if (fullAtMs < now && askedAtMs < now - awayMs) this.#known.delete(key);
  }
}

/** Asks for one bucket, and what was spare of it when the store was asked. */
type Row = { readonly known: Known; readonly asks: Ask[]; charge: boolean; had: number };

/** Of charges of one bucket one comes at a time: the next is refused when that one makes a debt. */
function rowsOf(asks: readonly Ask[]): {
  readonly rows: ReadonlyMap<string, Row>;
  readonly later: readonly Ask[];
} {
  const rows = new Map<string, Row>();
  const later: Ask[] = [];
  for (const ask of asks) {
    let row = rows.get(ask.name);
    if (row === undefined)
      rows.set(ask.name, (row = { known: ask.known, asks: [], charge: false, had: 0 }));
    if (ask.type === "charge" && row.charge) later.push(ask);
    else {
      row.charge ||= ask.type === "charge";
      row.asks.push(ask);
    }
  }
  return { rows, later };
}

/** Another limit is another bucket, which begins full: a change is in force at once. */
const keyOf = (name: string, { requests, windowSeconds, burst }: Limit): string =>
  `${name} ${requests}/${windowSeconds}/${burst ?? ""}`;

const sum = (asks: readonly Ask[], type: "take" | "charge" | "refund"): number =>
  asks.reduce((total, ask) => total + (ask.type === type ? ask.count : 0), 0);

/** How much is taken ahead: what a busy name will spend by what it has spent since it asked before, at first twice that, and nothing for one that is not busy. */
function blockOf({ limit, askedAtMs, spent }: Known, now: number, mostMs: number): number {
  const passedMs = Math.max(1, now - askedAtMs);
  const soon = Math.min(2 * spent, Math.floor((spent * spentInMs) / passedMs));
  return Math.min(soon, Math.floor(mostMs / intervalMs(limit)));
}

/** What is spare is used first. */
function askOf(name: string, row: Row, now: number, mostMs: number): BucketAsk {
  const { known, asks } = row;
  const { limit } = known;
  const needed = sum(asks, "take");
  const ahead = needed > 0 ? blockOf(known, now, mostMs) : 0;
  row.had = known.spare;
  known.spare = 0;
  known.askedAtMs = now;
  known.spent = needed;
  return {
    name,
    every: intervalMs(limit) / 1000,
    size: bucketMs(limit) / 1000,
    back: sum(asks, "refund"),
    asked: Math.max(0, needed + ahead - row.had),
    whole: sum(asks, "charge"),
    maxDebt: maxDebtMs / 1000,
  };
}

/** Gives those who asked, in their order, what there is; the rest is spare. */
function settle(
  { known, asks, had }: Row,
  { granted, charged, ahead }: BucketGrant,
  at: number,
  verdicts: Map<Ask, Verdict>,
): void {
  const { limit } = known;
  known.fullAtMs = at + ahead * 1000;
  known.emptyUntilMs = known.fullAtMs + intervalMs(limit) - bucketMs(limit);
  known.spare = granted + had;
  for (const ask of asks)
    if (ask.type === "take") {
      const got = Math.min(ask.count, known.spare);
      known.spare -= got;
      verdicts.set(ask, verdictNow(known, at, got, ask.count));
    } else if (ask.type === "charge") {
      const allowed = ask.count === 0 ? ahead * 1000 <= bucketMs(limit) : charged > 0;
      const verdict = verdictNow(known, at, allowed ? ask.count : 0, ask.count);
      // It needs no token of its own, only that there is no debt.
      const retryAfterSeconds = allowed ? 0 : wholeSeconds(ahead * 1000 - bucketMs(limit));
      verdicts.set(ask, { ...verdict, allowed, retryAfterSeconds });
    } else verdicts.set(ask, verdictNow(known, at, 0, 0));
}

/** What is known now: what the store has, and what is spare here. */
function verdictNow(known: Known, now: number, granted: number, asked: number): Verdict {
  const verdict = verdictOf(known.limit, Math.max(0, known.fullAtMs - now), granted, asked);
  return { ...verdict, remaining: verdict.remaining + known.spare };
}
