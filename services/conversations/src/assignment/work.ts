import { formatTime, threadTypes } from "@heliograph/domain";
import { type RecordedEvent, ofType } from "@heliograph/log";
import type { Team } from "./decide.ts";

export type ThreadEvent = RecordedEvent<(typeof threadTypes)[number]>;
export const isThreadEvent = ofType(...threadTypes);

/** Who decides here, as events name him: nobody is to be blamed for it. */
export const system = "system";

type Target = "first_response" | "resolution";
export const targets: readonly Target[] = ["first_response", "resolution"];

/** What assignment knows of the last conversation of a thread. */
export type Work = {
  readonly partner: string;
  readonly thread: string;
  readonly conversation: string;
  readonly contact: string;
  readonly inbox: string;
  /** Of the thread's last event. */
  readonly revision: number;
  readonly status: "open" | "snoozed" | "closed";
  readonly assignee: { readonly id: string; readonly name: string } | undefined;
  /** The position at which a person or a key assigned it; undefined where routing did. */
  readonly byHand: number | undefined;
  /** The team did not have the assignee when the assignment reached the log. */
  readonly stray: boolean;
  readonly team: string | undefined;
  /** Somebody asked for that very team. */
  readonly pinned: boolean;
  /** Somebody answered since the person last wrote and since it has its assignee. */
  readonly answered: boolean;
  /** Since when (a position) it waits for an agent; undefined while it does not. */
  readonly waitingSince: number | undefined;
  /** Somebody asked routing and has no decision yet. */
  readonly asked: boolean;
  /** Its waiting was told. */
  readonly queued: boolean;
  readonly openedAtMs: number;
  readonly due: Readonly<Partial<Record<Target, number | undefined>>>;
  /** Targets that are over: met, or told to be overdue. */
  readonly met: readonly Target[];
  readonly overdue: readonly Target[];
};

/** The fold. Of a thread whose beginning is not known nothing is known. */
export function evolveWork(work: Work | undefined, event: ThreadEvent): Work | undefined {
  if (event.type === "ConversationOpened") return opened(event);
  if (work === undefined) return undefined;
  const now = { ...work, revision: event.revision };
  // The thread's earlier conversation: only the last one can be open.
  if (event.data.conversation_id !== work.conversation) return now;
  const position = Number(event.position);
  switch (event.type) {
    case "MessageReceived":
      // Where the contact was merged, its messages name the survivor.
      return { ...now, answered: false, contact: event.data.contact_id };
    case "ConversationReopened":
      return {
        ...now,
        status: "open",
        ...(now.assignee === undefined && { waitingSince: position, queued: false }),
      };
    case "ConversationClosed":
      return meet(meet({ ...notWaiting(now), status: "closed" }, "resolution"), "first_response");
    case "ConversationSnoozed":
      return { ...notWaiting(now), status: "snoozed" };
    case "ConversationReplied":
      return event.data.answers ? meet({ ...now, answered: true }, "first_response") : now;
    case "ConversationOverdue":
      return over(now, event.data.target);
    case "AssignmentRequested":
    case "ConversationAssigned":
    case "ConversationQueued":
    case "ConversationUnassigned":
      return evolveAssignment(now, event);
    default:
      return now;
  }
}

type AssignmentEvent = Extract<
  ThreadEvent,
  {
    readonly type:
      | "AssignmentRequested"
      | "ConversationAssigned"
      | "ConversationQueued"
      | "ConversationUnassigned";
  }
>;

function evolveAssignment(work: Work, event: AssignmentEvent): Work {
  const position = Number(event.position);
  const { data } = event;
  switch (event.type) {
    case "AssignmentRequested":
      return {
        ...work,
        team: data.team,
        pinned: data.team !== undefined,
        waitingSince: work.waitingSince ?? position,
        asked: true,
        queued: false,
      };
    case "ConversationAssigned":
      return withDue(
        {
          ...notWaiting(work),
          assignee: event.data.agent,
          byHand: data.by.id === system ? undefined : position,
          stray: false,
          team: data.team ?? work.team,
          // Who takes it by an answer has answered it.
          answered: work.answered && [work.assignee?.id, data.by.id].includes(event.data.agent.id),
        },
        event.data,
      );
    case "ConversationQueued":
      return withDue(
        {
          ...unassigned(work),
          team: data.team ?? work.team,
          waitingSince: work.waitingSince ?? position,
          asked: false,
          queued: true,
        },
        event.data,
      );
    case "ConversationUnassigned":
      // Whoever takes it from an agent by hand does not want it to go to the next one.
      return data.by.id === system
        ? { ...unassigned(work), waitingSince: work.waitingSince ?? position }
        : notWaiting(unassigned(work));
  }
}

const opened = ({
  data,
  metadata,
  stream,
  revision,
  position,
}: RecordedEvent<"ConversationOpened">): Work => ({
  partner: metadata.partner ?? "",
  thread: stream,
  conversation: data.conversation_id,
  contact: data.contact_id,
  inbox: data.inbox,
  revision,
  status: "open",
  assignee: undefined,
  byHand: undefined,
  stray: false,
  team: undefined,
  pinned: false,
  answered: false,
  waitingSince: Number(position),
  asked: false,
  queued: false,
  openedAtMs: Date.parse(data.opened_at),
  due: {},
  met: [],
  overdue: [],
});

const unassigned = (work: Work): Work => ({
  ...work,
  assignee: undefined,
  byHand: undefined,
  stray: false,
  answered: false,
});
const notWaiting = (work: Work): Work => ({
  ...work,
  waitingSince: undefined,
  asked: false,
  queued: false,
});

const without = (due: Work["due"], target: Target): Work["due"] => ({
  ...due,
  [target]: undefined,
});
const meet = (work: Work, target: Target): Work =>
  work.met.includes(target)
    ? work
    : { ...work, met: [...work.met, target], due: without(work.due, target) };
const over = (work: Work, target: Target): Work =>
  work.overdue.includes(target)
    ? work
    : { ...work, overdue: [...work.overdue, target], due: without(work.due, target) };

type DueTimes = {
  readonly first_response_due_at?: string | null | undefined;
  readonly resolution_due_at?: string | null | undefined;
};

/** Due times that an event tells hold from there on, but for a target that is over. */
function withDue(work: Work, told: DueTimes): Work {
  const due = { ...work.due };
  for (const target of targets) {
    const text = told[`${target}_due_at`];
    if (text === undefined) continue;
    const pending = text !== null && !work.met.includes(target) && !work.overdue.includes(target);
    due[target] = pending ? Date.parse(text) : undefined;
  }
  return { ...work, due };
}

/** The due times by a team's targets, which count from the opening: null for one that there is not, or that is met. */
export function dueTimes(work: Work, team: Team): DueTimes {
  const dueAt = (target: Target, seconds: number | null): string | null =>
    seconds === null || work.met.includes(target)
      ? null
      : formatTime(work.openedAtMs + seconds * 1000);
  return {
    first_response_due_at: dueAt("first_response", team.first_response_seconds),
    resolution_due_at: dueAt("resolution", team.resolution_seconds),
  };
}

/** The earliest of its due times, Infinity when nothing is due any more. */
export const nextDueMs = ({ due, status }: Work): number =>
  status === "closed"
    ? Infinity
    : Math.min(due.first_response ?? Infinity, due.resolution ?? Infinity);
