import { failpoint, streamOf, uuid5 } from "@heliograph/contracts";
import {
  type ThreadState,
  evolveThread,
  formatTime,
  holdersOf,
  newestOf,
  replyEvents,
  threadName,
  threadTypes,
} from "@heliograph/domain";
import {
  type Batch,
  LogUnavailable,
  type NewEvent,
  type RecordedEvent,
  ofType,
  recordedOf,
} from "@heliograph/log";
import {
  type PartnerClock,
  type ReactorInstance,
  type ReactorTools,
  reactor,
} from "@heliograph/runtime";
import { type Proposed, decideInbound, decideWake, service } from "./decide.ts";
import { openSnoozes } from "./snoozes.ts";
import { type Snooze, snoozePartnersDdl, snoozesDdl } from "./store.ts";
import { openThreads } from "./threads.ts";

const types = [...threadTypes, "InboundMatched", "MessageRequested"] as const;
type Matched = RecordedEvent<"InboundMatched">;
type Requested = RecordedEvent<"MessageRequested">;
type Cause = Matched | Requested;

/** A conflict means that an agent or routing wrote to the thread at the same moment; each writes a few events, so a handful of rounds is plenty. */
const maxRounds = 20;
/** So many causes of one thread are one append, at most: each makes four events or fewer, and an append takes 1,000. */
const maxTogether = 100;

/**
 * Puts what people sent into its thread, notes replies that their sender could not, and wakes what rests. Events of threads are read to keep the states warm.
 */
export const threadsReactor = reactor({
  kind: "reactor",
  name: "threads",
  schema: "threads",
  types,
  // Most messages are no replies, and this checkpoint is a durable commit.
  concerns: (event) =>
    event.type !== "MessageRequested" || event.data.conversation_id !== undefined,
  spaces: { snoozes: "partner" },
  migrations: [snoozesDdl, snoozePartnersDdl],
  start: (tools) => start(tools),
});

const isCause = ofType("InboundMatched", "MessageRequested");

async function start(tools: ReactorTools): Promise<ReactorInstance<(typeof types)[number]>> {
  const writer = openWriter(tools);
  const snoozes = await openSnoozes(tools, (snooze) => wake(writer, snooze, tools.context.clock));

  async function handle({ events, position }: Batch<(typeof types)[number]>): Promise<void> {
    const causes = new Map<string, Cause[]>();
    const snoozed: Snooze[] = [];
    for (const event of events) {
      if (!isCause(event)) {
        writer.threads.see(event);
        if (event.type === "ConversationSnoozed") snoozed.push(snoozeOf(event));
        continue;
      }
      const thread = await threadOf(tools, event);
      if (thread === undefined) continue;
      const waiting = causes.get(thread);
      if (waiting === undefined) causes.set(thread, [event]);
      else waiting.push(event);
    }
    await Promise.all(
      [...causes].map(async ([thread, waiting]) => {
        for (let at = 0; at < waiting.length; at += maxTogether)
          await writer.write(
            thread,
            waiting.slice(at, at + maxTogether),
            decideCause(tools, thread),
          );
      }),
    );
    await snoozes.commit(position, snoozed);
  }

  return { handle, stop: () => snoozes.close() };
}

const snoozeOf = ({
  id,
  stream,
  data,
  metadata,
}: RecordedEvent<"ConversationSnoozed">): Snooze => ({
  partner: metadata.partner,
  eventId: id,
  thread: stream.slice("thread-".length),
  conversationId: data.conversation_id,
  dueAt: Date.parse(data.until),
});

/** The thread of an inbound message, or of a reply; undefined for a message that is none. */
async function threadOf({ context }: ReactorTools, cause: Cause): Promise<string | undefined> {
  const { vault, log } = context;
  if (cause.type === "InboundMatched") {
    const { pool_id, to, channel, external_id: address } = cause.data;
    const inbox = pool_id ?? to;
    return threadName(vault, { partner: cause.metadata.partner ?? "", inbox, channel, address });
  }
  if (cause.data.conversation_id === undefined) return undefined;
  const place = streamOf("conversation", cause.data.conversation_id);
  const [placed] = await log.readStream(place, { limit: 1 });
  return placed?.data.thread;
}

type Decide = (state: ThreadState | undefined, cause: Cause) => Promise<readonly Event[]>;
type Event = Pick<NewEvent, "id" | "type" | "data">;

const withIds = (cause: { readonly id: string }, events: readonly Proposed[]): readonly Event[] =>
  events.map(({ type, data }) => ({ id: uuid5(cause.id, type), type, data }));

const decideCause =
  (tools: ReactorTools, name: string): Decide =>
  async (state, cause) => {
    if (cause.type === "MessageRequested")
      return state === undefined ? [] : replyEvents(state, cause.data);
    const samePerson = await isSamePerson(tools, state, cause);
    const events = decideInbound(state, cause.data, { name, samePerson });
    const begins = events.find(({ type }) => type === "ConversationOpened");
    if (begins !== undefined) await place(tools, name, begins.data.conversation_id, cause);
    return withIds(cause, events);
  };

/** The address may have come to another contact, or that contact to another one by a merge. */
async function isSamePerson(
  { context }: ReactorTools,
  state: ThreadState | undefined,
  { data }: Matched,
): Promise<boolean> {
  const newest = newestOf(state);
  if (newest === undefined || newest.contactId === data.contact_id) return true;
  const ids = [newest.contactId, data.contact_id];
  const holders = await holdersOf(context.log, ids);
  const [before, now] = ids.map((id) => holders.get(id)!.id);
  return before === now;
}

