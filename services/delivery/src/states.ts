import { streamOf } from "@heliograph/contracts";
import { boundedCache, evolveMessage, foldMessage, type MessageState } from "@heliograph/domain";
import {
  recordedOf,
  type Append,
  type EventLog,
  type Outcome,
  type RecordedEvent,
} from "@heliograph/log";

/**
 * Messages whose state is kept: at 1,000 messages a second the last ten to twenty seconds, within which receipts as a rule come. Without its content
 * a state is 7 KB at most, so 140 MB in all; an ordinary one is 1 KB.
 */
const rememberedMessages = 10_000;

/** The content may be hundreds of KB, and nobody here looks at it. */
const withoutContent = (state: MessageState): MessageState => {
  const { failover } = state;
  const request = emptied(state.request);
  return {
    ...state,
    request,
    ...(failover !== undefined && { failover: { ...failover, origin: emptied(failover.origin) } }),
  };
};
const emptied = (request: MessageState["request"]): MessageState["request"] => ({
  ...request,
  content: {},
  ...(request.failover !== undefined && {
    failover: request.failover.map((step) => ({ ...step, content: {} })),
  }),
});

export type States = {
  /** Takes in an event of a message stream from the feed. */
  see(event: RecordedEvent): void;
  get(messageId: string): MessageState | undefined;
  /** Reads these messages again, in one query. */
  load(messageIds: readonly string[]): Promise<void>;
  /** Takes in what was just appended, which the feed will repeat. */
  appended(append: Append, outcome: Outcome & { kind: "appended" | "duplicate" }): void;
};

/** Folded messages, fed by the subscription, so that a message that is still warm is never read back. */
export function openStates(log: EventLog): States {
  const states = boundedCache<string, MessageState>(rememberedMessages);
  return {
    see(event) {
      const id = messageOf(event);
      if (id === undefined) return;
      const before = states.get(id);
      // Without a state to build on, the message is read when it is needed.
      if (before === undefined && event.type !== "MessageRequested") return;
      const after = evolveMessage(before, event);
      if (after === undefined || after === before) return;
      states.set(id, before === undefined ? withoutContent(after) : after);
    },
    get: (messageId) => states.get(messageId),
    async load(messageIds) {
      const streams = await log.readStreams(messageIds.map((id) => streamOf("message", id)));
      for (const id of messageIds) {
        const state = foldMessage(streams.get(streamOf("message", id)) ?? []);
        if (state !== undefined) states.set(id, withoutContent(state));
      }
    },
    appended({ stream, events }, outcome) {
      for (const event of recordedOf(stream, events, outcome)) {
        const id = messageOf(event);
        if (id === undefined) continue;
        const state = evolveMessage(states.get(id), event);
        if (state !== undefined) states.set(id, state);
      }
    },
  };
}

/** Events of contacts and conversations name messages too, and are none of theirs. */
const messageOf = ({ data }: RecordedEvent): string | undefined =>
  "message_id" in data ? data.message_id : undefined;
