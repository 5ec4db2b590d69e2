import { streamOf } from "@heliograph/contracts";
import {
  boundedCache,
  joinStatus,
  statuses,
  statusOf,
  type MessageStatus,
} from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import {
  projector,
  type Projector,
  type ServiceContext,
  type WritePart,
} from "@heliograph/runtime";
import { countMessages } from "./metrics.ts";
import { placeOfRecipient } from "@heliograph/acceptance";
import { messagesDdl, rareStatuses } from "./tables/messages.ts";
import {
  insertRows,
  noteRare,
  raiseStatuses,
  setStatuses,
  type NewRow,
  type RowKey,
} from "./store.ts";

/** Small batches wait this long for company: at most ten commits a second, and a list is that much behind unless its reader waits for it. */
const lingerMs = 100;
/** Who is far behind commits so many at once: by 500 an event costs a fifth more. */
const maxEvents = 2_000;
/** A message is remembered while its statuses come in, seconds as a rule; 150 bytes each. More would be memory that grows with each broadcast. */
const rememberedMessages = 10_000;

const statusTypes = Object.keys(statusOf) as (keyof typeof statusOf)[];

function newRow(event: RecordedEvent<"MessageRequested">): NewRow {
  const { data } = event;
  return {
    position: event.position,
    createdAtMs: Date.parse(data.created_at),
    partner: event.metadata.partner ?? "",
    id: data.message_id,
    channel: data.channel,
    to: placeOfRecipient(data.to),
    reply: data.conversation_id !== undefined,
    tags: data.tags,
    clientRef: data.client_ref,
    metadata: data.metadata,
    status: data.send_at === undefined ? "queued" : "scheduled",
  };
}

type Counts = ReturnType<typeof countMessages>;
type StatusEvent = RecordedEvent<
  "MessageRequested" | "MessageCorrected" | (typeof statusTypes)[number]
>;

/** What a batch makes of messages: new rows, statuses that are raised, and those that a correction has set, with what came after it. */
function statusesIn(events: readonly StatusEvent[], count: Counts["add"]) {
  const added = new Map<string, NewRow>();
  const raised = new Map<string, MessageStatus>();
  const set = new Map<string, MessageStatus>();
  const rare: { readonly id: string; readonly status: MessageStatus }[] = [];
  // Of each event by itself, so that it is the same whatever comes together in a batch.
  const note = (id: string, status: MessageStatus): void => {
    if (rareStatuses.has(status)) rare.push({ id, status });
  };
  for (const event of events) {
    const id = event.data.message_id;
    const row = added.get(id);
    if (event.type === "MessageRequested") {
      count(event.data.channel, "accepted");
      added.set(id, newRow(event));
      continue;
    }
    if (event.type === "MessageCorrected") {
      const { status, message } = event.data;
      if (!statuses.includes(status)) throw new Error("a correction to no status");
      count(message.channel, "corrected");
      note(id, status);
      raised.delete(id);
      if (row === undefined) set.set(id, status);
      else row.status = status;
      continue;
    }
    const status = statusOf[event.type];
    if (status !== "queued") count(event.data.message.channel, status);
    note(id, status);
    const exactly = set.get(id);
    if (row !== undefined) row.status = joinStatus(row.status, status);
    else if (exactly !== undefined) set.set(id, joinStatus(exactly, status));
    else raised.set(id, joinStatus(raised.get(id) ?? status, status));
  }
  return { added, raised, set, rare };
}

function placesByStatus(
  statuses: ReadonlyMap<string, MessageStatus>,
  placeOf: (id: string) => RowKey | undefined,
): ReadonlyMap<MessageStatus, readonly RowKey[]> {
  const placed = [...statuses].flatMap(([id, status]) => {
    const place = placeOf(id);
    return place === undefined ? [] : [{ status, place }];
  });
  const groups = Map.groupBy(placed, ({ status }) => status);
  return new Map([...groups].map(([status, of]) => [status, of.map(({ place }) => place)]));
}

/** Keeps the index of messages that lists are made from. The log is asked only for the place of messages that are no longer remembered. */
export const messagesProjector = ({
  log,
  environment,
}: Pick<ServiceContext, "log" | "environment">): Projector =>
  projector({
    kind: "projector",
    name: "messages",
    schema: "messages",
    types: ["MessageRequested", "MessageCorrected", ...statusTypes],
    spaces: { messages: "partner", rare: "partner" },
    ddl: messagesDdl,
    version: 4,
    lingerMs,
    maxEvents,
    create() {
      const places = boundedCache<string, RowKey>(rememberedMessages);
      const counts = countMessages(environment);

      async function locate(ids: readonly string[]): Promise<void> {
        const streams = await log.readStreams(
          ids.map((id) => streamOf("message", id)),
          { limit: 1 },
        );
        for (const id of ids) {
          const first = streams.get(streamOf("message", id))?.[0];
          if (first?.type !== "MessageRequested") continue;
          places.set(id, { partner: first.metadata.partner ?? "", position: first.position });
        }
      }

      return {
        async project(events): Promise<readonly WritePart[]> {
          const { added, raised, set, rare } = statusesIn(events, counts.add);
          for (const [id, { partner, position }] of added) places.set(id, { partner, position });
          const unknown = [
            ...new Set([...raised.keys(), ...set.keys(), ...rare.map(({ id }) => id)]),
          ].filter((id) => places.get(id) === undefined);
          if (unknown.length > 0) await locate(unknown);
          const placed = (of: ReadonlyMap<string, MessageStatus>) =>
            placesByStatus(of, (id) => places.get(id));
          const seldom = rare.flatMap(({ id, status }) => {
            const place = places.get(id);
            return place === undefined ? [] : [{ ...place, status }];
          });
          const parts = [
            ...raiseStatuses(placed(raised)),
            ...setStatuses(placed(set)),
            ...noteRare(seldom),
          ];
          if (added.size > 0) parts.unshift(insertRows([...added.values()]));
          return parts;
        },
        committed: counts.committed,
      };
    },
  });
