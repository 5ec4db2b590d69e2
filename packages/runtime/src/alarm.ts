/**
 * One timer that rings at the earliest of the times it was given since it last rang. Times are epoch ms. Where the clock is set back it rings when as long has passed as there was to the time when it was given: its user,
 * who finds nothing due yet, gives it again. `cancel` is for good: what was under way when its user closed may still ask.
 */
export type Alarm = { at(time: number): void; cancel(): void };

const LONGEST_MS = 60_000;

/** `tick` is the clock that nobody sets. */
export function createAlarm(
  ring: () => void,
  now: () => number = Date.now,
  tick: () => number = () => performance.now(),
): Alarm {
  let timer: NodeJS.Timeout | undefined;
  let due = Number.POSITIVE_INFINITY;
  let dueTick = Number.POSITIVE_INFINITY;
  let canceled = false;
  const leftMs = (): number => Math.min(due - now(), dueTick - tick());
  function set(): void {
    clearTimeout(timer);
    // Looked at once a minute at least, so that a clock that is set forward does not make it late.
    timer = setTimeout(fire, Math.min(LONGEST_MS, Math.max(0, leftMs())));
  }
  function fire(): void {
    timer = undefined;
    if (leftMs() > 0) return set();
    due = dueTick = Number.POSITIVE_INFINITY;
    ring();
  }
  return {
    at(time) {
      const timeTick = tick() + time - now();
      if (canceled || (time >= due && timeTick > dueTick - 1)) return;
      // Each by itself: after the clock was set back the earlier time is not the one that comes first.
      due = Math.min(due, time);
      dueTick = Math.min(dueTick, timeTick);
      set();
    },
    cancel() {
      canceled = true;
      clearTimeout(timer);
    },
  };
}
