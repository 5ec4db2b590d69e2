import type { Environment, EventData } from "@heliograph/contracts";
import type { AgentRecord } from "@heliograph/runtime";
import { operator } from "./accounts.ts";

export type Role = EventData<"AgentCreated">["role"];

const reading = [
  "messages:read",
  "broadcasts:read",
  "contacts:read",
  "conversations:read",
  "templates:read",
  "suppressions:read",
  "agents:read",
  "events:read",
  "gateways:read",
  "senders:read",
  "usage:read",
  "mobile",
] as const;

/**
 * What each role may do, as scopes of the API: the one place where it stands. A role that has every scope of another one ranks above it.
 * An owner does everything of the partner; an admin everything but the money and what only an owner gives; an agent answers; a viewer looks.
 */
export const roleScopes: Readonly<Record<Role, readonly string[]>> = {
  owner: ["*"],
  admin: [
    ...reading,
    "messages:*",
    "broadcasts:*",
    "contacts:*",
    "conversations:*",
    "templates:*",
    "suppressions:*",
    "agents:*",
    "senders:*",
    "webhooks:*",
    "keys:*",
    "wallet:read",
    "limits:read",
    "audit:read",
    "sandbox:write",
  ],
  agent: [...reading, "messages:write", "contacts:write", "conversations:write"],
  viewer: reading,
};

const operatorScopes: Readonly<Record<Role, readonly string[]>> = {
  ...roleScopes,
  owner: [...roleScopes.owner, "admin"],
  admin: [...roleScopes.admin, "admin"],
};

/** The scopes of a role at a partner: owners and admins of the installation's own partner are operators, with scope `admin`. */
export const scopesOf = (partner: string, role: Role): readonly string[] =>
  (partner === operator.partner_id ? operatorScopes : roleScopes)[role];

/** What a session began with. */
export type SessionStart = {
  readonly session_id: string;
  readonly environment: Environment;
  /** Of the agent's credentials. */
  readonly generation: number;
};

/** Whether the agent, as it is now, may still act by this session. Whether the session was itself ended stands with the session. */
export const sessionStands = (
  agent: AgentRecord | undefined,
  { session_id, environment, generation }: SessionStart,
): agent is AgentRecord =>
  agent?.status === "active" &&
  agent.environments.includes(environment) &&
  (generation >= agent.generation || agent.spared === session_id);
