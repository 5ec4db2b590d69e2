import { PublicError } from "@heliograph/contracts";
import type pg from "pg";
import type { Call } from "./call.ts";
import { inProgress, keyReused } from "./idempotency.ts";
import { type TakenKey, takenKeys } from "./tables/idempotency.ts";

type Asked = { readonly partner: string; readonly key: string };
type Waiting = { readonly asked: Asked[]; readonly found: Promise<readonly TakenKey[]> };

/** Whoever asks while a look-up is under way shares the next one. */
class LookUps {
  readonly #pool: pg.Pool;
  #running: Promise<unknown> = Promise.resolve();
  #next: Waiting | undefined;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  find(asked: readonly Asked[]): Promise<readonly TakenKey[]> {
    if (this.#next === undefined) {
      const all: Asked[] = [];
      const look = (): Promise<readonly TakenKey[]> => {
        this.#next = undefined;
        return takenKeys(this.#pool, all);
      };
      const found = this.#running.then(look, look);
      this.#running = found;
      this.#next = { asked: all, found };
    }
    this.#next.asked.push(...asked);
    return this.#next.found;
  }
}

const ofPools = new WeakMap<pg.Pool, LookUps>();

/** What a partner's sends are refused with whose keys another kind of call has. */
export async function refusalsOfKeys(
  { deps: { pool }, partner: { partner_id: partner } }: Pick<Call, "deps" | "partner">,
  keys: readonly string[],
): Promise<ReadonlyMap<string, PublicError>> {
  if (keys.length === 0) return new Map();
  let lookUps = ofPools.get(pool);
  if (lookUps === undefined) ofPools.set(pool, (lookUps = new LookUps(pool)));
  const taken = await lookUps.find(keys.map((key) => ({ partner, key })));
  return new Map(
    taken
      .filter((row) => row.partner === partner)
      .map(({ key, requestId, done, leaseMs }) => [
        key,
        done || leaseMs === 0 ? keyReused(requestId) : inProgress(leaseMs),
      ]),
  );
}
