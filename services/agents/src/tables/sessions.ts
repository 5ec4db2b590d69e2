import type { OwnTables } from "@heliograph/runtime";
import type pg from "pg";

/** Sessions of agents, in each environment's database. Tokens are SHA-256 there; the first answer of a repeated call is sealed, and kept for a minute. */
export const sessionTables: OwnTables = {
  schema: "sessions",
  migrations: [
    `create table sessions.sessions (
  session_id text primary key,
  agent_id text not null,
  generation int not null,
  device text not null,
  platform text not null,
  created_at timestamptz not null default now(),
  used_at timestamptz not null default now(),
  expires_at timestamptz not null,
  access_sha256 text not null unique,
  access_until timestamptz not null,
  refresh_sha256 text not null unique,
  refresh_until timestamptz not null,
  ended_at timestamptz,
  end_reason text
);
create index sessions_of on sessions.sessions (agent_id, created_at);
create index sessions_age on sessions.sessions (expires_at);
-- Refresh tokens that were used: one that comes back was stolen, or is a copy.
create table sessions.spent (
  sha256 text primary key,
  session_id text not null references sessions.sessions on delete cascade
);
create index spent_of on sessions.spent (session_id);
create table sessions.answers (
  scope text not null,
  key text not null,
  sealed text,
  until timestamptz not null,
  primary key (scope, key)
);
create index answers_age on sessions.answers (until);`,
    `-- Whether the log was told of its end.
alter table sessions.sessions add column told boolean not null default false;
create index sessions_untold on sessions.sessions (ended_at) where ended_at is not null and not told;`,
  ],
};

export type SessionRow = {
  readonly session_id: string;
  readonly agent_id: string;
  readonly generation: number;
  readonly device: string;
  readonly platform: string;
  readonly created_at: Date;
  readonly used_at: Date;
  readonly expires_at: Date;
  readonly access_sha256: string;
  readonly access_until: Date;
  readonly refresh_sha256: string;
  readonly refresh_until: Date;
  readonly ended_at: Date | null;
};

const columns = `session_id, agent_id, generation, device, platform, created_at, used_at, expires_at, access_sha256, access_until,
  refresh_sha256, refresh_until, ended_at`;

/** More than anybody has devices; the oldest ends for the next one. */
const maxSessions = 1_000;

export async function addSession(
  pool: pg.Pool,
  row: Omit<SessionRow, "created_at" | "used_at" | "ended_at">,
): Promise<void> {
  await pool.query({
    name: "sessions.add",
    text: `with oldest as (
        update sessions.sessions set ended_at = now(), end_reason = 'too many sessions' where session_id in (
          select session_id from sessions.sessions where agent_id = $2 and ended_at is null
          order by created_at desc offset ${maxSessions - 1}))
      insert into sessions.sessions (session_id, agent_id, generation, device, platform, expires_at, access_sha256, access_until,
        refresh_sha256, refresh_until)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    values: [
      row.session_id,
      row.agent_id,
      row.generation,
      row.device,
      row.platform,
      row.expires_at,
      row.access_sha256,
      row.access_until,
      row.refresh_sha256,
      row.refresh_until,
    ],
  });
}

/** The sessions of these access tokens, in one query. */
export async function sessionsOfTokens(
  pool: pg.Pool,
  sha256s: readonly string[],
): Promise<readonly SessionRow[]> {
  const { rows } = await pool.query<SessionRow>({
    name: "sessions.of_tokens",
    text: `select ${columns} from sessions.sessions where access_sha256 = any($1)`,
    values: [sha256s],
  });
  return rows;
}

/** An agent's sessions that have not ended, oldest first. */
export async function liveSessions(pool: pg.Pool, agent: string): Promise<readonly SessionRow[]> {
  const { rows } = await pool.query<SessionRow>({
    name: "sessions.live",
    text: `select ${columns} from sessions.sessions
      where agent_id = $1 and ended_at is null and least(expires_at, refresh_until) > now() order by created_at, session_id`,
    values: [agent],
  });
  return rows;
}

/** Ends one of an agent's sessions. Gives whether there is such a session, ended before or not. */
export async function endSession(pool: pg.Pool, agent: string, session: string): Promise<boolean> {
  const { rowCount } = await pool.query({
    name: "sessions.end",
    text: `update sessions.sessions set ended_at = coalesce(ended_at, now()), end_reason = coalesce(end_reason, 'signed out')
      where agent_id = $1 and session_id = $2`,
    values: [agent, session],
  });
  return rowCount === 1;
}

/** Ends the sessions of an agent whose credentials are of an earlier generation, but for the spared one. */
export async function endEarlier(
  pool: pg.Pool,
  {
    agent,
    generation,
    spared,
    reason,
  }: {
    readonly agent: string;
    readonly generation: number;
    readonly spared: string | null;
    readonly reason: string;
  },
): Promise<void> {
  await pool.query({
    name: "sessions.end_earlier",
    text: `update sessions.sessions set ended_at = now(), end_reason = $4
      where agent_id = $1 and generation < $2 and session_id is distinct from $3 and ended_at is null`,
    values: [agent, generation, spared, reason],
  });
}

export type EndedSession = {
  readonly session_id: string;
  readonly agent_id: string;
  readonly ended_at: Date;
  readonly end_reason: string;
};

/** Sessions that have ended, of which the log was not told. */
export async function untoldSessions(
  pool: pg.Pool,
  limit: number,
): Promise<readonly EndedSession[]> {
  const { rows } = await pool.query<EndedSession>({
    name: "sessions.untold",
    text: `select session_id, agent_id, ended_at, coalesce(end_reason, '') as end_reason from sessions.sessions
      where ended_at is not null and not told order by ended_at limit $1`,
    values: [limit],
  });
  return rows;
}

export async function setTold(pool: pg.Pool, sessions: readonly string[]): Promise<void> {
  await pool.query({
    name: "sessions.told",
    text: "update sessions.sessions set told = true where session_id = any($1)",
    values: [sessions],
  });
}

/** Ends sessions that nobody can refresh any more. */
export async function endRunOut(pool: pg.Pool): Promise<void> {
  await pool.query(
    `update sessions.sessions set ended_at = least(expires_at, refresh_until), end_reason = 'it ran out'
      where ended_at is null and least(expires_at, refresh_until) < now()`,
  );
}

/** Lets a session go on under a newer generation of its agent's credentials. */
export async function renewSession(
  pool: pg.Pool,
  session: string,
  generation: number,
): Promise<void> {
  await pool.query({
    name: "sessions.renew",
    text: "update sessions.sessions set generation = greatest(generation, $2) where session_id = $1",
    values: [session, generation],
  });
}

/** Drops sessions that ended or ran out a month ago, with their spent tokens, and answers that have run their minute. */
export async function purgeSessions(pool: pg.Pool): Promise<void> {
  await pool.query("delete from sessions.answers where until < now()");
  await pool.query(
    "delete from sessions.sessions where least(expires_at, refresh_until, ended_at) < now() - interval '30 days' and (told or ended_at is null)",
  );
}
