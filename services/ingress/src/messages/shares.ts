/** What was sent counts half as much after this time. */
const halfLifeMs = 1_000;

/** How the sends of the last seconds are divided among those who sent, to tell who makes a process busy. */
export class Shares {
  readonly #now: () => number;
  readonly #counts = new Map<string, number>();
  #total = 0;
  #halvedAtMs: number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#halvedAtMs = now();
  }

  note(name: string, count: number): void {
    this.#fade();
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
    this.#total += count;
  }

  /** Whether others send too, and each of them less on average: `name` has more than an even share. */
  exceeds(name: string): boolean {
    return this.#counts.size > 1 && this.#isAbove(name);
  }

  /** Whether `name` has less than an even share, so that what makes the process busy is not its doing. */
  isModest(name: string): boolean {
    return this.#counts.size > 1 && !this.#isAbove(name);
  }

  #isAbove(name: string): boolean {
    return (this.#counts.get(name) ?? 0) * this.#counts.size >= this.#total;
  }

  /** One who has not sent for some seconds is no one to share with. */
  #fade(): void {
    for (const now = this.#now(); this.#halvedAtMs + halfLifeMs <= now;) {
      this.#halvedAtMs += halfLifeMs;
      if (this.#counts.size === 0) this.#halvedAtMs = now;
      this.#total = 0;
      for (const [name, count] of this.#counts)
        if (count < 0.25) this.#counts.delete(name);
        else {
          this.#counts.set(name, count / 2);
          this.#total += count / 2;
        }
    }
  }
}