/** Before the conversation opens, so that its id leads to it from its first moment on. */
async function place(
  { context }: ReactorTools,
  thread: string,
  id: string,
  cause: Cause,
): Promise<void> {
  await failpoint("conversations.before_place");
  const event = {
    id: uuid5(id, "ConversationPlaced"),
    type: "ConversationPlaced",
    data: { conversation_id: id, thread },
    metadata: metadataOf(cause),
  };
  const [outcome] = await context.log.append([
    { stream: streamOf("conversation", id), expected: "no_stream", events: [event] },
  ]);
  if (outcome?.kind === "invalid") throw new Error(`${id}: ${outcome.message}`);
  await failpoint("conversations.after_place");
}

function metadataOf({ id, metadata, data }: Cause) {
  const { partner, request_id, traceparent, at } = metadata;
  return {
    partner: partner ?? "",
    actor: service.id,
    correlation: data.message_id,
    causation: id,
    ...(request_id !== undefined && { request_id }),
    ...(traceparent !== undefined && { traceparent }),
    ...(at !== undefined && { at }),
  };
}

/**
 * Each cause is decided on what those before it will have made of the thread. States of a thread share its entries, so that is tried on a copy of them: what is not appended after
 * all must not look as if it were there.
 */
async function decideAll(
  name: string,
  state: ThreadState | undefined,
  causes: readonly Cause[],
  decide: Decide,
): Promise<readonly NewEvent[]> {
  const stream = streamOf("thread", name);
  const all: NewEvent[] = [];
  let expectedState =
    state && causes.length > 1 ? { ...state, entries: new Map(state.entries) } : state;
  for (const cause of causes) {
    const metadata = metadataOf(cause);
    const events = (await decide(expectedState, cause)).map((event) => ({ ...event, metadata }));
    all.push(...events);
    if (causes.length === 1) break;
    const revision = (state?.revision ?? -1) + all.length;
    const position = (state?.position ?? 0n) + BigInt(all.length);
    const place = { kind: "appended", revision, position, recordedAt: cause.recordedAt } as const;
    for (const event of recordedOf(stream, events, place))
      expectedState = evolveThread(expectedState, event);
  }
  return all;
}

type Writer = ReturnType<typeof openWriter>;

/** Appends to threads at the revision that was decided on; what meets another writer is decided again. */
function openWriter({ context }: Pick<ReactorTools, "context">) {
  const { log } = context;
  const threads = openThreads(log);

  async function append(
    name: string,
    state: ThreadState | undefined,
    events: readonly NewEvent[],
  ): Promise<"appended" | "conflict"> {
    const { kind, message } = await tryAppend(name, state, events);
    if (kind === "invalid") throw new Error(`${streamOf("thread", name)}: ${message}`);
    return kind;
  }

  async function tryAppend(
    name: string,
    state: ThreadState | undefined,
    events: readonly NewEvent[],
  ): Promise<{ readonly kind: "appended" | "conflict" | "invalid"; readonly message?: string }> {
    const stream = streamOf("thread", name);
    await failpoint("conversations.before_append");
    const [outcome] = await log.append([
      { stream, expected: state?.revision ?? "no_stream", events },
    ]);
    await failpoint("conversations.after_append");
    switch (outcome!.kind) {
      case "invalid":
      case "conflict":
        threads.forget(name);
        return outcome!;
      case "duplicate":
        // Somebody decided the same before: what is stored counts, which is read when it is needed.
        threads.forget(name);
        return { kind: "appended" };
      case "appended": {
        let after = state;
        for (const event of recordedOf(stream, events, outcome!))
          after = evolveThread(after, event);
        threads.set(name, after);
        return { kind: "appended" };
      }
    }
  }

  return {
    threads,
    append,
    /** What becomes of several causes is one append; where that is too large for the log, each is its own. */
    async write(name: string, causes: readonly Cause[], decide: Decide): Promise<void> {
      for (let round = 0; round < maxRounds; round++) {
        const state = await threads.get(name);
        const events = await decideAll(name, state, causes, decide);
        if (events.length === 0) return;
        const { kind, message } = await tryAppend(name, state, events);
        if (kind === "appended") return;
        if (kind === "conflict") continue;
        if (causes.length === 1) throw new Error(`${streamOf("thread", name)}: ${message}`);
        for (const cause of causes) await this.write(name, [cause], decide);
        return;
      }
      throw new LogUnavailable(`the thread of ${causes[0]!.data.message_id} kept changing`);
    },
  };
}

/** Ends one snooze, if it is still the newest thing that was said about its conversation. */
async function wake(writer: Writer, snooze: Snooze, clock: PartnerClock): Promise<void> {
  const { partner, dueAt } = snooze;
  const atMs = clock.instant(partner, dueAt) ?? clock.now(partner);
  for (let round = 0; round < maxRounds; round++) {
    const state = await writer.threads.get(snooze.thread);
    const conversation = state?.conversations.get(snooze.conversationId);
    const events = decideWake(conversation, snooze.eventId, formatTime(atMs));
    if (events.length === 0) return;
    const metadata = {
      partner: state?.partner ?? "",
      actor: service.id,
      correlation: snooze.conversationId,
      causation: snooze.eventId,
      ...clock.stamp(partner, atMs),
    };
    const made = withIds({ id: snooze.eventId }, events).map((event) => ({ ...event, metadata }));
    if ((await writer.append(snooze.thread, state, made)) === "appended") return;
  }
  throw new LogUnavailable(`the thread of ${snooze.conversationId} kept changing`);
}
