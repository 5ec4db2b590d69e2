import type { Input } from "./desk.ts";

/** Where everything arrives that a dispatcher has to know. */
export class Inbox {
  #inputs: Input[] = [];
  #filled: (() => void) | undefined;

  put(input: Input): void {
    this.#inputs.push(input);
    this.#filled?.();
    this.#filled = undefined;
  }
  take(): readonly Input[] {
    const inputs = this.#inputs;
    this.#inputs = [];
    return inputs;
  }
  get isEmpty(): boolean {
    return this.#inputs.length === 0;
  }
  /** Resolves when something is there, so that all of one turn of the event loop is taken at once. */
  async filled(): Promise<void> {
    if (this.isEmpty) await new Promise<void>((resolve) => (this.#filled = resolve));
  }
}
