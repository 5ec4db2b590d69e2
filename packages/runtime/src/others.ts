/** Who comes now and then is not to meet a full page each time either. */
const rememberedMs = 10_000;

/** Whether others are there whom work that can wait is to make room for: who was seen within the last ten seconds is. */
export class Others {
  readonly #now: () => number;
  #until = -Infinity;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  seen(): void {
    this.#until = this.#now() + rememberedMs;
  }

  get areThere(): boolean {
    return this.#until > this.#now();
  }
}
