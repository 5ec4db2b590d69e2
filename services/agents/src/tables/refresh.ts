import type pg from "pg";
import type { SessionRow } from "./sessions.ts";

/**
 * The session that a refresh token belongs to or once did, locked until the transaction ends: two refreshes of one session come one after the other, and the second sees what
 * the first has done.
 */
export async function lockSession(
  client: pg.ClientBase,
  sha256: string,
): Promise<SessionRow | undefined> {
  const { rows } = await client.query<SessionRow>({
    name: "sessions.lock",
    text: `select * from sessions.sessions where session_id = (
        select session_id from sessions.sessions where refresh_sha256 = $1
        union all select session_id from sessions.spent where sha256 = $1 limit 1)
      for update`,
    values: [sha256],
  });
  return rows[0];
}

export async function rotate(
  client: pg.ClientBase,
  from: SessionRow,
  to: Pick<SessionRow, "access_sha256" | "access_until" | "refresh_sha256" | "refresh_until">,
): Promise<void> {
  await client.query({
    name: "sessions.spend",
    text: "insert into sessions.spent (sha256, session_id) values ($1, $2)",
    values: [from.refresh_sha256, from.session_id],
  });
  await client.query({
    name: "sessions.rotate",
    text: `update sessions.sessions set access_sha256 = $2, access_until = $3, refresh_sha256 = $4, refresh_until = $5, used_at = now()
      where session_id = $1`,
    values: [
      from.session_id,
      to.access_sha256,
      to.access_until,
      to.refresh_sha256,
      to.refresh_until,
    ],
  });
}

export async function revoke(
  client: pg.ClientBase,
  session: string,
  reason: string,
): Promise<void> {
  await client.query({
    name: "sessions.revoke",
    text: `update sessions.sessions set ended_at = coalesce(ended_at, now()), end_reason = coalesce(end_reason, $2) where session_id = $1`,
    values: [session, reason],
  });
}
