import {
  type Environment,
  type EventData,
  environments,
  failpoint,
  streamOf,
  uuid5,
} from "@heliograph/contracts";
import type { ApiContext } from "@heliograph/api";
import { change, type EventLog } from "@heliograph/log";
import { setAnnounced, unannounced, type EndedSessions } from "@heliograph/platform";
import type { AgentRecord } from "@heliograph/runtime";
import { endEarlier, setTold, untoldSessions } from "./tables/sessions.ts";

/**
 * Tells the platform log of ended sessions; resolves when this process refuses them. Every process does within the time its directory follows. Safe to repeat: a generation has
 * one event.
 */
export async function announceEnded(
  context: ApiContext,
  ended: readonly EndedSessions[],
): Promise<void> {
  const { platformLog, platformPool, directory } = context;
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
    const position = await tellOnce(platformLog, {
      stream: streamOf("agent", agent_id),
      id: uuid5("sessions ended", agent_id, String(generation)),
      event: { type: "AgentSessionsEnded", data },
      metadata: { partner: partner_id, actor: agent_id },
    });
    await directory.caughtUp(position);
    for (const environment of environments) {
      const { pool } = context.environments[environment];
      await endEarlier(pool, { agent: agent_id, generation, spared, reason });
      await tellEndedSessions(context, environment);
    }
    await setAnnounced(platformPool, agent_id, generation);
  }
}

/** What a process that ended in between has left untold. */
export const announceRest = async (context: ApiContext): Promise<void> =>
  announceEnded(context, await unannounced(context.platformPool));

/** Told in one append. */
const toldAtOnce = 500;

/** Tells an environment's log which sessions have ended, so that what is kept for them goes too: devices are pushed to no more. Safe to repeat: a session has one end. */
export async function tellEndedSessions(
  { environments: all, directory }: ApiContext,
  environment: Environment,
): Promise<void> {
  const { pool, log } = all[environment];
  for (;;) {
    const rows = await untoldSessions(pool, toldAtOnce);
    if (rows.length === 0) return;
    await failpoint("agents.before_session_ended");
    const outcomes = await log.append(
      rows.map(({ session_id, agent_id, end_reason: reason, ended_at }) => {
        const data: EventData<"SessionEnded"> = {
          session_id,
          agent_id,
          reason,
          ended_at: ended_at.toISOString(),
        };
        const partner = directory.agent(agent_id)?.partner_id;
        return {
          stream: streamOf("session", session_id),
          expected: "no_stream" as const,
          events: [
            {
              id: uuid5("session ended", session_id),
              type: "SessionEnded",
              data,
              metadata: { ...(partner !== undefined && { partner }), actor: agent_id },
            },
          ],
        };
      }),
    );
    for (const outcome of outcomes)
      if (outcome.kind === "invalid") throw new Error(outcome.message);
    await setTold(
      pool,
      rows.map(({ session_id }) => session_id),
    );
    if (rows.length < toldAtOnce) return;
  }
}

/** When and why an agent may do nothing in an environment any more; undefined where the agent may, or never could. */
function shutOut(
  { status, updated_at, environments: own, taken }: AgentRecord,
  environment: Environment,
): { readonly at: string; readonly reason: string } | undefined {
  const at = taken[environment];
  if (at !== undefined) return { at, reason: "the agent may work here no more" };
  if (status !== "disabled" || !own.includes(environment)) return undefined;
  return { at: updated_at, reason: "the agent was disabled" };
}

/** Whether an agent may do nothing somewhere, which the environment has to hear. */
export const isShutOut = (agent: AgentRecord): boolean =>
  environments.some((environment) => shutOut(agent, environment) !== undefined);

/** Tells each environment that these agents take nothing more there, so that what they have goes to others. Safe to repeat: each time an agent was shut out has one event. */
export async function announceShutOut(
  context: ApiContext,
  agents: readonly AgentRecord[],
): Promise<void> {
  for (const agent of agents)
    for (const environment of environments) {
      const out = shutOut(agent, environment);
      if (out === undefined) continue;
      const { agent_id, partner_id, status } = agent;
      const { log } = context.environments[environment];
      const stream = streamOf("presence", agent_id);
      // At a start nearly all were told long ago: their last event says so.
      const [last] = await log.readStream(stream, { backwards: true, limit: 1 });
      const isOut = last?.type === "AgentPresenceChanged" && last.data.status === "disabled";
      // Between two times an agent may have been given something without having come online.
      if (isOut && (status === "disabled" || last.data.changed_at >= out.at)) continue;
      const data: EventData<"AgentPresenceChanged"> = {
        agent_id,
        status: "disabled",
        reason: out.reason,
        changed_at: out.at,
      };
      await failpoint(`agents.before_${environment}`);
      await tellOnce(log, {
        stream,
        id: uuid5("agent disabled", agent_id, out.at),
        event: { type: "AgentPresenceChanged", data },
        // Whoever shut the agent out does not take the work away: that follows.
        metadata: { partner: partner_id, actor: "system" },
      });
    }
}

/** Appends an event to its stream unless it is there. Gives where. */
async function tellOnce(
  log: EventLog,
  told: {
    readonly stream: string;
    readonly id: string;
    readonly event: { readonly type: string; readonly data: object };
    readonly metadata: { readonly partner: string; readonly actor: string };
  },
): Promise<bigint> {
  const { stream, id, event, metadata } = told;
  const changed = await change<true>(log, {
    stream,
    eventId: id,
    metadata,
    evolve: () => true,
    decide: () => ({ events: [event] }),
  });
  if (changed.kind === "changed") return changed.position;
  throw new Error(`${stream} is written without a pause`);
}
