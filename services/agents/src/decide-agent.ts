import { type Environment, type EventData, PublicError } from "@heliograph/contracts";
import { type Call, hasScope } from "@heliograph/api";
import { scopesOf, type Role } from "@heliograph/platform";
import type { Decision } from "@heliograph/log";
import type { AgentRecord } from "@heliograph/runtime";

/** Who changes agents: a partner's key or session, with what it may do. */
export type Caller = {
  readonly partner: string;
  readonly environment: Environment;
  readonly scopes: readonly string[];
};

export const callerOf = (call: Call<unknown, unknown>): Caller => ({
  partner: call.account,
  environment: call.env,
  scopes: call.key.scopes,
});

export type Profile = Pick<
  EventData<"AgentChanged">,
  "name" | "role" | "capacity" | "skills" | "languages" | "environments"
>;

export const agentNotFound = (): PublicError =>
  new PublicError("not_found", "There is no such agent.");

/** What a caller cannot see is not there: another partner's agents, and those of the other environment. */
export const isVisible = (
  agent: AgentRecord | undefined,
  { partner, environment }: Caller,
): agent is AgentRecord =>
  agent?.partner_id === partner && agent.environments.includes(environment);

/** Whether a caller may give, or take away, a role: who does, has all that the role has. */
export const mayGrant = ({ partner, scopes }: Caller, role: Role): boolean =>
  scopesOf(partner, role).every((scope) => hasScope(scopes, scope));

/** Why the caller may not give this role or these environments; undefined when it may. */
export function refusalOfGrant(
  caller: Caller,
  { role, environments }: Pick<Profile, "role" | "environments">,
): PublicError | undefined {
  if (!mayGrant(caller, role))
    return new PublicError("insufficient_scope", `The role ${role} is above your own.`, {
      extra: { required_scope: scopesOf(caller.partner, role).join(" ") },
    });
  // Whatever the sandbox is used for, it opens nothing of live.
  if (caller.environment === "sandbox" && environments.includes("live"))
    return new PublicError(
      "insufficient_scope",
      "In the sandbox, access to live cannot be given or changed.",
    );
  return undefined;
}

/** Whether the agent is the partner's last who may do everything; `others` are all of the partner's. */
const isLastOwner = (agent: AgentRecord, others: readonly AgentRecord[]): boolean =>
  agent.role === "owner" &&
  agent.status === "active" &&
  !others.some(
    ({ agent_id, role, status }) =>
      agent_id !== agent.agent_id && role === "owner" && status === "active",
  );

const lastOwner = (): PublicError =>
  new PublicError("conflict", "This is the last owner: make another one first.");

/** Changes what is known of an agent. */
export function decideChange(
  agent: AgentRecord | undefined,
  patch: Partial<Profile>,
  caller: Caller,
  others: readonly AgentRecord[],
  now: string,
): Decision<PublicError> {
  if (!isVisible(agent, caller)) return { refusal: agentNotFound() };
  const { agent_id, partner_id } = agent;
  const { name, role, capacity, skills, languages, environments } = { ...agent, ...patch };
  const to: Profile = { name, role, capacity, skills, languages, environments };
  const refusal = refusalOfGrant(caller, agent) ?? refusalOfGrant(caller, to);
  if (refusal !== undefined) return { refusal };
  if (role !== "owner" && isLastOwner(agent, others)) return { refusal: lastOwner() };
  const same = (Object.keys(to) as (keyof Profile)[]).every(
    (field) => JSON.stringify(to[field]) === JSON.stringify(agent[field]),
  );
  if (same) return { events: [] };
  const data: EventData<"AgentChanged"> = { agent_id, partner_id, ...to, changed_at: now };
  return { events: [{ type: "AgentChanged", data }] };
}

/** Why the caller may not take an agent's codes away; undefined when it may. Whoever is signed in proves more to take away the own ones. */
export function refusalOfReset(
  agent: AgentRecord | undefined,
  caller: Caller,
  actor: string | undefined,
): PublicError | undefined {
  if (!isVisible(agent, caller)) return agentNotFound();
  if (agent.agent_id === actor)
    return new PublicError("conflict", "Turn your own codes off with DELETE /me/totp.");
  return refusalOfGrant(caller, agent);
}

/** Why the caller may not send an agent's invitation again; undefined when it may. */
export function refusalOfInvitation(
  agent: AgentRecord | undefined,
  caller: Caller,
): PublicError | undefined {
  if (!isVisible(agent, caller)) return agentNotFound();
  if (agent.status === "active")
    return new PublicError("conflict", "The agent has accepted already.");
  if (agent.status === "disabled") return new PublicError("conflict", "The agent is shut out.");
  return refusalOfGrant(caller, agent);
}

/** Ends what an agent may do, once. */
export function decideDisable(
  agent: AgentRecord | undefined,
  caller: Caller,
  others: readonly AgentRecord[],
  now: string,
): Decision<PublicError> {
  if (!isVisible(agent, caller)) return { refusal: agentNotFound() };
  const refusal = refusalOfGrant(caller, agent);
  if (refusal !== undefined) return { refusal };
  if (agent.status === "disabled") return { events: [] };
  if (isLastOwner(agent, others)) return { refusal: lastOwner() };
  const { agent_id, partner_id } = agent;
  const data: EventData<"AgentDisabled"> = { agent_id, partner_id, disabled_at: now };
  return { events: [{ type: "AgentDisabled", data }] };
}

/** Lets an invited agent in. One who is in already, stays so; a disabled one stays out. */
export function decideAccept(
  agent: AgentRecord | undefined,
  name: string | undefined,
  now: string,
): Decision<"void"> {
  if (agent === undefined || agent.status === "disabled") return { refusal: "void" };
  if (agent.status === "active") return { events: [] };
  const data: EventData<"AgentActivated"> = {
    agent_id: agent.agent_id,
    partner_id: agent.partner_id,
    name: name ?? agent.name,
    activated_at: now,
  };
  return { events: [{ type: "AgentActivated", data }] };
}
