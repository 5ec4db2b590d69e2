import { PublicError } from "@heliograph/contracts";
import type { Call } from "@heliograph/api";
import type { AgentRecord } from "@heliograph/runtime";

/** Who makes a call that only a person can make: a key has no sessions and no password. Throws `insufficient_scope`. */
export function agentOf(call: Call<unknown, unknown>): {
  readonly agent: AgentRecord;
  readonly session: string;
} {
  const { agent_id, session_id } = call.agent ?? {};
  const agent = agent_id && call.context.directory.agent(agent_id);
  if (!agent || session_id === undefined)
    throw new PublicError(
      "insufficient_scope",
      "This is for signed-in agents: sign in with POST /mobile/sessions.",
      { extra: { required_scope: "mobile" } },
    );
  return { agent, session: session_id };
}
