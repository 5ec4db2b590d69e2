import { uuid5, streamOf } from "@heliograph/contracts";
import { formatTime } from "@heliograph/domain";
import { change, ofType, type RecordedEvent } from "@heliograph/log";
import { type Reactor, type ReactorTools, type WritePart, reactor } from "@heliograph/runtime";
import {
  broadcastsDdl,
  broadcastsSchema,
  insertBroadcast,
  spacesOfBroadcasts,
  startedPart,
  statusPart,
} from "../tables/broadcasts.ts";
import {
  type Outcome,
  isFollowed,
  outcomeParts,
  recipientsOf,
  retryParts,
} from "../tables/fan-out.ts";
import {
  type Broadcast,
  broadcastTypes,
  decideCommand,
  evolveBroadcast,
  isBroadcastEvent,
} from "./decide.ts";
import { FanOut } from "./fan-out.ts";
import { messageIdOf } from "./sends.ts";

/** What was uncertain and is reported as delivered, or read, was never told to be sent. */
const sentTypes = ["MessageSent", "MessageDelivered", "MessageRead"] as const;
const isSent = ofType(...sentTypes);
const outcomeTypes = [
  ...sentTypes,
  "MessageFailed",
  "MessageRejected",
  "MessageExpired",
  "MessageCanceled",
  "MessageBounced",
  "MessageCorrected",
] as const;
const types = [...broadcastTypes, ...outcomeTypes] as const;
type Type = (typeof types)[number];
type Ended = RecordedEvent<(typeof outcomeTypes)[number]>;
const isLife = ofType(...broadcastTypes);

/** A position is written so seldom where nothing else is: messages of no broadcast are merely passed over again. */
const commitEveryMs = 2_000;

/**
 * Keeps the table of broadcasts, and sends them. It is given what became of messages only while there are broadcasts whose messages may be under way, so an installation without any
 * pays nothing for them.
 */
export function broadcastsReactor(): Reactor<Type> {
  let followed = true;
  return reactor({
    kind: "reactor",
    name: "broadcasts",
    schema: broadcastsSchema,
    types,
    concerns: (event) => followed || isLife(event),
    patient: (event) => !isLife(event),
    spaces: spacesOfBroadcasts,
    migrations: [broadcastsDdl],
    async start(tools) {
      const fanOut = new FanOut(tools);
      followed = await isFollowed(tools.context.pool);
      fanOut.start();
      let committedAt = 0;
      async function note(ended: readonly Ended[], position: bigint): Promise<void> {
        const parts = await partsOf(tools, ended);
        const now = performance.now();
        if (parts.length === 0 && ended.length > 0 && now - committedAt < commitEveryMs)
          return tools.checkpoint.dealt(position);
        committedAt = now;
        await tools.checkpoint.commit(position, parts);
      }
      return {
        async handle({ events, position }) {
          let ended: Ended[] = [];
          for (const event of events) {
            if (!isBroadcastEvent(event)) {
              ended.push(event as Ended);
              continue;
            }
            if (event.type === "BroadcastStarted") followed = true;
            // Both may change the broadcast's row.
            if (ended.length > 0) await note(ended, tools.checkpoint.position);
            ended = [];
            await tools.checkpoint.commit(event.position, [partOf(event)]);
          }
          await note(ended, position);
          if (events.length > 0) fanOut.wake();
        },
        stop: (deadlineMs) => fanOut.stop(deadlineMs),
      };
    },
  });
}

function partOf(event: RecordedEvent<(typeof broadcastTypes)[number]>): WritePart {
  const { type, data, metadata, position } = event;
  switch (type) {
    case "BroadcastCreated":
      return insertBroadcast(data, metadata.partner ?? "", position);
    case "BroadcastStarted":
      return startedPart(data.broadcast_id, data.started_at, position);
    case "BroadcastPaused":
      return statusPart(data.broadcast_id, "paused", { pause: data });
    case "BroadcastResumed":
      return statusPart(data.broadcast_id, "running");
    case "BroadcastCanceled":
      return statusPart(data.broadcast_id, "canceled", { endedAt: data.canceled_at });
    case "BroadcastCompleted":
      return statusPart(data.broadcast_id, "done", { endedAt: data.completed_at });
    default:
      return type satisfies never;
  }
}

