import { type EventData, PublicError } from "@heliograph/contracts";
import { type Decision, type RecordedEvent, ofType } from "@heliograph/log";

export const broadcastStatuses = ["draft", "running", "paused", "done", "canceled"] as const;
export type BroadcastStatus = (typeof broadcastStatuses)[number];

export type Created = EventData<"BroadcastCreated">;

/** Why a broadcast sends nothing for now. */
export type Pause = { readonly code: string; readonly reason: string };

export type Broadcast = {
  readonly partner: string;
  readonly created: Created;
  readonly status: BroadcastStatus;
  /** Of a template that is named without one: the newest when it started or went on. */
  readonly templateVersion?: number | undefined;
  readonly pause?: Pause | undefined;
  readonly startedAt?: string | undefined;
  readonly endedAt?: string | undefined;
};

export const broadcastTypes = [
  "BroadcastCreated",
  "BroadcastStarted",
  "BroadcastPaused",
  "BroadcastResumed",
  "BroadcastCanceled",
  "BroadcastCompleted",
] as const;
export const isBroadcastEvent = ofType(...broadcastTypes);

/** Folds one event of a broadcast's stream. */
export function evolveBroadcast(
  broadcast: Broadcast | undefined,
  event: RecordedEvent,
): Broadcast | undefined {
  if (!isBroadcastEvent(event)) return broadcast;
  const { type, data, metadata } = event;
  if (type === "BroadcastCreated")
    return { partner: metadata.partner ?? "", created: data, status: "draft" };
  if (broadcast === undefined) return undefined;
  switch (type) {
    case "BroadcastStarted":
      return {
        ...broadcast,
        status: "running",
        startedAt: data.started_at,
        templateVersion: data.template_version,
      };
    case "BroadcastPaused":
      return { ...broadcast, status: "paused", pause: { code: data.code, reason: data.reason } };
    case "BroadcastResumed":
      return {
        ...broadcast,
        status: "running",
        pause: undefined,
        templateVersion: data.template_version,
      };
    case "BroadcastCanceled":
      return { ...broadcast, status: "canceled", pause: undefined, endedAt: data.canceled_at };
    case "BroadcastCompleted":
      return { ...broadcast, status: "done", endedAt: data.completed_at };
    default:
      return type satisfies never;
  }
}

/** What is asked of a broadcast. */
export type Command =
  | { readonly name: "start" | "resume"; readonly templateVersion?: number | undefined }
  | { readonly name: "cancel" }
  | ({ readonly name: "pause" } & Pause);

/** From which states a command is taken; in the one that it leads to nothing is left to be done. */
const rules = {
  start: { from: ["draft"], to: "running" },
  pause: { from: ["running"], to: "paused" },
  resume: { from: ["paused"], to: "running" },
  cancel: { from: ["draft", "running", "paused"], to: "canceled" },
} as const satisfies Readonly<
  Record<
    Command["name"],
    { readonly from: readonly BroadcastStatus[]; readonly to: BroadcastStatus }
  >
>;

export const broadcastNotFound = (): PublicError =>
  new PublicError("not_found", "There is no such broadcast.");

/** Decides a command at a time. Refuses what is another partner's as if it were not there, and `conflict` what comes too late or too early. */
export function decideCommand(
  broadcast: Broadcast | undefined,
  partner: string,
  command: Command,
  at: string,
): Decision<PublicError> {
  if (broadcast?.partner !== partner) return { refusal: broadcastNotFound() };
  const { status, created } = broadcast;
  const { from, to } = rules[command.name];
  if (status === to) return { events: [] };
  if (!(from as readonly BroadcastStatus[]).includes(status))
    return {
      refusal: new PublicError(
        "conflict",
        `The broadcast is ${status}: ${command.name} is for one that is ${from.join(" or ")}.`,
      ),
    };
  return { events: [eventOf(command, created.broadcast_id, at)] };
}

const versionIn = ({ templateVersion }: { readonly templateVersion?: number | undefined }) =>
  templateVersion === undefined ? {} : { template_version: templateVersion };

function eventOf(command: Command, broadcast_id: string, at: string) {
  switch (command.name) {
    case "start":
      return {
        type: "BroadcastStarted",
        data: { broadcast_id, started_at: at, ...versionIn(command) },
      } as const;
    case "pause": {
      const { code, reason } = command;
      return {
        type: "BroadcastPaused",
        data: { broadcast_id, code, reason, paused_at: at },
      } as const;
    }
    case "resume":
      return {
        type: "BroadcastResumed",
        data: { broadcast_id, resumed_at: at, ...versionIn(command) },
      } as const;
    case "cancel":
      return { type: "BroadcastCanceled", data: { broadcast_id, canceled_at: at } } as const;
    default:
      return command satisfies never;
  }
}

/** The end of one of whose audience nobody is left; nothing for one that is not running any more. */
export const decideCompletion = (
  broadcast: Broadcast | undefined,
  at: string,
): Decision<never> => ({
  events:
    broadcast?.status === "running"
      ? [
          {
            type: "BroadcastCompleted",
            data: { broadcast_id: broadcast.created.broadcast_id, completed_at: at },
          },
        ]
      : [],
});
