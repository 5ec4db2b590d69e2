import { PublicError } from "@heliograph/contracts";
import {
  type Answer,
  type Call,
  listBody,
  ListQuery,
  listOf,
  pageOf,
  type Route,
  route,
  slicePage,
} from "@heliograph/api";
import { sessionStands } from "@heliograph/platform";
import { hash } from "node:crypto";
import { z } from "zod";
import { tellEndedSessions } from "../announce.ts";
import { answeredOnce } from "../answers.ts";
import { desk } from "../desk.ts";
import { issueSession } from "../issue-session.ts";
import { refresh } from "../refresh.ts";
import { signIn } from "../sign-in.ts";
import { endSession, liveSessions, type SessionRow } from "../tables/sessions.ts";
import { takeTokenTry } from "../tries.ts";
import { AgentView, Password, Token } from "./agent-views.ts";
import { agentOf } from "./agent-of.ts";

const Environment = z.enum(["live", "sandbox"]);
const Device = z.strictObject({
  name: z.string().min(1).max(255),
  platform: z.enum(["ios", "android", "web"]),
});

const SignIn = z
  .strictObject({
    email: z.string().min(1).max(320),
    password: Password,
    totp: z.string().min(1).max(64).optional().meta({
      description: "A code of the agent's app, or a recovery code, where codes are set up.",
    }),
    environment: Environment.optional().meta({
      description: "Where the session is. Default: the sandbox where the agent has it, else live.",
    }),
    device: Device,
  })
  .meta({ id: "SignIn" });

const IssuedSession = z
  .object({
    access_token: z
      .string()
      .meta({ description: "`as_live_…` or `as_test_…`: a bearer of the whole surface." }),
    access_token_expires_at: z.string(),
    refresh_token: z.string().meta({ description: "For the next two tokens, once." }),
    refresh_token_expires_at: z.string(),
    session_id: z.string(),
    environment: Environment.meta({ description: "Where the session is." }),
    agent: AgentView,
  })
  .meta({ id: "IssuedSession" });

const SessionView = z
  .object({
    id: z.string().meta({ description: "`ses_…`" }),
    environment: Environment,
    device: z.object({ name: z.string(), platform: z.string() }),
    current: z.boolean().meta({ description: "The one that asks." }),
    created_at: z.string(),
    last_used_at: z.string().meta({ description: "When it was refreshed last." }),
    expires_at: z.string(),
  })
  .meta({ id: "Session" });

async function begin(call: Call<z.infer<typeof SignIn>, unknown>): Promise<Answer> {
  const { context, body, idempotencyKey: key } = call;
  const { pool } = context.environments[body.environment ?? "sandbox"];
  // No session yet: keys are the device's.
  const device = [body.email, body.device.platform, body.device.name].join("\u001f");
  const scope = `sign-in ${hash("sha256", device, "hex")}`;
  return answeredOnce(pool, context.masterKey, { scope, key, request: body }, async () => ({
    status: 201,
    body: await signIn(call),
  }));
}

const RefreshBody = z.strictObject({ refresh_token: Token }).meta({ id: "RefreshSession" });

async function next(call: Call<z.infer<typeof RefreshBody>, unknown>): Promise<Answer> {
  const { context, body } = call;
  const answer = await refresh(call, body.refresh_token).catch(async (error: unknown) => {
    // Whoever guesses is slowed down; whoever refreshes is not.
    if (error instanceof PublicError) await takeTokenTry(context.platformPool, call.ip);
    throw error;
  });
  return answer;
}

