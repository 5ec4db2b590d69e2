/** Where a message is when the connections are cut. */
export type CutPlace = "before" | "middle" | "after";

/** What the double does wrong from now on. Everything is off at first and may be changed at any time. */
export type Faults = {
  /** Messages of the protocol that have passed: requests that arrived and answers that were about to leave, of every call. */
  readonly messages: number;
  /** Cuts that have happened. */
  readonly cuts: number;
  /**
   * Cuts every connection at the n-th message from now, once. `before` it (the default): a request is not handled, an answer does not leave although what it tells has
   * happened. In its `middle`: an answer leaves by half; half a request is as good as none. `after` it: a request has been handled, an answer has left.
   */
  cutAt(n: number, place?: CutPlace): void;
  /** Appends are stored and their answers never leave; so many (Infinity: all, 0: none any more). */
  loseAnswers(count: number): void;
  /** Every answer waits so long. */
  slowMs: number;
  /** Requests arrive and nothing happens; they stay without an answer when it is over. */
  hang: boolean;
  /** A read with a filter gives the record at the place where it begins, and does not get to the next, as in a log that takes longer to look through than anybody waits; subscriptions do. */
  slowSearch: boolean;
  /** Reads of one stream fail with `Unknown`, which is no reason to leave the connection. */
  failStreamReads: boolean;
  /** The next appends are refused with `Unknown`, none of them stored. */
  failAppends(count: number): void;
  /** The server ends every subscription there is now, of its own accord and without an error; connections stay. */
  endSubscriptions(): void;
  /** Every subscription there is now stays open and brings nothing any more; the connection's other calls go on. */
  muteSubscriptions(): void;
  /** This node is a follower of the leader at this port of 127.0.0.1: it refuses appends, and reads that require the leader, and tells where that is. */
  leaderPort: number | undefined;
};

export type FaultState = Faults & {
  /** Counts a message, and says where to cut it. */
  pass(): CutPlace | undefined;
  takeLostAnswer(): boolean;
  takeFailure(): boolean;
  /** Subscriptions that are open. */
  readonly subscriptions: Set<{ end(): void; mute(): void }>;
};

/** Faults that can be told when a double starts. */
export type FirstFaults = Partial<Pick<Faults, "slowMs" | "hang" | "leaderPort">>;

export function newFaults(first: FirstFaults = {}): FaultState {
  let messages = 0;
  let cuts = 0;
  let cut: { readonly at: number; readonly place: CutPlace } | undefined;
  let lost = 0;
  let failing = 0;
  const subscriptions = new Set<{ end(): void; mute(): void }>();
  return {
    get messages() {
      return messages;
    },
    get cuts() {
      return cuts;
    },
    cutAt: (n, place = "before") => void (cut = { at: messages + n, place }),
    loseAnswers: (count) => void (lost = count),
    failAppends: (count) => void (failing = count),
    endSubscriptions() {
      for (const { end } of subscriptions) end();
    },
    muteSubscriptions() {
      for (const { mute } of subscriptions) mute();
    },
    subscriptions,
    slowMs: first.slowMs ?? 0,
    hang: first.hang ?? false,
    slowSearch: false,
    failStreamReads: false,
    leaderPort: first.leaderPort,
    pass() {
      messages++;
      if (cut === undefined || messages < cut.at) return undefined;
      const { place } = cut;
      cut = undefined;
      cuts++;
      return place;
    },
    takeLostAnswer: () => lost > 0 && lost-- > 0,
    takeFailure: () => failing > 0 && failing-- > 0,
  };
}
