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

/**
 * One event on its way to one endpoint.
 *
 * Where a delivery can be:
 *
 *     new ──▶ waiting in its lane ──▶ in the air ──▶ delivered                    2xx
 *      │        │        ▲              │  │
 *      │        │        │ due          │  ├───────▶ failed                       the tenth attempt failed
 *      ▼        ▼        │              │  └───────▶ discarded, endpoint disabled 410
 *     pending, a row of the table ◀─────┘                                         any other failure, with the time of its next attempt
 *
 * It is pending without an attempt when memory has no room, when its endpoint waits for longer than a second (it cools, or asked for time) or is
 * being probed, and when a second has passed without a result: the last kind has a row and stays in memory, and is sent from there. Any
 * state but delivered becomes discarded when the endpoint is disabled or deleted, and what comes while it is disabled is so from the beginning. A retry by hand takes a delivery of any state back to its lane with a new
 * schedule, before all others and past a pause; a replay does so too, but takes its turn. Another URL ends the pause and makes all that is pending due.
 */
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
  /** What its event is about, for an endpoint that keeps the order of each subject. */
  readonly subject: string | undefined;
  /** Waits for the delivery before it of the same subject. */
  held: boolean;
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
  /** What it was when that replay asked for it. */
  readonly before: DeliveryStatus | undefined;
  /** That replay was canceled while an attempt was in the air, which is the last: it is pending no more. */
  canceled: boolean;
  /** Of its event: the receiver is told to what trace it belongs. */
  traceparent: string | undefined;
  /** The request that it goes with, where it goes with others. */
  batch: Batch | undefined;
};

/** Deliveries that are one request, oldest event first; `id` is its `webhook-id`. In queues and in the air the first stands for all. */
export type Batch = { readonly id: string; readonly jobs: readonly Job[] };

/** What is to become a batch; `closesAt` by `performance.now()`. */
export type Gathering = { readonly jobs: Job[]; bytes: number; readonly closesAt: number };

/** All that go in the request of a delivery. */
export const together = (job: Job): readonly Job[] => job.batch?.jobs ?? [job];

/** What a delivery is when the replay that asked for it is canceled; of one that a release before this asked for nobody knows what it was. */
export const statusWithout = ({ before = "failed" }: Pick<Job, "before">): DeliveryStatus => before;

/** A batch of the log, until each of its deliveries is on record. */
export type Slot = {
  readonly position: bigint;
  readonly openedAt: number;
  readonly unresolved: Set<Job>;
  readonly endpoints: Map<string, { readonly endpoint: Endpoint; readonly position: bigint }>;
  readonly counters: Map<string, number>;
  /** Endpoints that were disabled or deleted, and where in the log. */
  readonly closed: Map<string, bigint>;
  /** Endpoints that keep the order of subjects no more, and where in the log. */
  readonly loosened: Map<string, bigint>;
  /** What owners are told by mail. */
  readonly notices: Notice[];
  /** Endpoints that got another URL, and where in the log. */
  readonly moved: Map<string, bigint>;
  /** Replays that were canceled: their endpoints. */
  readonly canceled: Map<string, string>;
};

/** What is written of a job. */
export type Row = {
  readonly job: Job;
  readonly status: DeliveryStatus;
  readonly attempts: readonly DeliveryAttempt[];
  /** Epoch ms; only of a pending one, and of none that is held. */
  readonly nextAttemptAt: number | undefined;
  /** Of a pending one: what it goes with, so far as that was known when it was put on record. */
  readonly batch: Batch | undefined;
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
    subject: undefined,
    held: false,
    createdAt: now,
    attempts: [],
    slot: undefined,
    stored: false,
    tries: 0,
    urgent: false,
    replay: undefined,
    before: undefined,
    canceled: false,
    batch: undefined,
    traceparent: undefined,
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
