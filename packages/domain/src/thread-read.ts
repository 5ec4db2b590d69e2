import { type TypedEvent, isId, streamOf } from "@heliograph/contracts";
import { type BoundedCache, boundedCache } from "./bounded-cache.ts";
import { type ContactLog, type Holder, holdersOf } from "./contact-holder.ts";
import {
  type ThreadConversation,
  type ThreadEvent,
  type ThreadState,
  evolveThread,
} from "./thread.ts";

type ThreadLog = {
  scanStream(stream: string, options: { readonly from: number }): AsyncIterable<ThreadEvent>;
};

/** Shorter ones are read faster than they are worth remembering. */
const longThread = 200;
/** Bytes for each environment. */
const remembered = 32_000_000;
/** The fewest bytes that a state takes, and those of each event at most. */
const weightOf = ({ revision }: ThreadState): number => 2_000 + 100 * revision;

/** By the vault of an environment, which names its threads: each call reads through a log of its own. */
const warm = new WeakMap<object, BoundedCache<string, ThreadState>>();

function statesOf(vault: object): BoundedCache<string, ThreadState> {
  let states = warm.get(vault);
  if (states === undefined) {
    states = boundedCache(remembered, weightOf);
    warm.set(vault, states);
  }
  return states;
}

/** A thread as the log has it now. What was folded of a long one is not folded again: only what came since is read. */
export async function readThreadNow(
  { log, vault }: { readonly log: ThreadLog; readonly vault: object },
  name: string,
): Promise<ThreadState | undefined> {
  const states = statesOf(vault);
  let state = states.get(name);
  const from = state === undefined ? 0 : state.revision + 1;
  for await (const event of log.scanStream(streamOf("thread", name), { from }))
    state = evolveThread(state, event);
  if (state !== undefined && state.revision >= longThread) states.set(name, state);
  return state;
}

type PlacedEvent = TypedEvent & { readonly metadata: { readonly partner?: string } };
type ConversationLog = ThreadLog &
  ContactLog & {
    readStream(
      stream: string,
      options: { readonly limit: number },
    ): Promise<readonly PlacedEvent[]>;
  };

export type FoundConversation = {
  readonly thread: ThreadState;
  readonly conversation: ThreadConversation;
  /** Whose it is now. */
  readonly holder: Holder;
};

/** A partner's conversation, folded from the log itself, so it is always fresh; undefined also for another partner's. */
export async function readConversation(
  { log, vault }: { readonly log: ConversationLog; readonly vault: object },
  partner: string,
  id: string,
): Promise<FoundConversation | undefined> {
  const [placed] = isId("cnv", id)
    ? await log.readStream(streamOf("conversation", id), { limit: 1 })
    : [];
  if (placed?.type !== "ConversationPlaced" || placed.metadata.partner !== partner)
    return undefined;
  const thread = await readThreadNow({ log, vault }, placed.data.thread);
  const conversation = thread?.conversations.get(id);
  if (thread === undefined || conversation === undefined) return undefined;
  const { contactId } = conversation;
  const holder = (await holdersOf(log, [contactId])).get(contactId)!;
  return { thread, conversation, holder };
}
