import { type EventData, environments, failpoint, streamOf, uuid5 } from "@heliograph/contracts";
import type { ApiContext } from "@heliograph/api";
import type { Append } from "@heliograph/log";
import { setAnnounced, unannounced, type EndedSessions } from "@heliograph/platform";
import type { AgentRecord } from "@heliograph/runtime";

/**
 * Tells the platform log of ended sessions; resolves when this process refuses them. Every process does within the time its directory follows. Safe to repeat: a generation has
 * one event.
 */
export async function announceEnded(
  { platformLog, platformPool, directory }: ApiContext,
  ended: readonly EndedSessions[],
): Promise<void> {
  for (const { agent_id, partner_id, generation, spared, reason } of ended) {
    await failpoint("agents.before_announce");
    const data: EventData<"AgentSessionsEnded"> = {
      agent_id,
      partner_id,
      generation,
      ...(spared !== null && { except: spared }),
      reason,
      ended_at: new Date().toISOString(),
    };
    const [outcome] = await platformLog.append([
      {
        stream: streamOf("agent", agent_id),
        expected: "any",
        events: [
          {
            id: uuid5("sessions ended", agent_id, String(generation)),
            type: "AgentSessionsEnded",
            data,
            metadata: { partner: partner_id, actor: agent_id },
          },
        ],
      },
    ]);
    if (outcome?.kind === "invalid") throw new Error(outcome.message);
    if (outcome?.kind === "appended" || outcome?.kind === "duplicate")
      await directory.caughtUp(outcome.position);
    await setAnnounced(platformPool, agent_id, generation);
  }
}

/** What a process that ended in between has left untold. */
export const announceRest = async (context: ApiContext): Promise<void> =>
  announceEnded(context, await unannounced(context.platformPool));

const batchSize = 500;

/** Tells each environment that these agents take nothing more, so that what they have goes to others. Safe to repeat: each time an agent was disabled has one event. */
export async function announceDisabled(
  context: ApiContext,
  agents: readonly AgentRecord[],
): Promise<void> {
  for (const environment of environments) {
    const { log } = context.environments[environment];
    const appends = agents
      .filter((agent) => agent.environments.includes(environment))
      .map((agent) => disabledPresence(agent));
    for (let from = 0; from < appends.length; from += batchSize)
      for (const outcome of await log.append(appends.slice(from, from + batchSize)))
        if (outcome.kind === "invalid") throw new Error(outcome.message);
    await failpoint("agents.between_environments");
  }
}

function disabledPresence({ agent_id, partner_id, updated_at }: AgentRecord): Append {
  const data: EventData<"AgentPresenceChanged"> = {
    agent_id,
    status: "disabled",
    reason: "the agent was disabled",
    changed_at: updated_at,
  };
  return {
    stream: streamOf("presence", agent_id),
    expected: "any",
    events: [
      {
        id: uuid5("agent disabled", agent_id, updated_at),
        type: "AgentPresenceChanged",
        data,
        metadata: { partner: partner_id, actor: "system" },
      },
    ],
  };
}
