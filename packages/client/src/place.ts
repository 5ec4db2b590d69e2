import type { Row } from "./calls.ts";
import { NotFoundError } from "./errors.ts";
import { call, outgoing, type Settings } from "./transport.ts";

export type PlaceRows = { readonly get: Row; readonly commit: Row };

const everyMs = 1_000;
/** At the end it is tried once more, and nobody waits for longer than this. */
const lastMs = 5_000;

/** Keeps at the platform, under a name, up to where a reader has handled the feed: once a second at most, and at the end. What was handled after the last of these comes again after a crash. */
export class Place {
  readonly #settings: Settings;
  readonly #rows: PlaceRows;
  readonly #name: string;
  readonly #onError: (error: Error) => void;
  #timer: NodeJS.Timeout | undefined;
  #handled: number | undefined;
  #keeping: Promise<void> = Promise.resolve();

  constructor(settings: Settings, rows: PlaceRows, name: string, onError: (error: Error) => void) {
    this.#settings = settings;
    this.#rows = rows;
    this.#name = name;
    this.#onError = onError;
  }

  /** Where it goes on. A reader that is new begins behind `after`, and keeps that at once. */
  async open(after: number, signal?: AbortSignal): Promise<number> {
    const options = { maxAttempts: 1, ...(signal && { signal }) };
    const asked = outgoing(this.#settings, this.#rows.get, [this.#name], { options });
    try {
      const { sequence } = (await call(this.#settings, asked)) as { sequence: number };
      return sequence;
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error;
      await this.#commit(after, options);
      return after;
    } finally {
      this.#timer ??= setInterval(() => this.#keep(), everyMs).unref();
    }
  }

  handled(sequence: number): void {
    this.#handled = sequence;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#keep();
    await this.#keeping;
  }

  #keep(): void {
    this.#keeping = this.#keeping.then(async () => {
      const sequence = this.#handled;
      if (sequence === undefined) return;
      this.#handled = undefined;
      try {
        await this.#commit(sequence, { maxAttempts: 1, timeoutMs: lastMs });
      } catch (error) {
        this.#handled ??= sequence;
        this.#onError(error as Error);
      }
    });
  }

  async #commit(sequence: number, options: Parameters<typeof outgoing>[3]["options"]) {
    const body = { sequence };
    await call(
      this.#settings,
      outgoing(this.#settings, this.#rows.commit, [this.#name], { body, options }),
    );
  }
}
