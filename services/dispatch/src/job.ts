import type { GatewayChoice } from "@heliograph/contracts";
import type { Attempt } from "@heliograph/gateways";
import type { Ticket } from "./breaker.ts";
import type { Connection } from "./connections.ts";
import type { Mark } from "./floor.ts";
import type { Group } from "./intents.ts";
import type { Moment } from "./moment.ts";
import { type Routed, routedAs } from "./routing.ts";
import type { Requested, State } from "./state.ts";

/** A message that dispatch has to look at. */
export type Look = Moment & {
  readonly messageId: string;
  readonly stream: string;
  /** Holds the checkpoint back until a row or an outcome stands for the message; undefined when a row does already. */
  readonly mark: Mark | undefined;
  /** A timer of it has run out that was set when its stream had this revision; -1: none has, or one that says nothing of what the message waits for. */
  readonly waited: number;
};

/** One provider call that is to be made. */
export type Task = {
  readonly messageId: string;
  readonly stream: string;
  readonly state: State;
  readonly attempt: number;
  /** Which outcome of the message this call brings: tells a recovery whether it was recorded. */
  readonly call: number;
  /** The event this call follows from. */
  readonly causation: string;
  /** Recipient and texts where the request has them sealed. */
  readonly opened: Pick<Requested, "to" | "content"> | undefined;
  readonly lane: string;
  readonly expiresAt: number;
  readonly moment: Moment;
  /** When it began to wait in memory, epoch ms of the real clock. */
  readonly since: number;
};

/** What a task was given when it was admitted. */
export type Given = {
  readonly connection: Connection;
  readonly choice: GatewayChoice;
  /** By which the gateway's breaker knows the call again. */
  readonly ticket: Ticket;
  readonly sending: Attempt;
  readonly group: Group;
};

type Of<Phase extends string> = { readonly phase: Phase; readonly messageId: string };
type Calling<Phase extends string> = Of<Phase> & { readonly task: Task; readonly given: Given };

/** Its stream is read, its clearance is asked for, its provider is asked, or an event of it is on its way into the log. */
export type LookedAt = Of<"looked_at"> & { readonly look: Look };
/** It waits in its recipient's lane. The mark is that of its look. */
export type Waiting = Of<"waiting"> & { readonly task: Task; readonly mark: Mark | undefined };
/** It has its gateway, and its intent is being written. */
export type Admitted = Calling<"admitted">;
/** Its intent is durable: it may be called. */
export type Announced = Calling<"announced">;
export type Called = Calling<"called">;
/** What its call came to is on its way into the log. */
export type Answered = Calling<"answered">;
/** Nobody can record what its call came to: it stays announced until the next owner looks at it. */
export type Stranded = Calling<"stranded">;

/** A message at work in this process. It is never changed: what happens to it makes another of it, so an answer to what it was before is known to be late. */
export type Job = LookedAt | Waiting | Admitted | Announced | Called | Answered | Stranded;

export const partnerOf = (job: Job): string | undefined =>
  job.phase === "looked_at" ? job.look.partner : job.task.moment.partner;

/** Whom it is for; readable. */
export const recipientOf = ({
  state: { request },
  opened,
}: Pick<Task, "state" | "opened">): string => opened?.to ?? request.to;

/** What decides where it may go. */
export const routedOf = (task: Pick<Task, "state" | "opened">): Routed => {
  const { request, requestEvent } = task.state;
  return routedAs(request, recipientOf(task), requestEvent.metadata.partner);
};
