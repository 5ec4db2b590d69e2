/** One who has done nothing for so long is no one to share with. */
const rememberedMs = 1_000;

/** Whether somebody is alone with something that partners share. */
export class Company {
  readonly #now: () => number;
  #last: string | undefined;
  #until = -Infinity;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** This one uses it. */
  seen(name: string): void {
    if (this.#last !== undefined && name !== this.#last) this.#until = this.#now() + rememberedMs;
    this.#last = name;
  }
  /** Whether several have used it within the last second. */
  get isShared(): boolean {
    return this.#until > this.#now();
  }
}
