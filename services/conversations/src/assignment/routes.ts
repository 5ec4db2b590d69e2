import { type Answer, type Call, type Route, notValid, route } from "@heliograph/api";
import { PublicError, isId, streamOf, accountOf } from "@heliograph/contracts";
import { Conversation } from "@heliograph/domain";
import { type RecordedEvent, ofType } from "@heliograph/log";
import { pause } from "@heliograph/runtime";
import { z } from "zod";
import { answerChange, byOf, changeConversation } from "../api/changes.ts";
import { conversationTag, findConversation } from "../api/find.ts";
import { showConversations } from "../api/show.ts";
import { shownOf } from "../view.ts";
import { decideAssign, decideRequest, decideUnassign } from "./by-hand.ts";

/** Routing decides within milliseconds; an answer that waits for longer helps nobody, and the decision comes as an event. */
const longestWaitMs = 5_000;
const firstLookMs = 10;
const longestLookMs = 200;

const AssignBody = z
  .strictObject({
    agent_id: z.string().max(64).optional().meta({ description: "Gives it to this agent." }),
    team_id: z
      .string()
      .max(64)
      .optional()
      .meta({ description: "Routing finds an agent of this team." }),
  })
  .refine(
    ({ agent_id, team_id }) => agent_id === undefined || team_id === undefined,
    "takes an agent or a team, not both",
  )
  .meta({
    id: "AssignConversation",
    description: "Empty: routing finds a team and an agent.",
    example: {},
  });
type AssignBody = z.infer<typeof AssignBody>;

const AssignedConversation = z
  .object({
    ...Conversation.shape,
    reason: z.string().nullable().meta({
      description:
        "Why it has its agent, or why nobody has it; null while routing has not decided.",
    }),
  })
  .meta({ id: "AssignedConversation" });

/** Throws `not_found` for another partner's agent and for one of the other environment, `invalid_request` for one who cannot have a conversation. */
function agentOf(call: Call<unknown, unknown>, id: string): { id: string; name: string } {
  const agent = call.context.directory.agent(id);
  if (agent?.partner_id !== call.account || !agent.environments.includes(call.env))
    throw new PublicError("not_found", "There is no such agent.");
  const refuse = (code: string, message: string): PublicError =>
    notValid("body", [{ path: "agent_id", code, message }]);
  if (agent.status === "disabled") throw refuse("disabled", "is a disabled agent");
  if (agent.role === "viewer") throw refuse("viewer", "is an agent who only looks on");
  return { id, name: agent.name };
}

async function requireTeam(call: Call<unknown, unknown>, id: string): Promise<void> {
  const stream = streamOf("team", id);
  const [last] = isId("tea", id)
    ? await call.deps.log.readStream(stream, { backwards: true, limit: 1 })
    : [];
  if (
    last === undefined ||
    last.type === "TeamDeleted" ||
    accountOf(last.metadata.partner ?? "") !== call.account
  )
    throw new PublicError("not_found", "There is no such team.");
}

async function assign(call: Call<AssignBody, unknown>): Promise<Answer> {
  const { agent_id, team_id } = call.body;
  if (agent_id === undefined) return askRouting(call, team_id);
  const agent = agentOf(call, agent_id);
  const by = byOf(call);
  const answer = await answerChange(call, "assign", (thread, conversation) =>
    decideAssign(thread, conversation, agent, { by, at: call.timestamp() }),
  );
  const reason = `asked for by ${by.name ?? by.id}`;
  return { ...answer, body: { ...(answer.body as object), reason } };
}

const isDecision = ofType(
  "ConversationAssigned",
  "ConversationQueued",
  "ConversationUnassigned",
  "ConversationClosed",
);

/** Asks, and waits for the decision: it is the next of its kind on the thread. */
async function askRouting(call: Call<unknown, unknown>, team: string | undefined): Promise<Answer> {
  if (team !== undefined) await requireTeam(call, team);
  const found = await findConversation(call);
  const asked = await changeConversation(call, found, "assign", (thread, conversation) =>
    decideRequest(thread, conversation, team, { by: byOf(call), at: call.timestamp() }),
  );
  const { position } = asked.changed;
  const decision = await decisionAfter(call, found.thread.name, asked.conversation.revision);
  const { thread, conversation, holder } = await findConversation(call);
  const [shown] = await showConversations(call, [shownOf(thread, conversation)]);
  return {
    status: 200,
    body: { ...shown, reason: decision?.data.reason ?? null },
    etag: conversationTag(call, conversation, holder),
    position: decision?.position ?? position,
  };
}

async function decisionAfter(call: Call<unknown, unknown>, thread: string, revision: number) {
  const deadline = performance.now() + longestWaitMs;
  for (let waitMs = firstLookMs; ; waitMs = Math.min(longestLookMs, waitMs * 2)) {
    const events: readonly RecordedEvent[] = await call.deps.log.readStream(
      streamOf("thread", thread),
      { from: revision + 1 },
    );
    // Taken from one agent it waits, or goes to the next, in the same breath.
    const decision = events.filter(isDecision).at(-1);
    if (decision !== undefined || performance.now() > deadline || call.signal.aborted)
      return decision;
    await pause(waitMs, call.signal);
  }
}

const unassign = (call: Call<undefined, unknown>): Promise<Answer> =>
  answerChange(call, "unassign", (thread, conversation) =>
    decideUnassign(thread, conversation, { by: byOf(call), at: call.timestamp() }),
  );

const changes = {
  method: "POST",
  scope: "conversations:write",
  mutates: true,
  etag: true,
  errors: ["invalid_request", "malformed_json", "not_found", "conflict", "log_unavailable"],
} as const;

export const assignmentRoutes: readonly Route[] = [
  route({
    ...changes,
    path: "/conversations/:id/assign",
    summary: "Give a conversation to an agent, or let routing find one",
    body: AssignBody,
    response: AssignedConversation,
    handler: assign,
  }),
  route({
    ...changes,
    path: "/conversations/:id/unassign",
    summary: "Take a conversation from its agent",
    response: Conversation,
    handler: unassign,
  }),
];
