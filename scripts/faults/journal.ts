/** What the client remembers of one send: the oracle for what the product may and must have stored. */
export type Send = {
  /** Unique; travels as `client_ref`, and for mail as subject, so that log and mail server can be compared with the journal. */
  readonly ref: string;
  readonly partner: string;
  readonly environment: "live" | "sandbox";
  readonly key: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
  /** The status it must end with, `refused` when it must not be accepted, undefined where the sinks' whims decide. */
  expected: string | undefined;
  /** Once it is sent its provider reports that it was filtered, and charges for it. */
  readonly isFiltered?: boolean;
  /** Every answer that came, in order; a call that broke off is missing. */
  readonly answers: {
    readonly status: number;
    readonly text: string;
    readonly id: string | undefined;
    readonly retryAfter: string | null;
  }[];
  /** Calls without an answer, or with one that leaves it open: for a send without a key nobody can tell what they did. */
  broken: number;
  settled: boolean;
};

/** A request that reached a webhook sink, and what the sink answered. */
export type Arrival = {
  readonly endpoint: string;
  readonly id: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly accepted: boolean;
};

export type Journal = {
  readonly sends: Send[];
  readonly arrivals: Arrival[];
  /** Faults that may have repeated what was under way: kills and lost connections. */
  interruptions: number;
};

export const newJournal = (): Journal => ({ sends: [], arrivals: [], interruptions: 0 });

/** The first 2xx answer of a send. */
export const acceptedAnswer = (send: Send): Send["answers"][number] | undefined =>
  send.answers.find(({ status }) => status >= 200 && status < 300);
