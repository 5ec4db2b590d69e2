import { hash } from "node:crypto";
import { originOfLinks, type Call } from "@heliograph/api";
import { invitationMs } from "@heliograph/contracts";
import { addToken, type Mail, postMail, type TokenUse } from "@heliograph/platform";
import { inTransaction, type AgentRecord } from "@heliograph/runtime";
import { desk } from "./desk.ts";
import { invitation } from "./mail/texts.ts";

/** 256 bits: nobody finds one by trying. */
export const tokenBytes = 32;
const invitationSeconds = invitationMs / 1_000;
const resetSeconds = 3_600;

export const tokenHash = (token: string): string => hash("sha256", token, "hex");

/**
 * Makes a token for an agent, in place of those before it, and keeps the mail that brings it, in one transaction. Without `mail` nobody gets it: for an address that
 * belongs to somebody else the same is done, and nothing sent.
 */
export async function sendToken(
  call: Call<unknown, unknown>,
  kind: TokenUse,
  agent: Pick<AgentRecord, "agent_id">,
  token: Buffer,
  mail: ((token: string) => Mail) | undefined,
): Promise<void> {
  const { platformPool, masterKey } = call.context;
  const text = token.toString("base64url");
  const sha256 = tokenHash(text);
  const lifeSeconds = kind === "invitation" ? invitationSeconds : resetSeconds;
  await inTransaction(platformPool, async (client) => {
    await addToken(client, { sha256, kind, agent: agent.agent_id, lifeSeconds });
    if (mail !== undefined) await postMail(client, masterKey, sha256, mail(text));
  });
  desk.of(call).postman.hurry();
}

/** Invites an agent, and voids the invitations before it. `mailed`: whether anybody may get it. The same is done in either case. */
export const invite = (
  call: Call<unknown, unknown>,
  agent: AgentRecord,
  mailed: boolean,
): Promise<void> => {
  const facts = {
    to: agent.email,
    partner: call.partner.name,
    origin: originOfLinks(call.context.settings),
  };
  const token = call.derivedBytes(tokenBytes, `invitation ${agent.agent_id}`);
  const mail = mailed ? (text: string) => invitation({ ...facts, token: text }) : undefined;
  return sendToken(call, "invitation", agent, token, mail);
};
