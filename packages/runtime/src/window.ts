import type { Checkpoint, WritePart } from "./types.ts";

type WindowOptions = {
  readonly fail: (error: unknown) => void;
  /** When what there is has to be written, by `performance.now()`; undefined when there is nothing. */
  readonly dueAt: (writtenAt: number) => number | undefined;
  /** Takes what there is and commits it with the position below which everything is dealt with; `all`: also what need not go with every commit. */
  readonly write: (all: boolean) => Promise<void>;
};

/**
 * Between the log and a checkpoint: what a reactor has done gathers until a commit writes it together with the position that it allows. One commit at a time, each when it is due.
 * What a failed commit would have stored is lost with it, so no later one may move the checkpoint past that: the window is broken, and the next owner starts from the checkpoint.
 */
export class CommitWindow {
  readonly #options: WindowOptions;
  #writing: Promise<void> | undefined;
  #writtenAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;
  #closed = false;
  #broken: { readonly error: unknown } | undefined;
  readonly #waiting: (() => void)[] = [];

  constructor(options: WindowOptions) {
    this.#options = options;
  }

  /** There may be something to write, or it is due sooner than it was. */
  touch(): void {
    if (this.#closed || this.#broken || this.#writing !== undefined) return;
    const at = this.#options.dueAt(this.#writtenAt);
    if (at === undefined || (this.#timer !== undefined && this.#timerAt <= at)) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(
      () => void this.#write().catch(this.#options.fail),
      Math.max(0, at - performance.now()),
    );
  }

  /** Resolves when it is not full any more: back-pressure. Throws what a commit failed with. */
  async room(isFull: () => boolean): Promise<void> {
    for (;;) {
      if (this.#broken) throw this.#broken.error;
      if (this.#closed || !isFull()) return;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Writes what there is now and waits for it. */
  async flush(): Promise<void> {
    // Others who waited for the same commit may have begun the next.
    while (this.#writing !== undefined) await this.#writing.catch(() => undefined);
    await this.#write(true);
  }

  /** Nothing is written any more, and nobody waits for room. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#wake();
  }

  async #write(all = false): Promise<void> {
    if (this.#closed) return;
    if (this.#broken) throw this.#broken.error;
    // All that the alarm is set for is written now; what comes meanwhile sets another at the end.
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writtenAt = performance.now();
    const writing = this.#options.write(all);
    this.#writing = writing;
    try {
      await writing;
    } catch (error) {
      this.#broken = { error };
      this.#wake();
      throw error;
    } finally {
      // Who waited for its end may have begun the next already.
      if (this.#writing === writing) this.#writing = undefined;
    }
    this.#wake();
    this.touch();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** A successor that starts from the checkpoint has so many events to look at again; from here on it is written sooner. */
const manyEvents = 500n;
const quietMs = 1_000;

type LazyOptions = {
  readonly checkpoint: Checkpoint;
  readonly fail: (error: unknown) => void;
  /** Above 500 events there is a commit in so long. */
  readonly busyMs: number;
  /** Below it everything is dealt with. */
  readonly position: () => bigint;
  /** Rows that go with it, in order; what is given is taken. */
  readonly rows?: { readonly wait: () => boolean; readonly take: () => readonly WritePart[] };
};

/**
 * The window of a reactor whose checkpoint is only a place to start from, for what it passes is done and doing it again is a duplicate: each is a durable commit, so while little happens there is
 * one a second. `reached` is told that the position, or a row, has moved.
 */
export function lazyWindow({ checkpoint, fail, busyMs, position, rows }: LazyOptions): {
  reached(): void;
  flush(): Promise<void>;
} {
  let written = checkpoint.position;
  const waits = (): boolean => rows?.wait() ?? false;
  const window = new CommitWindow({
    fail,
    dueAt() {
      const behind = position() - written;
      if (behind <= 0n && !waits()) return undefined;
      return performance.now() + (behind > manyEvents ? busyMs : quietMs);
    },
    async write() {
      const at = position();
      if (at <= written && !waits()) return;
      await checkpoint.commit(at, rows?.take() ?? []);
      written = at;
    },
  });
  return {
    reached() {
      if (!waits()) checkpoint.dealt(position());
      window.touch();
    },
    flush: () => window.flush(),
  };
}
