import { LogUnavailable } from "@heliograph/log";
import type pg from "pg";
import { type TakenKey, takenKeys } from "./tables/idempotency.ts";

type Asked = { readonly partner: string; readonly key: string };
type Found = Promise<readonly TakenKey[]>;
type Waiting = { readonly asked: Asked[]; readonly found: Found; readonly start: () => void };
/** A look-up that is under way, with the partners for whom a claim was made meanwhile: it may be missing in what is read. */
type Flight = Set<string>;

/** A partner without claims is not looked up at each send: another process's first claim for it is seen so much later. */
const rememberedMs = 1_000;
/** So that one that hangs does not hold the sends of all. */
const atOnce = 4;
/** A batch may bring a thousand more. */
const keysAtOnce = 1_000;
/** Far beyond what a busy database takes. */
const patienceMs = 5_000;

/** The claims of an environment. Whoever asks while some look-ups are under way shares the next one. */
export class LookUps {
  readonly #pool: pg.Pool;
  readonly #flights = new Set<Flight>();
  readonly #waiting: Waiting[] = [];
  /** Until when partners pass for having no claims, those first for whom it ends first. */
  readonly #without = new Map<string, number>();

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  /** How many partners are remembered. */
  get size(): number {
    return this.#without.size;
  }

  hasNone(partner: string): boolean {
    const until = this.#without.get(partner);
    return until !== undefined && performance.now() < until;
  }

  find(asked: readonly Asked[]): Found {
    if (this.#flights.size < atOnce) return this.#look(asked);
    const last = this.#waiting.at(-1);
    if (last !== undefined && last.asked.length < keysAtOnce) {
      last.asked.push(...asked);
      return last.found;
    }
    const all = [...asked];
    const { promise, resolve } = Promise.withResolvers<readonly TakenKey[]>();
    this.#waiting.push({ asked: all, found: promise, start: () => resolve(this.#look(all)) });
    return promise;
  }

  async #look(asked: readonly Asked[]): Found {
    const claimed: Flight = new Set();
    this.#flights.add(claimed);
    try {
      const { taken, without } = await inTime(takenKeys(this.#pool, asked, patienceMs));
      const now = performance.now();
      this.#sweep(now);
      for (const partner of without) if (!claimed.has(partner)) this.#remember(partner, now);
      return taken;
    } finally {
      this.#flights.delete(claimed);
      this.#waiting.shift()?.start();
    }
  }

  #remember(partner: string, now: number): void {
    // Behind the others again.
    this.#without.delete(partner);
    this.#without.set(partner, now + rememberedMs);
  }

  #sweep(now: number): void {
    for (const [partner, until] of this.#without) {
      if (until > now) return;
      this.#without.delete(partner);
    }
  }

  claimed(partner: string): void {
    for (const flight of this.#flights) flight.add(partner);
    this.#without.delete(partner);
  }
}

/** Throws `LogUnavailable` where the database does not answer in time, or has no connection to ask by. */
async function inTime<Value>(answer: Promise<Value>): Promise<Value> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      reject(new LogUnavailable("whether an idempotency key is taken was not answered in time")),
    patienceMs,
  );
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

const ofPools = new WeakMap<pg.Pool, LookUps>();

export function lookUpsOf(pool: pg.Pool): LookUps {
  let lookUps = ofPools.get(pool);
  if (lookUps === undefined) ofPools.set(pool, (lookUps = new LookUps(pool)));
  return lookUps;
}

/** To be called once a claim is made: the partner's sends of this process ask for it from then on. */
export const noteClaim = (pool: pg.Pool, partner: string): void => lookUpsOf(pool).claimed(partner);
