import {
  type Answer,
  type Call,
  changeOnce,
  notValid,
  requireMatch,
  timeOf,
} from "@heliograph/api";
import { PublicError, streamOf } from "@heliograph/contracts";
import {
  type FoundConversation,
  type ThreadConversation,
  type ThreadState,
  evolveThread,
} from "@heliograph/domain";
import {
  type By,
  type Decided,
  decideClose,
  decideNote,
  decideRead,
  decideReopen,
  decideSnooze,
} from "../decide.ts";
import { entryOf } from "../entries.ts";
import { shownOf } from "../view.ts";
import { conversationTag, findConversation } from "./find.ts";
import type { NoteBody, ReadBody, SnoozeBody } from "./schema.ts";
import { showConversations, showMessages } from "./show.ts";

/** A conversation that rests for longer is forgotten by everybody. */
const longestSnoozeMs = 366 * 24 * 3_600_000;

/** Who makes the call, as events of threads name him. */
export const byOf = ({ agent, key }: Call<unknown, unknown>): By =>
  agent === undefined
    ? { id: key.key_id, name: key.name }
    : { id: agent.agent_id, name: agent.name };

type Decide = (thread: ThreadState, conversation: ThreadConversation) => Decided;

/** Changes a conversation once for the request, where its thread is appended to. Throws what it is refused with. */
export async function changeConversation(
  call: Call<unknown, unknown>,
  { thread, conversation: { id }, holder }: FoundConversation,
  name: string,
  decide: Decide,
) {
  const changed = await changeOnce<ThreadState>(call, {
    name: `${name} ${id}`,
    correlation: id,
    stream: streamOf("thread", thread.name),
    evolve: evolveThread,
    decide: (state) => {
      const conversation = state!.conversations.get(id)!;
      requireMatch(call, conversationTag(call, conversation, holder));
      return decide(state!, conversation);
    },
  });
  const state = changed.state!;
  return { changed, state, conversation: state.conversations.get(id)! };
}

/** The same for the routes that answer with the conversation. */
export async function answerChange(
  call: Call<unknown, unknown>,
  name: string,
  decide: Decide,
): Promise<Answer> {
  const found = await findConversation(call);
  call.concerns(found.holder.id);
  const { state, conversation, changed } = await changeConversation(call, found, name, decide);
  const [body] = await showConversations(call, [shownOf(state, conversation)]);
  return {
    status: 200,
    body,
    etag: conversationTag(call, conversation, found.holder),
    position: changed.position,
  };
}

export function close(call: Call<unknown, unknown>): Promise<Answer> {
  const by = byOf(call);
  return answerChange(call, "close", (_, conversation) =>
    decideClose(conversation, by, `asked for by ${by.name ?? by.id}`, call.timestamp()),
  );
}

export const reopen = (call: Call<unknown, unknown>): Promise<Answer> =>
  answerChange(call, "reopen", (thread, conversation) =>
    decideReopen(thread, conversation, byOf(call), call.timestamp()),
  );

export function snooze(call: Call<SnoozeBody, unknown>): Promise<Answer> {
  const until = timeOf(call.body.until)!;
  const atMs = call.now();
  if (until <= atMs || until > atMs + longestSnoozeMs)
    throw notValid("body", [
      { path: "until", code: "out_of_range", message: "must be within the coming 366 days" },
    ]);
  const times = { until: new Date(until).toISOString(), at: call.timestamp() };
  return answerChange(call, "snooze", (thread, conversation) =>
    decideSnooze(thread, conversation, byOf(call), times),
  );
}

export const read = (call: Call<ReadBody, unknown>): Promise<Answer> =>
  answerChange(call, "read", (thread, conversation) =>
    decideRead(thread, conversation, byOf(call), { upTo: call.body.up_to, at: call.timestamp() }),
  );

const contactErased = (): PublicError =>
  new PublicError("contact_erased", "The contact of this conversation was erased.");

/** Writes a note that the person does not see. It is sealed under the contact's key, because it is about the person. */
export async function note(call: Call<NoteBody, unknown>): Promise<Answer> {
  const found = await findConversation(call);
  if (found.holder.erased) throw contactErased();
  call.concerns(found.holder.id);
  const seal = await call.deps.vault.seal({
    partner: call.partner.partner_id,
    subject: found.holder.id,
  });
  const made = {
    id: call.derivedId("not", found.conversation.id),
    text: seal(call.body.text),
    at: call.timestamp(),
  };
  const { changed, state } = await changeConversation(call, found, "note", (_, conversation) =>
    decideNote(conversation, byOf(call), made),
  );
  const entry = changed.kind === "changed" ? entryOf(changed.first, state.channel) : undefined;
  if (entry === undefined) throw new Error("a note was decided and is none");
  const [body] = await showMessages(call, [entry]);
  return { status: 201, body, position: changed.position };
}
