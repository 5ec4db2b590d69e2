import { leastPasswordCharacters } from "@heliograph/contracts";
import type { AgentRecord } from "@heliograph/runtime";
import { z } from "zod";

export const Role = z.enum(["owner", "admin", "agent", "viewer"]);

export const AgentView = z
  .object({
    id: z.string().meta({ description: "`agt_…`" }),
    name: z.string(),
    email: z.string(),
    role: Role,
    capacity: z.int(),
    skills: z.array(z.string()),
    languages: z.array(z.string()),
    environments: z.array(z.enum(["live", "sandbox"])),
    status: z.enum(["invited", "active", "disabled"]),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .meta({ id: "Agent" });

export const agentView = (agent: AgentRecord): z.infer<typeof AgentView> => ({
  id: agent.agent_id,
  name: agent.name,
  email: agent.email,
  role: agent.role,
  capacity: agent.capacity,
  skills: agent.skills,
  languages: agent.languages,
  environments: agent.environments,
  status: agent.status,
  created_at: agent.created_at,
  updated_at: agent.updated_at,
});

/** What an agent may call itself. */
export const Name = z.string().trim().min(1).max(255);
/** The upper bound keeps a hash from being asked of megabytes. */
export const NewPassword = z.string().min(leastPasswordCharacters).max(256);
/** Whatever is typed where a password is asked for. */
export const Password = z.string().min(1).max(256);
export const Token = z.string().min(1).max(128);
