import { PublicError, type Environment } from "@heliograph/contracts";
import type { ApiContext, Call } from "@heliograph/api";
import {
  hashPassword,
  isOutdated,
  readCredentials,
  renewHash,
  verifyPassword,
  type Credentials,
  loginOf,
} from "@heliograph/platform";
import type { AgentRecord } from "@heliograph/runtime";
import { tellAbout } from "./about.ts";
import { takeCode } from "./codes.ts";
import { issueSession, sessionMs, type Device } from "./issue-session.ts";
import { takeTry } from "./tries.ts";

export type SignIn = {
  readonly email: string;
  readonly password: string;
  readonly totp?: string | undefined;
  /** Undefined: the one where the agent begins. */
  readonly environment?: Environment | undefined;
  readonly device: Device;
};

export const wrong = (): PublicError =>
  new PublicError("invalid_credentials", "The address, the password or the code is wrong.");

/**
 * Begins a session for whoever proves to be an agent. The same work is done for an address that is nobody's, and all refusals are one. Throws `invalid_credentials`,
 * `totp_required` (the password is right), `rate_limited` and `overloaded`.
 */
export async function signIn(call: Call<SignIn, unknown>): Promise<object> {
  const { context, body: asked } = call;
  const { platformPool, directory, environments } = context;
  const { device, password } = asked;
  const login = loginOf(asked.email);
  const tried = await takeTry(platformPool, login, call.ip);
  const agent = directory.agentOfLogin(login);
  const environment = asked.environment ?? beginningOf(agent);
  if (agent !== undefined) tellAbout(call, agent, environment);
  const credentials = await readCredentials(platformPool, agent?.agent_id ?? "");
  const right = await verifyPassword(credentials?.password, password);
  if (!right || agent === undefined || credentials === undefined) throw wrong();
  if (agent.status !== "active" || !agent.environments.includes(environment)) throw wrong();
  await requireCode(context, credentials, asked.totp);
  await tried.succeeded();
  if (isOutdated(credentials.password))
    await renewHash(
      platformPool,
      agent.agent_id,
      credentials.password,
      await hashPassword(password),
    );
  const now = Date.now();
  const { pool } = environments[environment];
  // The generation stands with the password that was verified: when it is changed meanwhile, this session is of an earlier one.
  const { generation } = credentials;
  const endsAt = new Date(now + sessionMs);
  return issueSession(pool, environment, { agent, generation, device, endsAt, now });
}

/** Where nothing costs anything, if the agent has that. */
const beginningOf = (agent: AgentRecord | undefined): Environment =>
  agent?.environments.includes("sandbox") === false ? "live" : "sandbox";

async function requireCode(
  { platformPool, masterKey }: ApiContext,
  { agent_id, totp }: Credentials,
  code: string | undefined,
): Promise<void> {
  if (totp === null) return;
  if (code === undefined)
    throw new PublicError("totp_required", "Send a code of your app as totp.");
  if (!(await takeCode(platformPool, masterKey, { agent: agent_id, totp, code }))) throw wrong();
}

/** Proves once more that whoever holds a session knows the password. Throws `invalid_credentials` and `rate_limited`. */
export async function requirePassword(
  { platformPool }: ApiContext,
  agent: AgentRecord,
  password: string,
  ip: string,
): Promise<Credentials> {
  const tried = await takeTry(platformPool, agent.login, ip);
  const credentials = await readCredentials(platformPool, agent.agent_id);
  if (!(await verifyPassword(credentials?.password, password))) throw wrong();
  await tried.succeeded();
  return credentials!;
}
