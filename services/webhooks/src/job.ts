import { deterministicId, type Environment } from "@heliograph/contracts";
import {
  lifecycleBody,
  lifecycleTypes,
  sampleLifecycle,
  toLifecycle,
  type Endpoint,
  type LifecycleEvent,
  type LifecycleType,
} from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import type { Notice } from "./tables/notices.ts";
import type { DeliveryAttempt, DeliveryStatus } from "./tables/webhooks.ts";

/** One event on its way to one endpoint. */
export type Job = {
  readonly id: string;
  readonly endpointId: string;
  readonly partner: string;
  /** `evt_…`: the `webhook-id`, the same over retries, restarts and replays. */
  readonly eventId: string;
  readonly type: string;
  readonly position: bigint;
  readonly sequence: number;
  readonly body: string;
  readonly createdAt: number;
  /** Every attempt so far, oldest first. */
  attempts: readonly DeliveryAttempt[];
  /** The batch whose checkpoint waits for this job; none once it is on record. */
  slot: Slot | undefined;
  /** Whether the table has a row for it, which the look for due rows then has to pass over. */
  stored: boolean;
  /** Attempts of the current schedule, which a retry by hand starts anew. */
  tries: number;
  /** Asked for by hand, alone: it is tried at once, whatever its endpoint waits for. */
  readonly urgent: boolean;
  /** The replay that asked for it, which the request is marked with. */
  readonly replay: string | undefined;
};

/** A batch of the log, until each of its deliveries is on record. */
export type Slot = {
  readonly position: bigint;
  readonly openedAt: number;
  readonly unresolved: Set<Job>;
  readonly endpoints: Map<string, { readonly endpoint: Endpoint; readonly position: bigint }>;
  readonly counters: Map<string, number>;
  /** Endpoints that were disabled or deleted, and where in the log. */
  readonly closed: Map<string, bigint>;
  /** What owners are told by mail. */
  readonly notices: Notice[];
  /** Endpoints that got another URL, and where in the log. */
  readonly moved: Map<string, bigint>;
};

/** What is written of a job. */
export type Row = {
  readonly job: Job;
  readonly status: DeliveryStatus;
  readonly attempts: readonly DeliveryAttempt[];
  /** Epoch ms; only of a pending one. */
  readonly nextAttemptAt: number | undefined;
};

/** More attempts than the schedule has come from retries by hand; the oldest of them go. */
export const maxAttemptsKept = 30;

/** The delivery of an event to an endpoint. Its id follows from both, so the same event never makes two. */
export function newJob(
  event: LifecycleEvent,
  position: bigint,
  sequence: number,
  body: string,
  endpointId: string,
  now: number,
  id = deterministicId("whd", event.id, endpointId),
): Job {
  return {
    id,
    endpointId,
    partner: event.partner,
    eventId: event.id,
    type: event.type,
    position,
    sequence,
    body,
    createdAt: now,
    attempts: [],
    slot: undefined,
    stored: false,
    tries: 0,
    urgent: false,
    replay: undefined,
  };
}

const isLifecycleType = (type: string): type is LifecycleType =>
  Object.hasOwn(lifecycleTypes, type);

/** The public event that a recorded one stands for, also for a test that was asked for. */
export function publicEvent(
  event: RecordedEvent,
  environment: Environment,
): LifecycleEvent | undefined {
  if (event.type !== "WebhookTestRequested") return toLifecycle(event, environment);
  const { type: wanted } = event.data;
  const type = isLifecycleType(wanted) ? wanted : "message.sent";
  const { id, metadata, recordedAt } = event;
  return sampleLifecycle(type, { id, partner: metadata.partner!, recordedAt }, environment);
}

/** The body of a delivery, built again from its event: byte for byte the one that was sent first. */
export function bodyOf(
  event: RecordedEvent,
  sequence: number,
  environment: Environment,
): string | undefined {
  const lifecycle = publicEvent(event, environment);
  return lifecycle && lifecycleBody(lifecycle, sequence);
}
