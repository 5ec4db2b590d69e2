import { type EventData, failpoint, streamOf } from "@heliograph/contracts";
import { appendOne, requireSameRequest, untilInEffect, type Call } from "@heliograph/api";
import { changePassword, hashPassword, loginOf } from "@heliograph/platform";
import type { AgentRecord } from "@heliograph/runtime";
import { claimLogin, type Holder } from "./claim-login.ts";
import { callerOf, isVisible, refusalOfGrant, type Profile } from "./decide-agent.ts";
import { invite } from "./invite.ts";
import { takeInvitationTry } from "./tries.ts";

export type NewAgent = Profile & {
  readonly email: string;
  readonly password: string | undefined;
};

type Made = { readonly agent: AgentRecord; readonly position: bigint };

/**
 * Makes an agent of the caller's partner. The address is claimed first, so that one agent has it. What the partner already has under it is given as it is, and an open invitation
 * sent again. An address that is another partner's is answered like any other: there is an agent, invited or with a password, whom nobody can sign in as, and no mail goes out.
 * Throws `insufficient_scope` for a role above the caller's, `conflict`, `rate_limited` and `log_unavailable`.
 */
export async function createAgent(call: Call<unknown, unknown>, asked: NewAgent): Promise<Made> {
  const { context } = call;
  hideRequest(call, asked);
  const caller = callerOf(call);
  const refusal = refusalOfGrant(caller, asked);
  if (refusal !== undefined) throw refusal;
  // Whoever has the address, the time tells nothing: a hash takes more of it than all the rest.
  const password = asked.password === undefined ? undefined : await hashPassword(asked.password);
  const own = call.derivedId("agt");
  await requireOwnKey(call, own);
  const holder = await claimLogin(call, asked.email, own);
  const known = context.directory.agent(holder.agent_id);
  if (isVisible(known, caller) && known.agent_id !== own) {
    if (known.status === "invited") {
      await takeInvitationTry(context.platformPool, known.agent_id);
      await invite(call, known, true);
    }
    return { agent: known, position: 0n };
  }
  const id = agentIdOf(holder, known, own, caller.partner);
  if (password !== undefined && context.directory.agent(id) === undefined)
    await changePassword(context.platformPool, {
      agent: id,
      partner: caller.partner,
      password,
      reason: "made",
    });
  await failpoint("agents.after_password");
  const position = await append(call, id, asked);
  const agent = context.directory.agent(id)!;
  await failpoint("agents.after_created");
  if (agent.status === "invited") await invite(call, agent, holder.agent_id === id);
  return { agent, position };
}

/** A plain hash of a request with a password is found by trying, far faster than argon2id allows: events hold a name of it that takes the environment's key to make. */
function hideRequest(call: Call<unknown, unknown>, { password }: NewAgent): void {
  if (password === undefined || call.fingerprint === undefined) return;
  call.fingerprint = call.deps.vault.name("request", call.fingerprint);
}

/** An agent that the key has made for another request would hold this one's address, which nobody could be given any more. */
async function requireOwnKey(
  { context, fingerprint }: Call<unknown, unknown>,
  own: string,
): Promise<void> {
  if (context.directory.agent(own) === undefined) return;
  const [first] = await context.platformLog.readStream(streamOf("agent", own), { limit: 1 });
  if (first !== undefined) requireSameRequest(first, fingerprint);
}

/** A claim of the same partner whose agent was never made is gone on with; any other one is somebody else's. */
const agentIdOf = (
  holder: Holder,
  known: AgentRecord | undefined,
  own: string,
  partner: string,
): string => (known === undefined && holder.partner_id === partner ? holder.agent_id : own);

async function append(
  call: Call<unknown, unknown>,
  id: string,
  { password, ...profile }: NewAgent,
): Promise<bigint> {
  const data: EventData<"AgentCreated"> = {
    agent_id: id,
    partner_id: call.account,
    login: loginOf(profile.email),
    ...profile,
    status: password === undefined ? "invited" : "active",
    created_at: new Date().toISOString(),
  };
  const { platformLog } = call.context;
  const stored = await appendOne(platformLog, {
    stream: streamOf("agent", id),
    expected: "no_stream",
    events: [
      { id: call.eventId("created"), type: "AgentCreated", data, metadata: call.metadata() },
    ],
  });
  // Another call went on with the same claim: there is one agent, and it is theirs.
  const position = stored?.position ?? (await platformLog.head());
  await untilInEffect(call as Call, position);
  return position;
}
