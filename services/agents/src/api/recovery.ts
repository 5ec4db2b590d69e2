import { PublicError, failpoint, streamOf, uuid5 } from "@heliograph/contracts";
import {
  type Answer,
  type ApiContext,
  type Call,
  originOfLinks,
  type Route,
  route,
} from "@heliograph/api";
import {
  changePassword,
  evolveAgent,
  findToken,
  hashPassword,
  takeToken,
  type TokenUse,
  loginOf,
} from "@heliograph/platform";
import { change } from "@heliograph/log";
import { inTransaction, type AgentRecord } from "@heliograph/runtime";
import { randomBytes } from "node:crypto";
import { z } from "zod";
import { tellAbout } from "../about.ts";
import { announceEnded } from "../announce.ts";
import { answeredOnce } from "../answers.ts";
import { decideAccept } from "../decide-agent.ts";
import { sendToken, tokenBytes, tokenHash } from "../invite.ts";
import { passwordReset } from "../mail/texts.ts";
import { takeMailTry, takeTokenTry } from "../tries.ts";
import { AgentView, agentView, Name, NewPassword, Token } from "./agent-views.ts";

const invalidToken = (): PublicError =>
  new PublicError("invalid_token", "The token is not known, was used or has expired.");

const Accept = z
  .strictObject({ token: Token, name: Name.optional(), password: NewPassword })
  .meta({ id: "AcceptInvitation" });

/** Whose token it is. Throws `invalid_token` and `rate_limited`. */
async function agentOfToken(
  call: Call<unknown, unknown>,
  kind: TokenUse,
  token: string,
): Promise<AgentRecord> {
  const { platformPool, directory } = call.context;
  const id = await findToken(platformPool, kind, tokenHash(token));
  const agent = id && directory.agent(id);
  if (agent) {
    tellAbout(call, agent);
    return agent;
  }
  await takeTokenTry(platformPool, call.ip);
  throw invalidToken();
}

/** Uses the token up and sets the password, both or neither. Gives the new generation. Throws `invalid_token` when another use was first. */
const setPassword = (
  { platformPool }: ApiContext,
  { agent_id, partner_id }: AgentRecord,
  token: string,
  password: string,
  reason: string,
): Promise<number> =>
  inTransaction(platformPool, async (client) => {
    if (!(await takeToken(client, tokenHash(token)))) throw invalidToken();
    const changed = { agent: agent_id, partner: partner_id, password, reason };
    return (await changePassword(client, changed))!;
  });

async function accept(call: Call<z.infer<typeof Accept>, unknown>): Promise<Answer> {
  const { context, body } = call;
  return once(call, async () => {
    const invited = await agentOfToken(call, "invitation", body.token);
    const password = await hashPassword(body.password);
    // First the log: after a crash in between, the token still works, and the agent who has no password cannot sign in.
    const agent = await activate(context, invited, body.name);
    await failpoint("agents.after_activated");
    await setPassword(context, agent, body.token, password, "invitation accepted");
    return { status: 200, body: agentView(agent) };
  });
}

async function activate(
  { platformLog, directory }: ApiContext,
  { agent_id, partner_id }: AgentRecord,
  name: string | undefined,
): Promise<AgentRecord> {
  const changed = await change<AgentRecord, "void">(platformLog, {
    stream: streamOf("agent", agent_id),
    eventId: (revision) => uuid5("agent activated", agent_id, String(revision)),
    metadata: { partner: partner_id, actor: agent_id },
    evolve: evolveAgent,
    decide: (agent) => decideAccept(agent, name, new Date().toISOString()),
  });
  if (changed.kind === "refused" || changed.kind === "contended") throw invalidToken();
  await directory.caughtUp(changed.position);
  return changed.state!;
}

const AskReset = z
  .strictObject({ email: z.string().min(1).max(320) })
  .meta({ id: "AskPasswordReset" });

