import { hash } from "node:crypto";
import { PublicError, parseToken } from "@heliograph/contracts";
import type { Answer, Call } from "@heliograph/api";
import { sessionStands } from "@heliograph/platform";
import { tellAbout } from "./about.ts";
import { tellEndedSessions } from "./announce.ts";
import { keep, keptAnswer } from "./answers.ts";
import { agentView } from "./api/agent-views.ts";
import { decideRefresh } from "./decide-refresh.ts";
import { newTokens } from "./issue-session.ts";
import { lockSession, revoke, rotate } from "./tables/refresh.ts";
import { inTransaction } from "@heliograph/runtime";

const over = (): PublicError =>
  new PublicError("session_revoked", "The session has ended. Sign in again.");

/**
 * Gives a session its next two tokens. One refresh after the other: of two with the same token the second is a reuse and ends the session, unless it is the same call, with the same
 * key within a minute, which gets the first answer. Throws `session_revoked` and `idempotency_key_reused`.
 */
export async function refresh(call: Call<unknown, unknown>, token: string): Promise<Answer> {
  const { context, idempotencyKey: key } = call;
  const environment = parseToken("refresh", token);
  if (environment === undefined) throw over();
  const sha256 = hash("sha256", token, "hex");
  const { masterKey, directory } = context;
  let reused = false;
  const answer = await inTransaction(context.environments[environment].pool, async (client) => {
    const session = await lockSession(client, sha256);
    if (session === undefined) return undefined;
    const { session_id } = session;
    const agent = directory.agent(session.agent_id);
    if (agent !== undefined) tellAbout(call, agent, environment);
    const stands = sessionStands(agent, { ...session, environment });
    const now = Date.now();
    const decision = decideRefresh(session, { sha256, stands, now });
    const repeatable = { scope: session_id, key, request: sha256 };
    if (key !== undefined && decision !== "over") {
      const first = await keptAnswer(client, masterKey, repeatable);
      if (first !== undefined) return first;
    }
    reused = decision === "reuse";
    if (reused) await revoke(client, session_id, "a refresh token was used twice");
    if (decision !== "rotate") return undefined;
    const { stored, shown } = newTokens(environment, session.expires_at, now);
    await rotate(client, session, stored);
    const made: Answer = { status: 200, body: { ...shown, session_id, agent: agentView(agent!) } };
    if (key !== undefined) await keep(client, masterKey, repeatable, made);
    return made;
  });
  if (answer === undefined) {
    if (reused) await tellEndedSessions(context, environment);
    throw over();
  }
  return answer;
}
