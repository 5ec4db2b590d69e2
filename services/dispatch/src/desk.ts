import type { LinkMaker } from "@heliograph/api";
import { boundedCache, weighRequest, type BoundedCache } from "@heliograph/domain";
import type { SendResult } from "@heliograph/gateways";
import type { Append, NewEvent, RecordedEvent } from "@heliograph/log";
import type { PartnerClock, WritePart } from "@heliograph/runtime";
import type { CallResult } from "./call-files.ts";
import { CatchUp } from "./catch-up.ts";
import type { Verdict } from "./clearance.ts";
import type { Connection, Connections, Place, Waiter } from "./connections.ts";
import type { Step, TimerKind } from "./decide.ts";
import type { Call } from "./events.ts";
import { createFloor, type Floor, type Mark } from "./floor.ts";
import { Intents, type Announcement } from "./intents.ts";
import type { Admitted, Answered, Called, LookedAt } from "./job.ts";
import { Jobs } from "./jobs.ts";
import { Lanes } from "./lanes.ts";
import type { Moment } from "./moment.ts";
import { Rows } from "./rows.ts";
import type { State } from "./state.ts";
import type { DueTimer, MovedClock, Owner, Unsettled } from "./store.ts";

/** What `step` is told of its moment. Nothing else that it asks for is outside of the desk. */
export type At = {
  /** Epoch ms of the real clock. */
  readonly now: number;
  readonly clock: PartnerClock;
  readonly random: () => number;
  /** Of waits. */
  readonly scale: number;
  readonly links: LinkMaker;
  /** The gateways, which the desks of all shards share: their rates, places and breakers are counted here and now. */
  readonly gateways: Connections;
  /** Where this desk hears of a place. */
  readonly inbox: Waiter["inbox"];
};

/** open: everything. closing: nothing new begins, what was called ends. finishing: one last commit is wanted. finished: it is under way, or made. closed: what is left is given back. */
type Life = "open" | "closing" | "finishing" | "finished" | "closed";

/** A batch of the feed that is being taken up. */
export type Intake = {
  readonly events: readonly RecordedEvent[];
  readonly position: bigint;
  readonly mark: Mark;
  readonly next: number;
  /** Streams of its messages are being read: the rest of it waits. */
  readonly reading: boolean;
};

/** Everything that one dispatcher knows. `step` alone changes it. */
type Open = {
  readonly owner: Owner;
  /** Jobs in memory at most. */
  readonly mostJobs: number;
  /** Up to here a predecessor may have acted: its traces are in the messages' streams, which are read. */
  readonly headAtStart: bigint;
  readonly jobs: Jobs;
  readonly lanes: Lanes;
  readonly floor: Floor;
  readonly intents: Intents;
  readonly rows: Rows;
  readonly catchUp: CatchUp;
  /** Requests whose funds are not decided yet; one that is forgotten is read from the log. */
  readonly requests: BoundedCache<string, RecordedEvent<"MessageRequested">>;
  /** Calls that predecessors announced and nobody could settle, by message; what is settled is taken out. */
  readonly unsettled: Unsettled;
  life: Life;
  /** What a failed commit would have stored is lost: no later one may move the checkpoint past it. */
  failed: boolean;
  intake: Intake | undefined;
  /** Appends that are announced with the next commit, before they are made. */
  readonly deciding: Entry[];
  /** The commit that is under way. */
  committing: Committing | undefined;
  /** Something may be admitted or committed. That a call has ended is not enough: its lane's next would be announced alone, and not with those that follow when its outcome is in the log. */
  pressing: boolean;
  /** What the checkpoint says. */
  position: bigint;
  /** An alarm is set for what needs no commit of its own. */
  lingers: boolean;
  /** Due rows are being taken and looked at; `asked`: and once more afterwards. */
  taking: Taking | undefined;
  asked: boolean;
};
type Taking = { readonly rows: readonly DueTimer[] | undefined; readonly full: boolean };
/** As `step` changes it. */
export type OpenDesk = Open;
export type Desk = Readonly<Open>;
export type Committing = {
  readonly position: bigint;
  readonly jobs: readonly Admitted[];
  /** Appends that may be made once it is durable. */
  readonly decided: readonly Entry[];
  /** When the first of its timers is due, by the real clock. */
  readonly earliest: number;
  /** No other follows. */
  readonly last: boolean;
};

/** A message whose next step is known, once it is known whether it may go out, or what its provider says. */
export type Case = {
  readonly job: LookedAt;
  readonly state: State;
  readonly step: Step;
  readonly causation: string;
};
/** An append, and what its outcome is for. */
export type Entry = OutcomeEntry | LookEntry;
type OfAppend = {
  /** Announces it, where no announced call stands for it. */
  readonly row: Announcement | undefined;
  readonly append: Append;
};
/** What a call came to. */
export type OutcomeEntry = OfAppend & {
  readonly type: "outcome";
  readonly job: Answered | LookedAt;
  readonly call: Call;
  readonly moment: Moment;
  readonly events: readonly NewEvent[];
  readonly next: { readonly at: number; readonly kind: TimerKind } | undefined;
};
/** What a look has decided, and what is done about the message then. */
export type LookEntry = OfAppend & {
  readonly type: "look";
  readonly job: LookedAt;
  readonly state: State;
  readonly next: "leave" | "look again" | "call";
};
/** For whom streams are read: when all are, this goes on. */
export type Reader = "feed" | "rows" | "message";

