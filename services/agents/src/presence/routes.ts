import { type Answer, type Call, type Route, changeOnce, hasScope, route } from "@heliograph/api";
import { type EventData, PublicError, isId, streamOf } from "@heliograph/contracts";
import { ofType, type RecordedEvent } from "@heliograph/log";
import { z } from "zod";

const SetPresence = z
  .strictObject({
    status: z.enum(["online", "away", "offline"]).meta({
      description:
        "Only who is `online` is given conversations; who goes `offline` gives back what is unanswered.",
    }),
  })
  .meta({ id: "SetPresence", example: { status: "online" } });
type SetPresence = z.infer<typeof SetPresence>;

const PresenceView = z
  .object({
    agent_id: z.string(),
    status: z.enum(["online", "away", "offline"]),
    changed_at: z.string(),
  })
  .meta({ id: "Presence" });

type Presence = EventData<"AgentPresenceChanged">;
const isPresence = ofType("AgentPresenceChanged");
const evolve = (state: Presence | undefined, event: RecordedEvent): Presence | undefined =>
  isPresence(event) ? event.data : state;

/** Agents say it of themselves; who may write agents says it of anybody. Throws `insufficient_scope`. */
function requireMay(call: Call<unknown, unknown>, id: string): void {
  if (call.agent?.agent_id === id || hasScope(call.key.scopes, "agents:write")) return;
  throw new PublicError("insufficient_scope", "Agents set their own presence only.", {
    extra: { required_scope: "agents:write" },
  });
}

async function setPresence(call: Call<SetPresence, unknown>): Promise<Answer> {
  const id = call.params["id"]!;
  const agent = isId("agt", id) ? call.context.directory.agent(id) : undefined;
  if (agent?.partner_id !== call.account || !agent.environments.includes(call.env))
    throw new PublicError("not_found", "There is no such agent.");
  requireMay(call, id);
  if (agent.status === "disabled") throw new PublicError("conflict", "The agent is disabled.");
  const { status } = call.body;
  const { state, position } = await changeOnce<Presence>(call, {
    stream: streamOf("presence", id),
    name: `presence ${id}`,
    correlation: id,
    evolve,
    decide: (before) => ({
      // Who is away already did not go away again: nothing would be given back twice.
      events:
        before?.status === status
          ? []
          : [
              {
                type: "AgentPresenceChanged",
                data: {
                  agent_id: id,
                  status,
                  reason: call.agent?.agent_id === id ? "said so" : `set by ${call.actor}`,
                  changed_at: new Date().toISOString(),
                },
              },
            ],
    }),
  });
  const { changed_at } = state!;
  return { status: 200, body: { agent_id: id, status, changed_at }, position };
}

export const presenceRoutes: readonly Route[] = [
  route({
    method: "PUT",
    path: "/agents/:id/presence",
    scope: "agents:read",
    summary: "Say whether an agent is there",
    mutates: true,
    body: SetPresence,
    response: PresenceView,
    errors: ["not_found", "insufficient_scope", "invalid_request", "conflict", "log_unavailable"],
    handler: setPresence,
  }),
];
