import type { ThreadConversation, ThreadState } from "@heliograph/domain";
import { type By, type Decided, idsOf, nothing, ofNewest, refused } from "../decide.ts";

type Change = {
  readonly by: By;
  readonly at: string;
};
const reasonOf = (by: By): string => `asked for by ${by.name ?? by.id}`;

const ofOpen = (
  thread: ThreadState,
  conversation: ThreadConversation,
  decide: () => Decided,
): Decided =>
  ofNewest(thread, conversation, () =>
    conversation.status === "closed"
      ? refused("A closed conversation has nobody's attention: reopen it first.")
      : decide(),
  );

/** Gives a conversation to an agent, whatever routing would say. Whoever has it already keeps it. */
export const decideAssign = (
  thread: ThreadState,
  conversation: ThreadConversation,
  agent: { readonly id: string; readonly name: string },
  { by, at }: Change,
): Decided =>
  ofOpen(thread, conversation, () => {
    const { assignee: previous } = conversation;
    if (previous?.id === agent.id) return nothing;
    const data = {
      ...idsOf(conversation),
      agent,
      ...(previous !== undefined && { previous_agent: previous }),
      by,
      reason: reasonOf(by),
      assigned_at: at,
    };
    return { events: [{ type: "ConversationAssigned", data }] };
  });

/** Asks routing for an agent, of a team where one is named. */
export const decideRequest = (
  thread: ThreadState,
  conversation: ThreadConversation,
  team: string | undefined,
  { by, at }: Change,
): Decided =>
  ofOpen(thread, conversation, () => {
    const data = {
      ...idsOf(conversation),
      ...(team !== undefined && { team }),
      by,
      requested_at: at,
    };
    return { events: [{ type: "AssignmentRequested", data }] };
  });

/** Takes a conversation from its agent; its team keeps it. */
export const decideUnassign = (
  thread: ThreadState,
  conversation: ThreadConversation,
  { by, at }: Change,
): Decided =>
  ofNewest(thread, conversation, () => {
    const { assignee: previous, team } = conversation;
    if (previous === undefined) return nothing;
    const data = {
      ...idsOf(conversation),
      previous_agent: previous,
      ...(team !== undefined && { team }),
      by,
      reason: reasonOf(by),
      unassigned_at: at,
    };
    return { events: [{ type: "ConversationUnassigned", data }] };
  });