async function list(call: Call<undefined, ListQuery>): Promise<Answer> {
  const { agent, session } = agentOf(call);
  const page = pageOf(call, "sessions");
  const rows = (await liveSessions(call.deps.pool, agent.agent_id)).filter((row) =>
    sessionStands(agent, { ...row, environment: call.env }),
  );
  const keyOf = (row: SessionRow): string => `${row.created_at.toISOString()} ${row.session_id}`;
  const show = (row: SessionRow): z.infer<typeof SessionView> => ({
    id: row.session_id,
    environment: call.env,
    device: { name: row.device, platform: row.platform },
    current: row.session_id === session,
    created_at: row.created_at.toISOString(),
    last_used_at: row.used_at.toISOString(),
    expires_at: row.expires_at.toISOString(),
  });
  return {
    status: 200,
    body: listBody(call, "sessions", page, slicePage(rows, page, keyOf), keyOf, show),
  };
}

async function end(call: Call): Promise<Answer> {
  const { agent } = agentOf(call);
  if (!(await endSession(call.deps.pool, agent.agent_id, call.params["id"]!)))
    throw new PublicError("not_found", "There is no such session.");
  desk.of(call).finders[call.env].forget();
  await tellEndedSessions(call.context, call.env);
  return { status: 204 };
}

const Switch = z.strictObject({ environment: Environment }).meta({ id: "SwitchSession" });

async function switchTo(call: Call<z.infer<typeof Switch>, unknown>): Promise<Answer> {
  const { agent, session } = agentOf(call);
  const { environment } = call.body;
  if (!agent.environments.includes(environment))
    throw new PublicError("insufficient_scope", `You have no access to ${environment}.`, {
      extra: { required_scope: "mobile" },
    });
  const { context, idempotencyKey: key } = call;
  const { pool } = context.environments[environment];
  const repeatable = { scope: `switch ${session}`, key, request: call.body };
  return answeredOnce(pool, context.masterKey, repeatable, async () => {
    const rows = await liveSessions(call.deps.pool, agent.agent_id);
    const own = rows.find(({ session_id }) => session_id === session);
    if (own === undefined) throw new PublicError("session_revoked", "The session has ended.");
    const device = { name: own.device, platform: own.platform as "web" };
    // It ends when this one would: going to and fro is no way to stay for ever.
    const { generation, expires_at: endsAt } = own;
    const start = { agent, generation, device, endsAt, now: Date.now() };
    return { status: 201, body: await issueSession(pool, environment, start) };
  });
}

const signInErrors = [
  "invalid_request",
  "malformed_json",
  "invalid_credentials",
  "rate_limited",
  "overloaded",
  "idempotency_in_progress",
  "idempotency_key_reused",
  "log_unavailable",
] as const;

export const sessionRoutes: readonly Route[] = [
  route({
    method: "POST",
    path: "/mobile/sessions",
    scope: "public",
    summary: "Sign in",
    mutates: true,
    idempotency: "own",
    status: 201,
    body: SignIn,
    response: IssuedSession,
    errors: [...signInErrors, "totp_required"],
    handler: begin,
  }),
  route({
    method: "POST",
    path: "/mobile/sessions/refresh",
    scope: "public",
    summary: "Get a session's next tokens",
    mutates: true,
    idempotency: "own",
    body: RefreshBody,
    response: IssuedSession,
    errors: [...signInErrors.filter((code) => code !== "invalid_credentials"), "session_revoked"],
    handler: next,
  }),
  route({
    method: "POST",
    path: "/mobile/sessions/switch",
    scope: "mobile",
    summary: "Begin a session of the same device in the other environment",
    mutates: true,
    idempotency: "own",
    sessionKeys: true,
    status: 201,
    body: Switch,
    response: IssuedSession,
    errors: ["insufficient_scope", "session_revoked"],
    handler: switchTo,
  }),
  route({
    method: "GET",
    path: "/mobile/sessions",
    scope: "mobile",
    summary: "List your sessions in this environment, oldest first",
    query: ListQuery,
    response: listOf(SessionView, "SessionList"),
    errors: ["invalid_request"],
    handler: list,
  }),
  route({
    method: "DELETE",
    path: "/mobile/sessions/:id",
    scope: "mobile",
    summary: "Sign a session out",
    mutates: true,
    evenSuspended: true,
    sessionKeys: true,
    response: undefined,
    errors: ["not_found"],
    handler: end,
  }),
];
