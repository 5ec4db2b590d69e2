import { type ThreadState, boundedCache, evolveThread, threadTypes } from "@heliograph/domain";
import type { RecordedEvent } from "@heliograph/log";
import {
  type Projector,
  type ServiceContext,
  type WritePart,
  projector,
} from "@heliograph/runtime";
import { type MessageRow, type Row, insertMessages, upsertConversations } from "./store.ts";
import { entryOf } from "./entries.ts";
import { conversationsDdl } from "./tables/conversations.ts";
import { readThread } from "./threads.ts";

/** A state is 2 KB and 100 bytes for each of its messages. */
const rememberedThreads = 5_000;
/** Small batches wait this long for company; a list is that much behind. */
const lingerMs = 20;

type ThreadEvent = RecordedEvent<(typeof threadTypes)[number]>;

/** Lists of conversations and of what was said with a contact. One conversation is read from its thread. */
export const conversationsProjector = ({ log }: Pick<ServiceContext, "log">): Projector =>
  projector({
    kind: "projector",
    name: "conversations",
    schema: "conversations",
    types: threadTypes,
    spaces: { conversations: "partner", messages: "partner" },
    ddl: conversationsDdl,
    lingerMs,
    create() {
      const threads = boundedCache<string, ThreadState>(rememberedThreads);

      /** The thread as it was right before the event. */
      async function before(name: string, event: ThreadEvent): Promise<ThreadState | undefined> {
        if (event.revision === 0) return undefined;
        const known = threads.get(name);
        return known?.revision === event.revision - 1
          ? known
          : readThread(log, name, event.position);
      }

      return {
        async project(events): Promise<readonly WritePart[]> {
          const rows = new Map<string, Row>();
          const messages: MessageRow[] = [];
          for (const event of events) {
            const name = event.stream.slice("thread-".length);
            const thread = evolveThread(await before(name, event), event);
            if (thread === undefined) continue;
            threads.set(name, thread);
            const id = event.data.conversation_id;
            const conversation = thread.conversations.get(id);
            if (conversation === undefined) continue;
            rows.set(id, { thread, conversation });
            const message = messageOf(event, thread);
            if (message !== undefined) messages.push(message);
          }
          return [...upsertConversations([...rows.values()]), ...insertMessages(messages)];
        },
      };
    },
  });

function messageOf(event: ThreadEvent, thread: ThreadState): MessageRow | undefined {
  const entry = entryOf(event, thread.channel);
  if (entry === undefined || entry.direction === "note") return undefined;
  return {
    partner: thread.partner,
    contact: event.data.contact_id,
    position: event.position,
    id: entry.id,
    body: entry,
  };
}
