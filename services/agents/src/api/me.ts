import { randomBytes } from "node:crypto";
import { PublicError, failpoint, sealSecret } from "@heliograph/contracts";
import { type Answer, type Call, type Route, route } from "@heliograph/api";
import {
  changePassword,
  confirmTotp,
  dropTotp,
  hashPassword,
  offerTotp,
  readCredentials,
  verifyPassword,
} from "@heliograph/platform";
import { z } from "zod";
import { announceEnded } from "../announce.ts";
import { answeredOnce } from "../answers.ts";
import { newRecoveryCodes, recoveryHash, stepOfSealed, takeCode } from "../codes.ts";
import { desk } from "../desk.ts";
import { requirePassword, wrong } from "../sign-in.ts";
import { renewSession } from "../tables/sessions.ts";
import { base32, totpUri } from "../totp.ts";
import { takeTry } from "../tries.ts";
import { agentOf } from "./agent-of.ts";
import { AgentView, agentView, NewPassword, Password } from "./agent-views.ts";

/** As long as the hash (RFC 4226 §4, R6). */
const secretBytes = 20;

const Me = AgentView.extend({
  environment: z.enum(["live", "sandbox"]).meta({ description: "That of the session." }),
  session_id: z.string(),
  partner: z.object({ id: z.string(), name: z.string() }),
  scopes: z.array(z.string()),
  totp: z.boolean().meta({ description: "Whether signing in takes a code." }),
}).meta({ id: "Me" });

async function me(call: Call): Promise<Answer> {
  const { agent, session } = agentOf(call);
  const credentials = await readCredentials(call.context.platformPool, agent.agent_id);
  const { account: id } = call;
  const { name } = call.partner;
  return {
    status: 200,
    body: {
      ...agentView(agent),
      environment: call.env,
      session_id: session,
      partner: { id, name },
      scopes: call.key.scopes,
      totp: typeof credentials?.totp === "string",
    },
  };
}

const ChangePassword = z
  .strictObject({ current: Password, new: NewPassword })
  .meta({ id: "ChangePassword" });

/** The new password stands before the log is told: a sign-in with the old one that is under way begins a session of the generation before. */
async function putPassword(call: Call<z.infer<typeof ChangePassword>, unknown>): Promise<Answer> {
  const { context, body, env, ip } = call;
  const { agent, session } = agentOf(call);
  const { agent_id, partner_id } = agent;
  // An earlier try of this very request may have changed it, and ended before it answered.
  const current = call.unfinished && (await isDone(call, agent_id)) ? body.new : body.current;
  const credentials = await requirePassword(context, agent, current, ip);
  const reason = "the password was changed";
  const generation = await changePassword(context.platformPool, {
    agent: agent_id,
    partner: partner_id,
    password: await hashPassword(body.new),
    from: credentials.password,
    spared: session,
    reason,
  });
  // Somebody else has changed it in this moment.
  if (generation === undefined) throw wrong();
  await failpoint("agents.after_password_change");
  await renewSession(call.deps.pool, session, generation);
  await announceEnded(context, [{ agent_id, partner_id, generation, spared: session, reason }]);
  desk.of(call).finders[env].forget();
  return { status: 204 };
}

async function isDone(
  { context, body }: Call<z.infer<typeof ChangePassword>, unknown>,
  agent: string,
): Promise<boolean> {
  const credentials = await readCredentials(context.platformPool, agent);
  return verifyPassword(credentials?.password, body.new);
}

const OfferTotp = z
  .strictObject({
    totp: z.string().min(1).max(64).optional().meta({
      description:
        "A code of the app that is set up, or a recovery code, to change to another one.",
    }),
  })
  .meta({ id: "SetUpTotp" });
const OfferedTotp = z
  .object({
    secret: z.string().meta({ description: "Base32, to type in." }),
    uri: z.string().meta({ description: "`otpauth://…`, to show as a picture." }),
    recovery_codes: z
      .array(z.string())
      .meta({ description: "Each works once in place of a code." }),
  })
  .meta({ id: "OfferedTotp" });

