import { streamOf } from "@heliograph/contracts";
import {
  boundedCache,
  foldMessage,
  joinStatus,
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
import { messagesDdl } from "./tables/messages.ts";
import { insertRows, raiseStatuses, type NewRow, type RowKey } from "./store.ts";

/** Small batches wait this long for company: at most ten commits a second, and a list is that much behind unless its reader waits for it. */
const lingerMs = 100;
/** A message is remembered while its statuses come in, seconds as a rule; 100 bytes each. */
const rememberedMessages = 50_000;

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
    status: foldMessage([event])!.status,
  };
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
    types: ["MessageRequested", ...statusTypes],
    spaces: { messages: "partner" },
    ddl: messagesDdl,
    version: 3,
    lingerMs,
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
          const added = new Map<string, NewRow>();
          const raised = new Map<string, MessageStatus>();
          for (const event of events) {
            const id = event.data.message_id;
            if (event.type === "MessageRequested") {
              counts.add(event.data.channel, "accepted");
              const row = newRow(event);
              added.set(id, row);
              places.set(id, { partner: row.partner, position: row.position });
              continue;
            }
            const status = statusOf[event.type];
            if (status !== "queued") counts.add(event.data.message.channel, status);
            const row = added.get(id);
            if (row !== undefined) row.status = joinStatus(row.status, status);
            else raised.set(id, joinStatus(raised.get(id) ?? status, status));
          }
          const unknown = [...raised.keys()].filter((id) => places.get(id) === undefined);
          if (unknown.length > 0) await locate(unknown);
          const byStatus = new Map<MessageStatus, RowKey[]>();
          for (const [id, status] of raised) {
            const place = places.get(id);
            if (place === undefined) continue;
            const keys = byStatus.get(status);
            if (keys === undefined) byStatus.set(status, [place]);
            else keys.push(place);
          }
          const parts = raiseStatuses(byStatus);
          if (added.size > 0) parts.unshift(insertRows([...added.values()]));
          return parts;
        },
        committed: counts.committed,
      };
    },
  });
