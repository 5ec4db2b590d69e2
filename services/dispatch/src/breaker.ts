import type { EventData } from "@heliograph/contracts";
import { createPace, type Slow } from "./pace.ts";

/** Of the last results kept, this share of faults, or of slow calls, opens the breaker, once there are enough to judge by. */
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
  /** Of the last opening: a gateway that was slow may come to fail. */
  readonly reason: EventData<"GatewayDegraded">["reason"];
  /** The last slow call, where that is the reason. */
  readonly slow?: Slow;
  /** Undefined until a probe succeeds. */
  readonly closedAt?: number;
};

/**
 * Keeps messages away from a gateway that fails by its own fault, or has become slow. Times are epoch ms.
 *
 *             half of the last 20 results, 5 at least, are faults, or slow; or no connection can be made
 *   closed ───────────────────────────────────────────────────────────────────────────▶ open
 *     ▲                                                                                  │ pause is over
 *     │ the probe succeeds, and is not slow                                              ▼
 *     └────────────────────────────────────────────────────────────────────────────── half open
 *                                                       the probe fails: open again, for twice as long
 *
 * Open: no call begins. Half open: one probe at a time, and only its own result decides; what older calls come to meanwhile says nothing about now.
 * Slow: what has no other way goes by it all the same; half of the results of that being faults, it is failing too.
 */
export type Breaker = {
  state(now: number): BreakerState;
  /** Whether a call may begin. */
  admits(now: number): boolean;
  /** Why only what has no other way should go by it now; undefined where all may. */
  slow(now: number): Slow | undefined;
  /** A call begins; in the half-open state it is the probe. */
  begin(now: number): Ticket;
  /** `took`: of a call that tells how fast the gateway is, with the bound from which on it can be slow. */
  record(ticket: Ticket, fault: boolean, now: number, took?: Took): void;
  /** No connection can be made: nothing is gained by trying four times more. */
  unreachable(ticket: Ticket, now: number): void;
  /** Nobody waits for the result of this call any more: if it was the probe, another may be made. */
  abandoned(ticket: Ticket): void;
  /** When an open breaker lets a probe through; 0 when it is not open. */
  readonly opensAt: number;
  /** The last that there was; it may be over. */
  readonly trouble: Trouble | undefined;
};

type Took = { readonly tookMs: number; readonly boundMs: number };
/** What a call was; undefined where it went well. */
type Bad = "failing" | "slow" | undefined;

/** The last results. `add` gives whether too many of them are as bad as the newest. */
function createResults() {
  const results: Bad[] = [];
  return {
    add(bad: Bad): boolean {
      results.push(bad);
      if (results.length > WINDOW) results.shift();
      if (bad === undefined || results.length < ENOUGH) return false;
      return results.filter((each) => each === bad).length >= results.length * SHARE;
    },
    clear: () => void results.splice(0),
  };
}

export function createBreaker(scale: number): Breaker {
  const results = createResults();
  const pace = createPace();
  let until = 0; // 0: closed
  let pauseMs = 0;
  let pauses = 0;
  /** The ticket that counts: of every call while closed, of the probe while half open. It changes with every state, so that no older call has it. */
  let current: Ticket = 0;
  let probing = false;
  let trouble: Trouble | undefined;

  /** A clock that was set back by an hour makes no pause an hour longer. */
  const isOpen = (now: number): boolean => now < until && until - now <= pauseMs;
  const isSlow = (): boolean => until !== 0 && trouble?.reason === "slow";
  const rests = (now: number): boolean => until !== 0 && (isOpen(now) || probing);

  function enter(opensAt: number): void {
    until = opensAt;
    current++;
    probing = false;
    results.clear();
  }
  function open(now: number, reason: Trouble["reason"], slow?: Slow): void {
    // One that was slow and fails now is in the same trouble still.
    if (until === 0 || reason === "slow" || trouble?.reason === "slow")
      trouble = { since: until === 0 ? now : trouble!.since, reason, ...(slow && { slow }) };
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
    state: (now) => (until === 0 ? "closed" : isOpen(now) ? "open" : "half_open"),
    admits: (now) => isSlow() || !rests(now),
    slow: (now) => (isSlow() && rests(now) ? trouble?.slow : undefined),
    begin(now) {
      if (until === 0 || (isSlow() && isOpen(now))) return current;
      // A clock that was set back can make it open again between the two questions: such a call counts for nothing.
      if (isOpen(now) || probing) return -1;
      probing = true;
      return ++current;
    },
    record(ticket, fault, now, took) {
      const slow = fault ? undefined : took && pace.judge(took.tookMs, took.boundMs);
      if (ticket !== current || (until !== 0 && !probing && !isSlow())) return;
      const bad = fault ? "failing" : slow && "slow";
      if (bad === undefined && probing) return close(now);
      // What is slow anyway does not become it.
      const opens = probing || (results.add(bad) && (fault || until === 0));
      if (bad !== undefined && opens) open(now, bad, slow);
    },
    unreachable(ticket, now) {
      if (ticket === current && (probing || until === 0 || isSlow())) open(now, "unreachable");
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
  slow: () => undefined,
  begin: () => 0,
  record: () => {},
  unreachable: () => {},
  abandoned: () => {},
  opensAt: 0,
  trouble: undefined,
};
