import { z } from "zod";
import { defineEvent } from "../define.ts";
import { plainText } from "../plain.ts";
import { Id, Time } from "./common.ts";

const roles = ["owner", "admin", "agent", "viewer"] as const;
export const AgentRole = z.enum(roles);

const profile = {
  name: z.string().max(255),
  role: AgentRole,
  /** Most open conversations at once. */
  capacity: z.int().min(0).max(1000),
  skills: z.array(plainText(z.string().max(64))).max(50),
  languages: z.array(plainText(z.string().max(35))).max(50),
  environments: z
    .array(z.enum(["live", "sandbox"]))
    .min(1)
    .max(2),
};

/** Platform log, stream `agent-<id>`. Passwords and codes are in no event. */
export const AgentCreated = defineEvent(
  "AgentCreated",
  1,
  "A partner has an agent.",
  z.strictObject({
    agent_id: Id,
    partner_id: Id,
    /** With its own case; `login` is the stream of the case-folded one. */
    email: z.string().max(320),
    login: z.string().max(64),
    ...profile,
    status: z.enum(["invited", "active"]),
    created_at: Time,
  }),
);
export const AgentChanged = defineEvent(
  "AgentChanged",
  1,
  "An agent is as it stands here.",
  z.strictObject({ agent_id: Id, partner_id: Id, ...profile, changed_at: Time }),
);
export const AgentActivated = defineEvent(
  "AgentActivated",
  1,
  "An agent accepted the invitation, or may sign in again.",
  z.strictObject({ agent_id: Id, partner_id: Id, name: z.string().max(255), activated_at: Time }),
);
export const AgentDisabled = defineEvent(
  "AgentDisabled",
  1,
  "An agent can no longer sign in.",
  z.strictObject({ agent_id: Id, partner_id: Id, disabled_at: Time }),
);
/**
 * Sessions hold the generation of the agent's credentials that they began with: those of an earlier generation than this are over, but for the one that is named.
 */
export const AgentSessionsEnded = defineEvent(
  "AgentSessionsEnded",
  1,
  "An agent's sessions were ended.",
  z.strictObject({
    agent_id: Id,
    partner_id: Id,
    generation: z.int().min(1),
    except: Id.optional(),
    reason: z.string().max(200),
    ended_at: Time,
  }),
);
