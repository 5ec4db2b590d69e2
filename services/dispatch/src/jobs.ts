import { type Job, partnerOf } from "./job.ts";
import type { Mark } from "./floor.ts";

/** It is looked at once more when the work is done; the mark holds the checkpoint until a row stands for that. */
export type Wanted = { readonly mark: Mark; readonly partner: string | undefined };

/** Messages at work in this process, each in one phase: a second reason to look at one waits until the first is done with. */
export class Jobs {
  readonly #jobs = new Map<string, Job>();
  readonly #sizes = new Map<string | undefined, number>();
  readonly #wanted = new Map<string, Wanted>();

  get size(): number {
    return this.#jobs.size;
  }
  /** How many of them are a partner's. */
  sizeOf(partner: string | undefined): number {
    return this.#sizes.get(partner) ?? 0;
  }
  has(messageId: string): boolean {
    return this.#jobs.has(messageId);
  }
  /** Nobody in this process ends the work on it. */
  isStranded(messageId: string): boolean {
    return this.#jobs.get(messageId)?.phase === "stranded";
  }
  isAs(job: Job): boolean {
    return this.#jobs.get(job.messageId) === job;
  }
  [Symbol.iterator](): Iterator<Job> {
    return this.#jobs.values();
  }
  /** Whether a provider is called, or has answered and the log does not have it yet: an intent without an outcome would be uncertain to the next owner. */
  get areCalled(): boolean {
    for (const { phase } of this.#jobs.values())
      if (phase === "called" || phase === "answered") return true;
    return false;
  }
  /** It comes in, or goes on to another phase. */
  put<Kind extends Job>(job: Kind): Kind {
    if (!this.#jobs.has(job.messageId)) this.#count(partnerOf(job), 1);
    this.#jobs.set(job.messageId, job);
    return job;
  }
  /** The work is done. Gives what wants it to be looked at again. */
  remove(job: Job): Wanted | undefined {
    if (this.#jobs.delete(job.messageId)) this.#count(partnerOf(job), -1);
    if (this.#wanted.size === 0) return undefined;
    const wanted = this.#wanted.get(job.messageId);
    this.#wanted.delete(job.messageId);
    return wanted;
  }
  /** Gives what wanted it before, and does no longer. */
  want(messageId: string, wanted: Wanted): Wanted | undefined {
    const before = this.#wanted.get(messageId);
    this.#wanted.set(messageId, wanted);
    return before;
  }

  #count(partner: string | undefined, by: number): void {
    const size = this.sizeOf(partner) + by;
    if (size === 0) this.#sizes.delete(partner);
    else this.#sizes.set(partner, size);
  }
}
