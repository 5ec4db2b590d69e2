import { residentMb } from "./cpu.ts";

const sampleMs = 500;
const lookMs = 2_000;
const sayMs = 10_000;
const marks = [0.25, 0.5, 1] as const;

export type Memory = {
  /** The most of what counts as its beginning, and the most of all, in MB. */
  readonly early: number;
  readonly most: number;
  /** What the process had when a quarter, half and all of it were done. */
  readonly at: string;
};

/**
 * Memory of a process while something runs, and on stderr every ten seconds how far that is. `done` says how many of `all` are over; `isEarly`, whether that is still its beginning.
 */
export function watchRun(
  what: string,
  pid: number,
  {
    all,
    done,
    isEarly,
  }: {
    readonly all: number;
    readonly done: () => Promise<number>;
    readonly isEarly: () => boolean;
  },
): () => Memory {
  let [early, most, count] = [0, 0, 0];
  const began = performance.now();
  const passed: number[] = [];
  const note = (): void => {
    const now = residentMb(pid);
    if (isEarly()) early = Math.max(early, now);
    most = Math.max(most, now);
    while (passed.length < marks.length && count >= all * marks[passed.length]!)
      passed.push(Math.round(now));
  };
  const say = (): void =>
    console.error(
      `${what}: ${count} of ${all} after ${Math.round((performance.now() - began) / 1_000)} s, ${Math.round(residentMb(pid))} MB`,
    );
  // What cannot be asked just now is asked the next time; who waits for it fails by itself.
  const look = (): void =>
    void done().then(
      (now) => (count = now),
      () => undefined,
    );
  const timers = [
    setInterval(note, sampleMs),
    setInterval(look, lookMs),
    setInterval(say, sayMs),
  ] as const;
  return () => {
    for (const timer of timers) clearInterval(timer);
    // It is over, whatever was heard of it last.
    count = all;
    note();
    say();
    return { early: Math.round(early), most: Math.round(most), at: passed.join(", ") };
  };
}