/** What concerns messages. */
type MessageInput =
  /** Events of the feed, up to a position. */
  | { readonly type: "batch"; readonly events: readonly RecordedEvent[]; readonly position: bigint }
  | {
      readonly type: "streams";
      readonly jobs: readonly LookedAt[];
      readonly streams: ReadonlyMap<string, readonly RecordedEvent[]>;
    }
  | { readonly type: "all read"; readonly for: Reader }
  | { readonly type: "cleared"; readonly of: Case; readonly verdict: Verdict }
  | {
      readonly type: "asked";
      readonly of: Case;
      readonly answer: SendResult | "unknown" | undefined;
    }
  | {
      readonly type: "receipts";
      readonly of: Case;
      readonly receipts: readonly RecordedEvent<"ReceiptReceived">[];
    }
  /** What was asked about a message cannot be understood. */
  | { readonly type: "unclear"; readonly job: LookedAt; readonly error: unknown }
  | {
      readonly type: "answered";
      readonly job: Called;
      readonly result: CallResult;
      readonly durationMs: number;
    }
  /** The call was not made: this owner is none any more. */
  | { readonly type: "not made"; readonly job: Called }
  | { readonly type: "written"; readonly entry: Entry; readonly outcome: Written }
  /** The stream of an outcome that lost its race, as it is now. */
  | {
      readonly type: "overtaken";
      readonly entry: OutcomeEntry;
      readonly stored: readonly RecordedEvent[];
    };

/** What concerns the dispatcher as a whole. */
export type WholeInput =
  | { readonly type: "committed"; readonly commit: Committing }
  /** Rows may be due. */
  | { readonly type: "rows due" }
  /** Due rows were taken; the next is due at `next`, epoch ms of the real clock. */
  | {
      readonly type: "taken";
      readonly of: Taking;
      readonly rows: readonly DueTimer[];
      readonly limit: number;
      readonly next: number;
    }
  | Place
  /** A gateway may have become free, or its configuration changed. */
  | { readonly type: "gateway changed" }
  | { readonly type: "lingered" }
  /** Partners are active again of whom something is held; or may have become so while nobody looked. */
  | { readonly type: "partners active" }
  /** What waits too long becomes a row. */
  | { readonly type: "look over" }
  /** Nothing else is to be handed in now: what has come up is admitted and committed. */
  | { readonly type: "pause" }
  | { readonly type: "stop" }
  /** Something is out of order; `commit`: what a commit would have stored is lost. */
  | { readonly type: "broken"; readonly commit: boolean }
  | { readonly type: "finish" }
  | { readonly type: "close" };
export type Input = MessageInput | WholeInput;

export type Written =
  | { readonly kind: "recorded" }
  | { readonly kind: "conflict" }
  /** The log will never take it. */
  | { readonly kind: "refused"; readonly reason: string };

export type Effect =
  | { readonly type: "read"; readonly jobs: readonly LookedAt[]; readonly for: Reader }
  | { readonly type: "clear"; readonly of: Case }
  | {
      readonly type: "ask";
      readonly of: Case;
      readonly gateway: string;
      readonly attemptId: string;
    }
  | { readonly type: "seek receipts"; readonly of: Case }
  | { readonly type: "append"; readonly entry: Entry }
  /** Read the stream, and then prove that this owner still is one. */
  | { readonly type: "read again"; readonly entry: OutcomeEntry }
  | { readonly type: "call"; readonly job: Called }
  | { readonly type: "commit"; readonly commit: Committing; readonly parts: readonly WritePart[] }
  | { readonly type: "wake"; readonly for: "rows" | "linger"; readonly at: number }
  | {
      readonly type: "take rows";
      readonly of: Taking;
      readonly limit: number;
      readonly moved: readonly string[];
      readonly clocks: readonly MovedClock[];
    }
  /** The batch is taken up: the next may come. */
  | { readonly type: "batch over"; readonly error?: unknown }
  /** A call of this gateway has ended. */
  | { readonly type: "release"; readonly connection: Connection }
  | { readonly type: "give place"; readonly waiter: Waiter; readonly connection: Connection }
  /** This desk has taken room at gateways, which have more at `nextAt`. */
  | {
      readonly type: "took room";
      readonly some: boolean;
      readonly nextAt: number | undefined;
    }
  | { readonly type: "halted"; readonly about: object; readonly what: string }
  | { readonly type: "warn"; readonly about: object; readonly what: string }
  | { readonly type: "break"; readonly error: unknown; readonly commit: boolean }
  /** What is held becomes due. */
  | { readonly type: "wake held" }
  /** This is over: everything is committed, or what the gateways have of this desk is given back. */
  | { readonly type: "over"; readonly what: "commits" | "desk" };

/** A step that is being made. */
export type Turn = { readonly desk: OpenDesk; readonly at: At; readonly effects: Effect[] };

export function openDesk(start: {
  readonly owner: Owner;
  readonly epoch: number;
  readonly position: bigint;
  readonly headAtStart: bigint;
  readonly unsettled: Unsettled;
  readonly mostJobs: number;
  readonly requestBytes: number;
}): Desk {
  const { owner, epoch, position, headAtStart, unsettled, mostJobs, requestBytes } = start;
  return {
    owner,
    mostJobs,
    headAtStart,
    unsettled,
    position,
    jobs: new Jobs(),
    lanes: new Lanes(),
    floor: createFloor(position),
    intents: new Intents(epoch, owner),
    rows: new Rows(),
    catchUp: new CatchUp(),
    requests: boundedCache(requestBytes, ({ data }) => weighRequest(data)),
    life: "open",
    failed: false,
    intake: undefined,
    deciding: [],
    committing: undefined,
    pressing: false,
    lingers: false,
    taking: undefined,
    asked: false,
  };
}

export const roomOf = ({ mostJobs, jobs }: Desk): number => mostJobs - jobs.size;
