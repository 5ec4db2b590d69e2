import type { SessionRow } from "./tables/sessions.ts";

/**
 * What a refresh token gets. `rotate`: it is the session's latest. `reuse`: it was used before, so there are two holders, and nobody can tell which is the thief (RFC 9700 §4.14.2):
 * the session ends. `over`: the session has ended, or its agent may not go on.
 */
export type RefreshDecision = "rotate" | "reuse" | "over";

export function decideRefresh(
  session: SessionRow,
  {
    sha256,
    stands,
    now,
  }: { readonly sha256: string; readonly stands: boolean; readonly now: number },
): RefreshDecision {
  if (session.ended_at !== null || !stands) return "over";
  if (session.refresh_sha256 !== sha256) return "reuse";
  return Math.min(session.refresh_until.getTime(), session.expires_at.getTime()) <= now
    ? "over"
    : "rotate";
}
