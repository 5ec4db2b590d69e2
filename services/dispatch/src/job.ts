import type { GatewayChoice } from "@heliograph/contracts";
import type { Attempt } from "@heliograph/gateways";
import type { Ticket } from "./breaker.ts";
import type { Connection } from "./connections.ts";
import type { Mark } from "./floor.ts";
import type { Moment } from "./moment.ts";
import type { Routed } from "./routing.ts";
import type { Requested, State } from "./state.ts";
import type { IntendedCall } from "./store.ts";

/** One provider call that is to be made, from the moment it is due until its outcome is recorded. */
export type Job = {
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
  /** By the clock of its partner. */
  readonly isExpired: () => boolean;
  /** When it began to wait in memory, epoch ms of the real clock. */
  readonly since: number;
  /** Holds the checkpoint back until a row or the outcome stands for the job; undefined when a row does already. */
  mark: Mark | undefined;
  /** Set at admission. */
  connection?: Connection;
  choice?: GatewayChoice;
  /** By which the gateway's breaker knows the call again. */
  ticket?: Ticket;
  sending?: Attempt;
  group?: Group;
};

/** The calls that one durable row announces, by message: those that are open. */
export type Group = { readonly id: string; readonly calls: Map<string, IntendedCall> };

/** What decides where it may go. */
export const routedOf = ({ state: { request, requestEvent }, opened }: Job): Routed => ({
  channel: request.channel,
  to: opened?.to ?? request.to,
  from: request.from,
  category: request.category,
  country: request.price.country,
  partner: requestEvent.metadata.partner,
});