/** Answers alike whoever is asked for; only an agent who can sign in gets mail. */
async function askReset(call: Call<z.infer<typeof AskReset>, unknown>): Promise<Answer> {
  const { context, body, ip } = call;
  const { platformPool } = context;
  const login = loginOf(body.email);
  await takeTokenTry(platformPool, ip);
  // A plain hash of an address is found by trying.
  const caller = context.environments.sandbox.vault.name("password reset", login);
  return repeatable(call, caller, login, async () => {
    await mailToken(call, login);
    return { status: 202, body: { status: "requested" } };
  });
}

async function mailToken(call: Call<unknown, unknown>, login: string): Promise<void> {
  const { platformPool, directory, settings } = call.context;
  const mailed = await takeMailTry(platformPool, login);
  const agent = directory.agentOfLogin(login);
  if (agent !== undefined) tellAbout(call, agent);
  const origin = originOfLinks(settings);
  const can = mailed && agent?.status === "active";
  const mail = can
    ? (token: string) => passwordReset({ to: agent.email, token, origin })
    : undefined;
  // A token of nobody's takes the same time.
  const owner = can ? agent : { agent_id: login };
  await sendToken(call, "reset", owner, randomBytes(tokenBytes), mail);
}

const ConfirmReset = z
  .strictObject({ token: Token, password: NewPassword })
  .meta({ id: "ConfirmPasswordReset" });

async function confirmReset(call: Call<z.infer<typeof ConfirmReset>, unknown>): Promise<Answer> {
  const { context, body } = call;
  return once(call, async () => {
    const agent = await agentOfToken(call, "reset", body.token);
    if (agent.status !== "active") throw invalidToken();
    const password = await hashPassword(body.password);
    const reason = "the password was reset";
    const generation = await setPassword(context, agent, body.token, password, reason);
    await failpoint("agents.after_reset");
    const { agent_id, partner_id } = agent;
    await announceEnded(context, [{ agent_id, partner_id, generation, spared: null, reason }]);
    return { status: 204 };
  });
}

/** A token names who asks: its keys are its own. */
const once = (
  call: Call<{ readonly token: string }, unknown>,
  run: () => Promise<Answer>,
): Promise<Answer> => repeatable(call, call.body.token, call.body, run);

/** Keys of calls without a partner belong to what tells apart who makes them. They are kept with those of the sandbox, which is there wherever an installation is. */
const repeatable = (
  { context, routeName, idempotencyKey: key }: Call<unknown, unknown>,
  caller: string,
  request: unknown,
  run: () => Promise<Answer>,
): Promise<Answer> => {
  const scope = `${routeName} ${tokenHash(caller)}`;
  const { pool } = context.environments.sandbox;
  return answeredOnce(pool, context.masterKey, { scope, key, request }, run);
};

const errors = [
  "invalid_request",
  "malformed_json",
  "invalid_token",
  "rate_limited",
  "overloaded",
  "idempotency_in_progress",
  "idempotency_key_reused",
  "log_unavailable",
] as const;
const own = { method: "POST", scope: "public", mutates: true, idempotency: "own" } as const;

export const recoveryRoutes: readonly Route[] = [
  route({
    ...own,
    path: "/invitations/accept",
    summary: "Accept an invitation: choose a password",
    body: Accept,
    response: AgentView,
    errors,
    handler: accept,
  }),
  route({
    ...own,
    path: "/password-resets",
    summary: "Ask for another password; the answer is the same for every address",
    status: 202,
    body: AskReset,
    response: z.object({ status: z.literal("requested") }).meta({ id: "PasswordResetRequested" }),
    errors: errors.filter((code) => code !== "invalid_token"),
    handler: askReset,
  }),
  route({
    ...own,
    path: "/password-resets/confirm",
    summary: "Choose another password; every session of the agent ends",
    body: ConfirmReset,
    response: undefined,
    errors,
    handler: confirmReset,
  }),
];