async function offer(call: Call<z.infer<typeof OfferTotp>, unknown>): Promise<Answer> {
  const { platformPool, masterKey } = call.context;
  const { agent, session } = agentOf(call);
  const repeatable = { scope: `totp ${session}`, key: call.idempotencyKey, request: call.body };
  return answeredOnce(call.deps.pool, masterKey, repeatable, async () => {
    await requireCurrentCode(call, call.body.totp);
    const secret = randomBytes(secretBytes);
    const codes = newRecoveryCodes();
    await offerTotp(platformPool, {
      agent: agent.agent_id,
      sealed: sealSecret(masterKey, secret.toString("base64url")),
      recovery: codes.map(recoveryHash),
    });
    return {
      status: 200,
      body: { secret: base32(secret), uri: totpUri(secret, agent.email), recovery_codes: codes },
    };
  });
}

/** Whoever found a session open must not put another app in the place of its owner's. */
async function requireCurrentCode(
  call: Call<unknown, unknown>,
  code: string | undefined,
): Promise<void> {
  const { platformPool, masterKey } = call.context;
  const { agent } = agentOf(call);
  const totp = (await readCredentials(platformPool, agent.agent_id))?.totp;
  if (typeof totp !== "string") return;
  if (code === undefined)
    throw new PublicError("conflict", "Codes are set up: send one as totp to change the app.");
  const tried = await takeTry(platformPool, agent.login, call.ip);
  if (!(await takeCode(platformPool, masterKey, { agent: agent.agent_id, totp, code })))
    throw wrong();
  await tried.succeeded();
}

const ConfirmTotp = z
  .strictObject({ totp: z.string().regex(/^\d{6}$/) })
  .meta({ id: "ConfirmTotp" });

async function confirm(call: Call<z.infer<typeof ConfirmTotp>, unknown>): Promise<Answer> {
  const { platformPool, masterKey } = call.context;
  const { agent } = agentOf(call);
  const tried = await takeTry(platformPool, agent.login, call.ip);
  const sealed = (await readCredentials(platformPool, agent.agent_id))?.totp_pending;
  if (typeof sealed !== "string")
    throw new PublicError("conflict", "Nothing waits for a code: begin with POST /me/totp.");
  const step = stepOfSealed(masterKey, sealed, call.body.totp, Date.now());
  // The step is kept: the code that has set it up signs nobody in.
  if (
    step === undefined ||
    !(await confirmTotp(platformPool, { agent: agent.agent_id, sealed, step }))
  )
    throw wrong();
  await tried.succeeded();
  return { status: 204 };
}

const TurnOffTotp = z
  .strictObject({
    password: Password,
    totp: z.string().min(1).max(64).optional().meta({
      description: "A code of the app, or a recovery code, where codes are set up.",
    }),
  })
  .meta({ id: "TurnOffTotp" });

/** Takes both that sign-in takes: an open session alone makes an account no easier to enter. Where nothing is set up, an offer that waits is dropped. */
async function turnOff(call: Call<z.infer<typeof TurnOffTotp>, unknown>): Promise<Answer> {
  const { context, body, ip } = call;
  const { agent } = agentOf(call);
  const { totp } = await requirePassword(context, agent, body.password, ip);
  if (totp !== null && body.totp === undefined)
    throw new PublicError("totp_required", "Send a code of your app, or a recovery code, as totp.");
  await requireCurrentCode(call, body.totp);
  await dropTotp(context.platformPool, agent.agent_id);
  return { status: 204 };
}

const own = { scope: "mobile", sessionKeys: true } as const;
const errors = [
  "invalid_request",
  "malformed_json",
  "invalid_credentials",
  "conflict",
  "overloaded",
] as const;

export const meRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/me",
    scope: "mobile",
    summary: "Who is signed in",
    etag: true,
    response: Me,
    errors: [],
    handler: me,
  }),
  route({
    ...own,
    method: "PUT",
    path: "/me/password",
    summary: "Change your password; your other sessions end",
    mutates: true,
    body: ChangePassword,
    response: undefined,
    errors,
    handler: putPassword,
  }),
  route({
    ...own,
    method: "POST",
    path: "/me/totp",
    summary: "Begin to set up codes for signing in",
    mutates: true,
    idempotency: "own",
    body: OfferTotp,
    response: OfferedTotp,
    errors,
    handler: offer,
  }),
  route({
    ...own,
    method: "POST",
    path: "/me/totp/confirm",
    summary: "Set codes up with the first one",
    mutates: true,
    body: ConfirmTotp,
    response: undefined,
    errors,
    handler: confirm,
  }),
  route({
    ...own,
    method: "DELETE",
    path: "/me/totp",
    summary: "Turn codes off: signing in takes the password alone",
    mutates: true,
    body: TurnOffTotp,
    response: undefined,
    errors: [...errors, "totp_required"],
    handler: turnOff,
  }),
];
