import type { SessionRecord } from "@heliograph/api";
import type { Environment } from "@heliograph/contracts";
import { boundedCache } from "@heliograph/domain";
import type pg from "pg";
import { sessionsOfTokens, type SessionRow } from "./tables/sessions.ts";

/** Half of the second within which a revocation is in force everywhere; the other half is for the query and the call. */
const freshMs = 500;
/** Sessions that call within half a second. */
const maxKnown = 10_000;

export type SessionFinder = {
  find(sha256: string): Promise<SessionRecord | undefined>;
  /** What was read is read again: something has ended. */
  forget(): void;
};

type Found = { readonly record: SessionRecord | undefined; readonly readAt: number };

/** Finds sessions by the hashes of their access tokens: tokens that come at once are looked up in one query, and none twice in half a second. */
export function openSessionFinder(pool: pg.Pool, environment: Environment): SessionFinder {
  let known = boundedCache<string, Found>(maxKnown);
  let batch: { readonly tokens: Set<string>; readonly found: Promise<Map<string, Found>> };
  let open = false;

  async function read(tokens: Set<string>): Promise<Map<string, Found>> {
    await new Promise((resolve) => setImmediate(resolve));
    open = false;
    // What the query sees is at least as new as this.
    const readAt = performance.now();
    const keptIn = known;
    const rows = await sessionsOfTokens(pool, [...tokens]);
    const byToken = new Map(rows.map((row) => [row.access_sha256, recordOf(row, environment)]));
    const found = new Map<string, Found>();
    for (const token of tokens) {
      const entry = { record: byToken.get(token), readAt };
      found.set(token, entry);
      keptIn.set(token, entry);
    }
    return found;
  }

  return {
    async find(sha256) {
      const hit = known.get(sha256);
      if (hit !== undefined && performance.now() - hit.readAt < freshMs) return hit.record;
      if (!open) {
        open = true;
        const tokens = new Set<string>();
        batch = { tokens, found: read(tokens) };
      }
      batch.tokens.add(sha256);
      return (await batch.found).get(sha256)?.record;
    },
    forget() {
      known = boundedCache(maxKnown);
    },
  };
}

const recordOf = (row: SessionRow, environment: Environment): SessionRecord => ({
  session_id: row.session_id,
  agent_id: row.agent_id,
  environment,
  generation: row.generation,
  device: row.device,
  ended: row.ended_at !== null,
  expiresAt: row.access_until.getTime(),
});
