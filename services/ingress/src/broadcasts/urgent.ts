/** Who sends now and then is not to meet a full page each time either. */
const rememberedMs = 10_000;

/** What a broadcast's messages have, below all that is sent by itself: that goes first wherever both wait. */
export const priority = 0;

/** Whether somebody sends what a broadcast is to make room for, in whichever process. */
export class Urgent {
  readonly #now: () => number;
  #until = -Infinity;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  requested(message: { readonly priority: number }): void {
    if (message.priority > priority) this.#until = this.#now() + rememberedMs;
  }

  get isThere(): boolean {
    return this.#until > this.#now();
  }
}
