/** One timer that rings at the earliest of the times it was given since it last rang. Times are epoch ms. `cancel` is for good: what was under way when its user closed may still ask. */
export type Alarm = { at(time: number): void; cancel(): void };

const LONGEST_MS = 60_000;

export function createAlarm(ring: () => void, now: () => number = Date.now): Alarm {
  let timer: NodeJS.Timeout | undefined;
  let due = Number.POSITIVE_INFINITY;
  let canceled = false;
  function set(): void {
    clearTimeout(timer);
    // Looked at once a minute at least, so that a clock that is set forward does not make it late.
    timer = setTimeout(fire, Math.min(LONGEST_MS, Math.max(0, due - now())));
  }
  function fire(): void {
    timer = undefined;
    if (now() < due) return set();
    due = Number.POSITIVE_INFINITY;
    ring();
  }
  return {
    at(time) {
      if (canceled || time >= due) return;
      due = time;
      set();
    },
    cancel() {
      canceled = true;
      clearTimeout(timer);
    },
  };
}
