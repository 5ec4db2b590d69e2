/**
 * Takes turns: at most so many go at once, and of those that wait each name has its turn before any has its second. So a partner with many
 * batches waits for itself, not others for it.
 */
export class Turns {
  readonly #atOnce: number;
  #going = 0;
  /** In the order of their next turn. */
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /** Resolves when it is this name's turn; what it gives ends the turn and must be called. */
  async take(name: string): Promise<() => void> {
    if (this.#going < this.#atOnce) this.#going++;
    else
      await new Promise<void>((resolve) => {
        const queue = this.#waiting.get(name);
        if (queue === undefined) this.#waiting.set(name, [resolve]);
        else queue.push(resolve);
      });
    return () => this.#next();
  }

  #next(): void {
    const [entry] = this.#waiting;
    if (entry === undefined) {
      this.#going--;
      return;
    }
    const [name, queue] = entry;
    const resolve = queue.shift()!;
    this.#waiting.delete(name);
    if (queue.length > 0) this.#waiting.set(name, queue);
    resolve();
  }
}
