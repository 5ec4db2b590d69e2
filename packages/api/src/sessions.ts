import { hash } from "node:crypto";
import { PublicError, type Environment, parseToken } from "@heliograph/contracts";
import { scopesOf, sessionStands, type Directory } from "@heliograph/platform";
import type { AgentRecord } from "@heliograph/runtime";
import type { Identity } from "./call.ts";
import type { ApiContext } from "./context.ts";
import type { FindSession, SessionRecord } from "./session-record.ts";
import { partnerIn } from "./space.ts";

/** Why a session opens nothing any more; undefined while it does. */
function endOfSession(
  session: SessionRecord,
  agent: AgentRecord | undefined,
  now: number,
): "revoked" | "expired" | undefined {
  if (session.ended || !sessionStands(agent, session)) return "revoked";
  return session.expiresAt <= now ? "expired" : undefined;
}

const sessionEnded = (end: "revoked" | "expired"): PublicError =>
  end === "revoked"
    ? new PublicError("session_revoked", "The session has ended. Sign in again.")
    : new PublicError("invalid_token", "The access token has expired. Refresh it.");

/** How an access token has ended that was good before; undefined while it opens the API. */
export async function endOfAccess(
  { directory, session: find }: Pick<ApiContext, "directory" | "session">,
  environment: Environment,
  sha256: string,
): Promise<PublicError | undefined> {
  const session = await find?.(environment, sha256);
  // Another token took its place.
  if (session === undefined) return sessionEnded("expired");
  const end = endOfSession(session, directory.agent(session.agent_id), Date.now());
  return end && sessionEnded(end);
}

/** Gives the identity behind an access token: a key in form, with the scopes that the agent's role has now. Throws `invalid_token` or `session_revoked`. */
export function createSessionAuthenticate(
  directory: Directory,
  find: FindSession | undefined,
): (text: string, now: number) => Promise<Identity> {
  return async (text, now) => {
    const environment = parseToken("access", text);
    if (environment === undefined)
      throw new PublicError("invalid_token", "The access token is malformed or mistyped.");
    const sha256 = hash("sha256", text, "hex");
    const session = await find?.(environment, sha256);
    if (session === undefined)
      throw new PublicError("invalid_token", "The access token is not known, or has expired.");
    const agent = directory.agent(session.agent_id);
    const end = endOfSession(session, agent, now);
    if (end !== undefined) throw sessionEnded(end);
    const partner = directory.partner(agent!.partner_id);
    if (partner === undefined)
      throw new PublicError("session_revoked", "The session's partner is not known.");
    const own = partnerIn(directory, session.environment, partner);
    return identityOf(session, agent!, own, sha256);
  };
}

function identityOf(
  session: SessionRecord,
  agent: AgentRecord,
  partner: Identity["partner"],
  sha256: string,
): Identity {
  const { agent_id, partner_id, name, role, environments } = agent;
  // Whoever operates the installation reaches live: who is let into the sandbox alone does not operate it.
  const scopes = scopesOf(partner_id, role).filter(
    (scope) => scope !== "admin" || environments.includes("live"),
  );
  return {
    key: {
      key_id: session.session_id,
      partner_id,
      environment: session.environment,
      name: session.device,
      sha256,
      prefix: "",
      scopes,
      created_at: agent.created_at,
      revoked: false,
    },
    partner,
    admin: scopes.includes("admin"),
    agent: { agent_id, name, role, session_id: session.session_id },
  };
}
