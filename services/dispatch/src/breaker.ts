/** Of the last results kept, this share of faults opens the breaker, once there are enough to judge by. */
const WINDOW = 20;
const ENOUGH = 5;
const SHARE = 0.5;
/** First pause, doubled while the probes fail. */
const PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 60_000;

export type BreakerState = "closed" | "open" | "half_open";

/**
 * Keeps messages away from a gateway that fails by its own fault. Open: none; after a pause half open: one probe at a time, whose result
 * closes it or opens it for twice as long. Times are epoch ms.
 */
export type Breaker = {
  state(now: number): BreakerState;
  /** Whether a call may begin; in the half-open state this takes the probe. */
  admits(now: number): boolean;
  began(now: number): void;
  record(fault: boolean, now: number): void;
  /** A call began, and nobody waits for its result any more: a probe may be made again. */
  abandoned(): void;
  /** When an open breaker lets a probe through; 0 when it is not open. */
  readonly opensAt: number;
};

export function createBreaker(scale: number): Breaker {
  const results: boolean[] = [];
  let until = 0; // 0: closed
  let pauses = 0;
  let probing = false;

  function state(now: number): BreakerState {
    if (until === 0) return "closed";
    return now < until ? "open" : "half_open";
  }
  return {
    state,
    admits: (now) => until === 0 || (now >= until && !probing),
    began(now) {
      if (until !== 0 && now >= until) probing = true;
    },
    record(fault, now) {
      if (until !== 0) {
        // Answers to calls from before it opened say nothing about now.
        if (!probing) return;
        probing = false;
        if (fault) open(now);
        else {
          until = 0;
          pauses = 0;
          results.length = 0;
        }
        return;
      }
      results.push(fault);
      if (results.length > WINDOW) results.shift();
      if (!fault || results.length < ENOUGH) return;
      if (results.filter(Boolean).length >= results.length * SHARE) open(now);
    },
    abandoned() {
      probing = false;
    },
    get opensAt() {
      return until;
    },
  };

  function open(now: number): void {
    until = now + Math.max(1, Math.min(LONGEST_PAUSE_MS, PAUSE_MS * 2 ** pauses) * scale);
    pauses = Math.min(pauses + 1, 10);
    results.length = 0;
  }
}

/** For the simulator: its outcomes are chosen by the recipients, so they say nothing about it. */
export const alwaysClosed: Breaker = {
  state: () => "closed",
  admits: () => true,
  began: () => {},
  record: () => {},
  abandoned: () => {},
  opensAt: 0,
};
