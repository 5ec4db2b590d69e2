import { environments, type EventData } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import type { AgentRecord } from "@heliograph/runtime";

export const agentTypes = [
  "AgentCreated",
  "AgentChanged",
  "AgentActivated",
  "AgentDisabled",
  "AgentSessionsEnded",
] as const;

/** Folds one event of an agent's stream. Events of an agent that was never made change nothing. */
export function evolveAgent(
  agent: AgentRecord | undefined,
  { type, data, revision }: Pick<RecordedEvent, "type" | "data" | "revision">,
): AgentRecord | undefined {
  if (type === "AgentCreated") {
    const made = data as EventData<"AgentCreated">;
    const { created_at } = made;
    return {
      ...made,
      updated_at: created_at,
      generation: 0,
      spared: undefined,
      taken: {},
      revision,
    };
  }
  if (agent === undefined) return undefined;
  switch (type as (typeof agentTypes)[number]) {
    case "AgentChanged": {
      const { changed_at, ...profile } = data as EventData<"AgentChanged">;
      const taken = takenFrom(agent, profile.environments, changed_at);
      return { ...agent, ...profile, taken, updated_at: changed_at, revision };
    }
    case "AgentActivated": {
      const { name, activated_at } = data as EventData<"AgentActivated">;
      return { ...agent, name, status: "active", updated_at: activated_at, revision };
    }
    case "AgentDisabled": {
      const { disabled_at } = data as EventData<"AgentDisabled">;
      return { ...agent, status: "disabled", updated_at: disabled_at, revision };
    }
    case "AgentSessionsEnded": {
      const { generation, except } = data as EventData<"AgentSessionsEnded">;
      // Two ends may be written in either order: the later generation counts.
      if (generation < agent.generation) return { ...agent, revision };
      return { ...agent, generation, spared: except, revision };
    }
    default:
      return agent;
  }
}

/** The environments that an agent had and has no more, with the time at which each was taken away. */
const takenFrom = (
  agent: AgentRecord,
  left: AgentRecord["environments"],
  at: string,
): AgentRecord["taken"] =>
  Object.fromEntries(
    environments
      .filter((each) => !left.includes(each))
      .flatMap((each) => {
        const time = agent.environments.includes(each) ? at : agent.taken[each];
        return time === undefined ? [] : [[each, time]];
      }),
  );
