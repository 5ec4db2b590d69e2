import { PublicError } from "@heliograph/contracts";
import { type Company, FairQueue } from "@heliograph/log";

export type AdmissionLimits = {
  /** Sends on their way into the log after which no more go, of one who is alone. */
  readonly alone: number;
  /** The same while others send too. */
  readonly shared: number;
  /** That wait, of one name; whoever has more hears that he asks for too much. */
  readonly waitingPerName: number;
  /** That wait, of all. */
  readonly waiting: number;
};

/**
 * Lets sends go on their way into the log, names in the order of a fair queue. Who has nothing under way goes at once: nobody waits for another whose sends take long. Of the others
 * as many go as there is room for.
 */
export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #company: Company;
  readonly #waiting = new FairQueue<() => void>();
  readonly #underWay = new Map<string, number>();
  #total = 0;

  constructor(limits: AdmissionLimits, company: Company) {
    this.#limits = limits;
    this.#company = company;
  }

  /** Undefined when it may go at once, else resolves when it may. `leave` must follow. Throws `rate_limited` when too much of this name waits, `overloaded` when too much of all does. */
  enter(name: string, cost: number): Promise<void> | undefined {
    this.#company.seen(name);
    if (this.#waiting.sizeOf(name) === 0 && this.#mayGo(name)) {
      this.#go(name, cost);
      return undefined;
    }
    const { waitingPerName, waiting } = this.#limits;
    if (this.#waiting.sizeOf(name) >= waitingPerName)
      throw new PublicError("rate_limited", `${waitingPerName} of your sends wait to be stored.`, {
        retryAfterSeconds: 1,
      });
    if (this.#waiting.size >= waiting)
      throw new PublicError("overloaded", "Too many sends wait to be stored.", {
        retryAfterSeconds: 1,
      });
    return new Promise((resolve) => {
      const begin = (): void => {
        this.#go(name, cost);
        resolve();
      };
      this.#waiting.push(name, begin, cost);
    });
  }

  leave(name: string, cost: number): void {
    const left = this.#underWay.get(name)! - cost;
    if (left > 0) this.#underWay.set(name, left);
    else this.#underWay.delete(name);
    this.#total -= cost;
    if (left === 0) this.#waiting.shift(name)?.();
    while (this.#hasRoom && this.#waiting.size > 0) this.#waiting.shift()!();
  }

  #go(name: string, cost: number): void {
    this.#underWay.set(name, (this.#underWay.get(name) ?? 0) + cost);
    this.#total += cost;
  }

  #mayGo(name: string): boolean {
    return !this.#underWay.has(name) || (this.#waiting.size === 0 && this.#hasRoom);
  }

  get #hasRoom(): boolean {
    return this.#total < (this.#company.isShared ? this.#limits.shared : this.#limits.alone);
  }
}
