import type { Environment } from "@heliograph/contracts";
import type { SessionStart } from "@heliograph/platform";

/** A session as it was stored at most half a second ago. */
export type SessionRecord = SessionStart & {
  readonly agent_id: string;
  readonly device: string;
  readonly ended: boolean;
  /** Of the access token, epoch milliseconds. */
  readonly expiresAt: number;
};

/** The session whose access token has this SHA-256 (hex). Must not be older than half a second: what is revoked is refused everywhere within one. */
export type FindSession = (
  environment: Environment,
  sha256: string,
) => Promise<SessionRecord | undefined>;
