import type pg from "pg";
import { readAudience, readSequences } from "../tables/sync.ts";

/** Who waits for what: anything of the partner, or what an agent sees. */
export type Waiter = {
  readonly partner: string;
  /** The partner's newest sequence when nothing was there. */
  readonly after: number;
  readonly agent: string | undefined;
  readonly teams: readonly string[];
};
type Waiting = Waiter & { readonly deadline: number; readonly done: (found: boolean) => void };

/** 20 small look-ups a second for all waiting phones of a process together, and none while nobody waits. */
const pollMs = 50;

/**
 * Long polls of any number of phones share one query for their partners' counters. Only where a counter has moved is it asked who saw the changes, and only those are woken: what
 * is told to one agent costs the others nothing.
 */
class SyncWaiter {
  readonly #pool: pg.Pool;
  readonly #waiting = new Map<string, Set<Waiting>>();
  /** Up to where the partner's waiting phones were told. */
  readonly #seen = new Map<string, number>();
  #scheduled = false;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  /** Resolves true as soon as there may be something, false at the timeout or when the signal ends. */
  wait(waiter: Waiter, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve(false);
      const aborted = (): void => item.done(false);
      const item: Waiting = {
        ...waiter,
        deadline: performance.now() + timeoutMs,
        done: (found) => {
          this.#remove(item);
          signal.removeEventListener("abort", aborted);
          resolve(found);
        },
      };
      signal.addEventListener("abort", aborted, { once: true });
      const others = this.#waiting.get(waiter.partner);
      if (others === undefined) {
        this.#waiting.set(waiter.partner, new Set([item]));
        this.#seen.set(waiter.partner, waiter.after);
      } else {
        others.add(item);
        // Somebody who read earlier than the others must hear what they have seen already.
        this.#seen.set(waiter.partner, Math.min(waiter.after, this.#seen.get(waiter.partner)!));
      }
      this.#schedule();
    });
  }

  #remove(item: Waiting): void {
    const others = this.#waiting.get(item.partner);
    others?.delete(item);
    if (others?.size !== 0) return;
    this.#waiting.delete(item.partner);
    this.#seen.delete(item.partner);
  }

  #schedule(): void {
    if (this.#scheduled || this.#waiting.size === 0) return;
    this.#scheduled = true;
    setTimeout(() => void this.#poll(), pollMs);
  }

  async #poll(): Promise<void> {
    try {
      const newest = await readSequences(this.#pool, [...this.#waiting.keys()]);
      for (const [partner, sequence] of newest) await this.#tell(partner, sequence);
    } catch {
      // The database is away: waits run into their timeouts, and the read that follows reports it.
    }
    const now = performance.now();
    for (const items of this.#waiting.values())
      for (const item of items) if (now >= item.deadline) item.done(false);
    this.#scheduled = false;
    this.#schedule();
  }

  async #tell(partner: string, sequence: number): Promise<void> {
    const seen = this.#seen.get(partner);
    if (seen === undefined || sequence <= seen) return;
    this.#seen.set(partner, sequence);
    const audience = await readAudience(this.#pool, partner, seen, sequence);
    const agents = new Set(audience.map(({ agent_id }) => agent_id));
    const teams = new Set(audience.map(({ team_id }) => team_id));
    const nobodys = audience.some(({ agent_id, team_id }) => agent_id === null && team_id === null);
    for (const item of this.#waiting.get(partner) ?? [])
      if (
        item.after < sequence &&
        (nobodys ||
          item.agent === undefined ||
          agents.has(item.agent) ||
          item.teams.some((team) => teams.has(team)))
      )
        item.done(true);
  }
}

const waiters = new WeakMap<pg.Pool, SyncWaiter>();

/** The one waiter of an environment in this process. */
export function waiterOf(pool: pg.Pool): SyncWaiter {
  let waiter = waiters.get(pool);
  if (waiter === undefined) waiters.set(pool, (waiter = new SyncWaiter(pool)));
  return waiter;
}