/** The wallet has the last word: what was accepted beside another send may not be covered. Then it is as if it had not been asked for yet. */
const noMoney: ReadonlySet<string> = new Set(["insufficient_funds", "spend_limit_reached"]);
const isUnpaid = (event: Ended): event is RecordedEvent<"MessageRejected"> =>
  event.type === "MessageRejected" && noMoney.has(event.data.error.code);

/** What became of a message by one more event of it, in their order: what failed was sent no more, until a correction says so. */
export function outcomeAfter(before: Outcome | undefined, event: Ended): Outcome {
  const { message_id } = event.data;
  const corrects = before?.corrects ?? false;
  if (isSent(event)) return before ?? { message_id, outcome: "sent", corrects };
  if (event.type !== "MessageCorrected") return { message_id, outcome: "failed", corrects };
  const { status } = event.data;
  const isFailed = status === "failed" || status === "bounced";
  return { message_id, outcome: isFailed ? "failed" : "sent", corrects: true };
}

/** What is to be written of messages that were sent or ended; nothing for those of no broadcast. */
async function partsOf(
  tools: ReactorTools,
  ended: readonly Ended[],
): Promise<readonly WritePart[]> {
  if (ended.length === 0) return [];
  const { context } = tools;
  const found = await recipientsOf(context.pool, [
    ...new Set(ended.map(({ data }) => data.message_id)),
  ]);
  if (found.length === 0) return [];
  const own = new Map(found.map((each) => [each.message_id, each]));
  const outcomes = new Map<string, Outcome>();
  const unpaid = new Map<string, RecordedEvent<"MessageRejected">>();
  for (const event of ended) {
    const { message_id: id } = event.data;
    if (!own.has(id)) continue;
    if (isUnpaid(event)) unpaid.set(id, event);
    else outcomes.set(id, outcomeAfter(outcomes.get(id), event));
  }
  const retried = [...unpaid].map(([id, { metadata }]) => {
    const row = own.get(id)!;
    const partner = metadata.partner ?? "";
    const again = { contact_id: row.contact_id, attempt: row.attempt + 1 };
    return { ...row, next: messageIdOf(context.environment, partner, row.broadcast_id, again) };
  });
  for (const [id, event] of unpaid) await pauseFor(tools, own.get(id)!.broadcast_id, event);
  const parts: WritePart[] = [];
  if (outcomes.size > 0) parts.push(...outcomeParts([...outcomes.values()]));
  if (parts.length > 0 && retried.length > 0) {
    // Both may change the broadcast's row.
    await tools.checkpoint.commit(tools.checkpoint.position, parts);
    parts.length = 0;
  }
  if (retried.length > 0) parts.push(...retryParts(retried));
  return parts;
}

async function pauseFor(
  { context }: ReactorTools,
  broadcast: string,
  { id, data, metadata }: RecordedEvent<"MessageRejected">,
): Promise<void> {
  const partner = metadata.partner ?? "";
  const at = formatTime(context.clock.now(partner));
  const { code } = data.error;
  const reason = `The wallet did not cover ${data.message_id}.`;
  await change<Broadcast, Error>(context.log.forPartner(partner), {
    stream: streamOf("broadcast", broadcast),
    evolve: evolveBroadcast,
    eventId: uuid5(id, "BroadcastPaused"),
    decide: (state) => decideCommand(state, partner, { name: "pause", code, reason }, at),
    metadata: {
      partner,
      actor: "service:ingress",
      correlation: broadcast,
      causation: id,
      ...context.clock.stamp(partner),
    },
  });
}
