/** What the double does wrong from now on. Everything is off at first and may be changed at any time. */
export type Faults = {
  /** Messages of the protocol that have passed: requests that arrived and answers that were about to leave, of every call. */
  readonly messages: number;
  /** Cuts every connection at the n-th message from now: a request is then not handled, an answer not sent although what it tells has happened. */
  cutAt(n: number): void;
  /** Appends are stored and their answers never leave; so many, then all is well again. */
  loseAnswers(count: number): void;
  /** Every answer waits so long. */
  slowMs: number;
  /** Requests arrive and nothing happens. */
  hang: boolean;
  /** The next appends are refused with `Unknown`, stored none. */
  failAppends(count: number): void;
  /** This node is a follower: appends are sent to the leader at this port of 127.0.0.1. */
  leaderPort: number | undefined;
};

export type FaultState = Faults & {
  /** Counts a message; true when the connections are to be cut instead. */
  pass(): boolean;
  takeLostAnswer(): boolean;
  takeFailure(): boolean;
};

export function newFaults(): FaultState {
  let messages = 0;
  let cut = Number.POSITIVE_INFINITY;
  let lost = 0;
  let failing = 0;
  return {
    get messages() {
      return messages;
    },
    cutAt: (n) => void (cut = messages + n),
    loseAnswers: (count) => void (lost = count),
    failAppends: (count) => void (failing = count),
    slowMs: 0,
    hang: false,
    leaderPort: undefined,
    pass() {
      messages++;
      if (messages < cut) return false;
      cut = Number.POSITIVE_INFINITY;
      return true;
    },
    takeLostAnswer: () => lost > 0 && lost-- > 0,
    takeFailure: () => failing > 0 && failing-- > 0,
  };
}
