import { hash, randomBytes } from "node:crypto";
import { makeToken, newId, type Environment } from "@heliograph/contracts";
import type { AgentRecord } from "@heliograph/runtime";
import type pg from "pg";
import { agentView } from "./api/agent-views.ts";
import { addSession, type SessionRow } from "./tables/sessions.ts";

/** Short, because what it opens is checked, and long enough that a phone refreshes four times an hour. */
const accessMs = 15 * 60_000;
/** Somebody who does not come back for a month signs in again. */
const refreshMs = 30 * 24 * 3_600_000;
/** And everybody does after three. */
export const sessionMs = 90 * 24 * 3_600_000;

export type Device = { readonly name: string; readonly platform: "ios" | "android" | "web" };

type Tokens = Pick<
  SessionRow,
  "access_sha256" | "access_until" | "refresh_sha256" | "refresh_until"
>;

/** New tokens of a session, to store and to show. No token outlives the session. */
export function newTokens(
  environment: Environment,
  endsAt: Date,
  now: number,
): { readonly stored: Tokens; readonly shown: object } {
  const access = makeToken("access", environment, randomBytes);
  const refresh = makeToken("refresh", environment, randomBytes);
  const until = (lifeMs: number): Date => new Date(Math.min(now + lifeMs, endsAt.getTime()));
  const [access_until, refresh_until] = [until(accessMs), until(refreshMs)];
  return {
    stored: {
      access_sha256: hash("sha256", access, "hex"),
      access_until,
      refresh_sha256: hash("sha256", refresh, "hex"),
      refresh_until,
    },
    shown: {
      environment,
      access_token: access,
      access_token_expires_at: access_until.toISOString(),
      refresh_token: refresh,
      refresh_token_expires_at: refresh_until.toISOString(),
    },
  };
}

/** Begins a session. Gives what its holder sees, once. */
export async function issueSession(
  pool: pg.Pool,
  environment: Environment,
  {
    agent,
    generation,
    device,
    endsAt,
    now,
  }: {
    readonly agent: AgentRecord;
    readonly generation: number;
    readonly device: Device;
    readonly endsAt: Date;
    readonly now: number;
  },
): Promise<object> {
  const { stored, shown } = newTokens(environment, endsAt, now);
  const session_id = newId("ses");
  await addSession(pool, {
    session_id,
    agent_id: agent.agent_id,
    generation,
    device: device.name,
    platform: device.platform,
    expires_at: endsAt,
    ...stored,
  });
  return { ...shown, session_id, agent: agentView(agent) };
}
