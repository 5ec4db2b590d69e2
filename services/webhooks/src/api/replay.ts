import { PublicError, isId, streamOf, uuid5 } from "@heliograph/contracts";
import { ofType, type EventLog, type RecordedEvent } from "@heliograph/log";
import {
  type ReplayFilter,
  type ReplayProgress,
  matchDeliveries,
  readReplayProgress,
} from "../tables/replays.ts";
import { appendOne, tooManyChanges, type Call, requireSameRequest } from "@heliograph/api";

/** More than this in one go would hold the process that records it; the answer says where the next one begins. */
const maxDeliveries = 10_000;
/** What one append takes. */
const chunkSize = 1_000;

const replayEvents = [
  "WebhookReplayRequested",
  "WebhookRetryRequested",
  "WebhookReplayCanceled",
] as const;
type ReplayEvent = RecordedEvent<(typeof replayEvents)[number]>;

/** A replay is a stream of its own with one retry for each delivery behind the request: whoever asks for progress reads there what it consists of. */
const readReplay = async (log: EventLog, id: string): Promise<readonly ReplayEvent[]> =>
  (await log.readStream(streamOf("endpoint", id))).filter(ofType(...replayEvents));
/** Replays from before the request was an event of its own have retries alone. */
const deliveriesOf = (events: readonly ReplayEvent[]): readonly string[] =>
  events.filter(ofType("WebhookRetryRequested")).map(({ data }) => data.delivery_id);

const isCanceled = (events: readonly ReplayEvent[]): boolean =>
  events.some(ofType("WebhookReplayCanceled"));

export type Replay = {
  readonly id: string;
  readonly matched: number;
  /** False when more deliveries match than one replay takes: continue behind `last_sequence`. */
  readonly complete: boolean;
  readonly last_sequence: number | null;
};

/** Asks for another attempt of every delivery that matches. A retry with the same idempotency key adds only what a crash left out. */
export async function startReplay(
  call: Call,
  filter: Omit<ReplayFilter, "limit">,
): Promise<{ readonly replay: Replay; readonly position: bigint | undefined }> {
  const id = call.derivedId("rpl");
  const { log, projectionPool } = call.deps;
  const before = await readReplay(log, id);
  if (before[0] !== undefined) requireSameRequest(before[0], call.fingerprint);
  const known = new Set(deliveriesOf(before));
  const found = await matchDeliveries(projectionPool, { ...filter, limit: maxDeliveries + 1 });
  const taken = found.slice(0, maxDeliveries);
  const rest = isCanceled(before) ? [] : taken.filter((delivery) => !known.has(delivery.id));
  const offered = [
    ...(before.length > 0
      ? []
      : [
          {
            id: uuid5("replay", id),
            type: "WebhookReplayRequested",
            data: { endpoint_id: filter.endpointId, replay_id: id },
          },
        ]),
    ...rest.map((delivery) => ({
      id: uuid5("replay", id, delivery.id),
      type: "WebhookRetryRequested",
      data: { endpoint_id: filter.endpointId, delivery_id: delivery.id },
    })),
  ];
  let position = before.at(-1)?.position;
  for (let from = 0; from < offered.length; from += chunkSize) {
    const revision = before.length + from - 1;
    const stored = await appendOne(log, {
      stream: streamOf("endpoint", id),
      expected: revision < 0 ? "no_stream" : revision,
      events: offered
        .slice(from, from + chunkSize)
        .map((event) => ({ ...event, metadata: call.metadata({ correlation: id }) })),
    });
    if (stored === undefined) throw tooManyChanges();
    position = stored.position;
  }
  const replay = {
    id,
    matched: known.size + rest.length,
    complete: found.length <= maxDeliveries,
    last_sequence: taken.at(-1)?.sequence ?? null,
  };
  return { replay, position };
}

/** Throws `not_found` for a replay of another endpoint or partner. */
async function findReplay(
  call: Call,
  endpointId: string,
  id: string,
): Promise<readonly ReplayEvent[]> {
  const events = isId("rpl", id) ? await readReplay(call.deps.log, id) : [];
  const [first] = events;
  if (first?.metadata.partner !== call.partner.partner_id || first.data.endpoint_id !== endpointId)
    throw new PublicError("not_found", "There is no such replay.");
  return events;
}

/** Throws as `findReplay` does. */
export async function replayProgress(
  call: Call,
  endpointId: string,
  id: string,
): Promise<
  ReplayProgress & {
    readonly matched: number;
    readonly created_at: string;
    readonly canceled: boolean;
  }
> {
  const events = await findReplay(call, endpointId, id);
  const created_at = new Date(events[0]!.recordedAt).toISOString();
  const ids = deliveriesOf(events);
  const progress = await readReplayProgress(call.deps.projectionPool, ids, created_at);
  return { matched: ids.length, ...progress, created_at, canceled: isCanceled(events) };
}

/** What of a replay was not sent yet is not sent, once however often it is asked for. Throws as `findReplay` does. */
export async function cancelReplay(
  call: Call,
  endpointId: string,
  id: string,
): Promise<bigint | undefined> {
  const events = await findReplay(call, endpointId, id);
  if (isCanceled(events)) return events.at(-1)!.position;
  const stored = await appendOne(call.deps.log, {
    stream: streamOf("endpoint", id),
    expected: "any",
    events: [
      {
        id: uuid5("replay canceled", id),
        type: "WebhookReplayCanceled",
        data: { endpoint_id: endpointId, replay_id: id },
        metadata: call.metadata({ correlation: id }),
      },
    ],
  });
  return stored?.position;
}
