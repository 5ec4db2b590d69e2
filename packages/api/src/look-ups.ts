import type pg from "pg";
import { type TakenKey, takenKeys } from "./tables/idempotency.ts";

type Asked = { readonly partner: string; readonly key: string };
type Waiting = { readonly asked: Asked[]; readonly found: Promise<readonly TakenKey[]> };

/** A partner without claims is not looked up at each send: another process's first claim for it is seen so much later. */
const rememberedMs = 1_000;

/** The claims of an environment. Whoever asks while a look-up is under way shares the next one. */
class LookUps {
  readonly #pool: pg.Pool;
  #running: Promise<unknown> = Promise.resolve();
  #next: Waiting | undefined;
  /** Until when partners pass for having no claims. */
  readonly #without = new Map<string, number>();
  #claims = 0;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  hasNone(partner: string): boolean {
    const until = this.#without.get(partner);
    return until !== undefined && performance.now() < until;
  }

  find(asked: readonly Asked[]): Promise<readonly TakenKey[]> {
    if (this.#next === undefined) {
      const all: Asked[] = [];
      const look = (): Promise<readonly TakenKey[]> => {
        this.#next = undefined;
        return this.#look(all);
      };
      const found = this.#running.then(look, look);
      this.#running = found;
      this.#next = { asked: all, found };
    }
    this.#next.asked.push(...asked);
    return this.#next.found;
  }

  async #look(asked: readonly Asked[]): Promise<readonly TakenKey[]> {
    const claims = this.#claims;
    const { taken, without } = await takenKeys(this.#pool, asked);
    // A claim that was made meanwhile may be missing in what was read.
    if (claims === this.#claims)
      for (const partner of without) this.#without.set(partner, performance.now() + rememberedMs);
    return taken;
  }

  claimed(partner: string): void {
    this.#claims++;
    this.#without.delete(partner);
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
