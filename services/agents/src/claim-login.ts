import { loginOf } from "@heliograph/platform";
import { type EventData, PublicError, failpoint } from "@heliograph/contracts";
import { maxConflicts, tooManyChanges, type Call } from "@heliograph/api";

/** A claim whose agent was never made is nobody's after this: whoever made it crashed, and did not come back. */
const abandonedMs = 10 * 60_000;

/** Whose an address is: the claim's agent, which may not be made yet. */
export type Holder = EventData<"LoginClaimed">;

/**
 * Claims an address for a new agent in the log, where of two writers anywhere one is first. Gives who holds it now: this agent, or whoever was first. Throws `conflict` when
 * others change it without a pause.
 */
export async function claimLogin(
  call: Call<unknown, unknown>,
  email: string,
  agent: string,
): Promise<Holder> {
  const { platformLog: log, directory } = call.context;
  const stream = loginOf(email);
  const partner_id = call.account;
  for (let tries = 0; tries < maxConflicts; tries++) {
    const [last] = await log.readStream(stream, { backwards: true, limit: 1 });
    const holder = last?.data as Holder | undefined;
    if (holder !== undefined) {
      await directory.caughtUp(await log.head());
      const made = directory.agent(holder.agent_id) !== undefined;
      const abandoned = !made && Date.parse(holder.claimed_at) < Date.now() - abandonedMs;
      if (!abandoned || holder.agent_id === agent) return holder;
    }
    const data: Holder = {
      login: stream,
      agent_id: agent,
      partner_id,
      claimed_at: new Date().toISOString(),
    };
    const [outcome] = await log.append([
      {
        stream,
        expected: last?.revision ?? "no_stream",
        events: [
          { id: call.eventId("claim"), type: "LoginClaimed", data, metadata: call.metadata() },
        ],
      },
    ]);
    if (outcome?.kind === "invalid") throw new Error(outcome.message);
    await failpoint("agents.after_claim");
    if (outcome?.kind === "appended" || outcome?.kind === "duplicate") return data;
  }
  throw tooManyChanges();
}

/** Reads what somebody calls an address. Throws `invalid_request`. */
export const notAnAddress = (): PublicError =>
  new PublicError("invalid_request", "There is no such address.", {
    errors: [{ path: "email", code: "invalid_format", message: "must be an e-mail address" }],
  });
