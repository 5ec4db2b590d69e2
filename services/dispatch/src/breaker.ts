import type { EventData } from "@heliograph/contracts";

/** Of the last results kept, this share of faults opens the breaker, once there are enough to judge by. */
const WINDOW = 20;
const ENOUGH = 5;
const SHARE = 0.5;
/** First pause, doubled while the probes fail. */
const PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 60_000;

export type BreakerState = "closed" | "open" | "half_open";

/** Which call a result is of: given when it begins. A breaker counts a result only while it is in the period in which the call began. */
export type Ticket = number;

/** One time of being open, through all probes that failed. Another object for another time. */
export type Trouble = {
  readonly since: number;
  readonly reason: EventData<"GatewayDegraded">["reason"];
  /** Undefined until a probe succeeds. */
  readonly closedAt?: number;
};

/**
 * Keeps messages away from a gateway that fails by its own fault. Times are epoch ms.
 *
 *             half of the last 20 results, 5 at least, are faults; or no connection can be made
 *   closed ───────────────────────────────────────────────────────────────────────────▶ open
 *     ▲                                                                                  │ pause is over
 *     │ the probe succeeds                                                               ▼
 *     └────────────────────────────────────────────────────────────────────────────── half open
 *                                                       the probe fails: open again, for twice as long
 *
 * Open: no call begins. Half open: one probe at a time, and only its own result decides; what older calls come to meanwhile says nothing about now.
 */
export type Breaker = {
  state(now: number): BreakerState;
  /** Whether a call may begin. */
  admits(now: number): boolean;
  /** A call begins; in the half-open state it is the probe. */
  begin(now: number): Ticket;
  record(ticket: Ticket, fault: boolean, now: number): void;
  /** No connection can be made: nothing is gained by trying four times more. */
  unreachable(ticket: Ticket, now: number): void;
  /** Nobody waits for the result of this call any more: if it was the probe, another may be made. */
  abandoned(ticket: Ticket): void;
  /** When an open breaker lets a probe through; 0 when it is not open. */
  readonly opensAt: number;
  /** The last that there was; it may be over. */
  readonly trouble: Trouble | undefined;
};

export function createBreaker(scale: number): Breaker {
  const results: boolean[] = [];
  let until = 0; // 0: closed
  let pauseMs = 0;
  let pauses = 0;
  /** The ticket that counts: of every call while closed, of the probe while half open. It changes with every state, so that no older call has it. */
  let current: Ticket = 0;
  let probing = false;
  let trouble: Trouble | undefined;

  /** A clock that was set back by an hour makes no pause an hour longer. */
  const isOpen = (now: number): boolean => now < until && until - now <= pauseMs;

  function enter(opensAt: number): void {
    until = opensAt;
    current++;
    probing = false;
    results.length = 0;
  }
  function open(now: number, reason: Trouble["reason"]): void {
    if (until === 0) trouble = { since: now, reason };
    pauseMs = Math.max(1, Math.min(LONGEST_PAUSE_MS, PAUSE_MS * 2 ** pauses) * scale);
    enter(now + pauseMs);
    pauses = Math.min(pauses + 1, 10);
  }
  function close(now: number): void {
    enter(0);
    if (trouble !== undefined) trouble = { ...trouble, closedAt: now };
    pauses = 0;
  }

  return {
    state(now) {
      if (until === 0) return "closed";
      return isOpen(now) ? "open" : "half_open";
    },
    admits: (now) => until === 0 || (!isOpen(now) && !probing),
    begin(now) {
      if (until === 0) return current;
      // A clock that was set back can make it open again between the two questions: such a call counts for nothing.
      if (isOpen(now) || probing) return -1;
      probing = true;
      return ++current;
    },
    record(ticket, fault, now) {
      if (ticket !== current) return;
      if (probing) return fault ? open(now, "failing") : close(now);
      if (until !== 0) return;
      results.push(fault);
      if (results.length > WINDOW) results.shift();
      if (!fault || results.length < ENOUGH) return;
      if (results.filter(Boolean).length >= results.length * SHARE) open(now, "failing");
    },
    unreachable(ticket, now) {
      if (ticket === current && (probing || until === 0)) open(now, "unreachable");
    },
    abandoned(ticket) {
      if (ticket === current) probing = false;
    },
    get opensAt() {
      return until;
    },
    get trouble() {
      return trouble;
    },
  };
}

/** For gateways whose outcomes the recipients choose: they say nothing about the gateway. */
export const alwaysClosed: Breaker = {
  state: () => "closed",
  admits: () => true,
  begin: () => 0,
  record: () => {},
  unreachable: () => {},
  abandoned: () => {},
  opensAt: 0,
  trouble: undefined,
};
