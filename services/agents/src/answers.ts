import { PublicError, openSecret, sealSecret } from "@heliograph/contracts";
import { fingerprint, inProgress, keyReused, replayedHeader, type Answer } from "@heliograph/api";
import type pg from "pg";
import { claimAnswer, dropAnswer, keepAnswer, readAnswer } from "./tables/answers.ts";

/**
 * So long a lost answer can be asked for again. It holds what signs somebody in, tokens or the secret of codes, which the tables keep as hashes or for the agent alone: so no longer, and never among
 * the answers that the pipeline keeps for a day.
 */
const keptSeconds = 60;
/** Longer than a sign-in runs; a crashed one frees its key after this. */
const leaseSeconds = 30;

type Queries = Pick<pg.ClientBase, "query">;

/** Whose keys they are (a session, a device), the key, and what is asked for. */
export type Repeatable = {
  readonly scope: string;
  readonly key: string | undefined;
  readonly request: unknown;
};

/** Runs the work once for its key; within a minute the same request gets the first answer. Throws `idempotency_in_progress` and `idempotency_key_reused`. */
export async function answeredOnce(
  pool: pg.Pool,
  masterKey: Buffer,
  { scope, key, request }: Repeatable,
  run: () => Promise<Answer>,
): Promise<Answer> {
  if (key === undefined) return run();
  if (!(await claimAnswer(pool, scope, key, leaseSeconds)))
    return (await keptAnswer(pool, masterKey, { scope, key, request })) ?? refuseRunning();
  try {
    const answer = await run();
    await keep(pool, masterKey, { scope, key, request }, answer);
    return answer;
  } catch (error) {
    // When even this fails the claim runs out by itself.
    await dropAnswer(pool, scope, key).catch(() => undefined);
    throw error;
  }
}

const refuseRunning = (): never => {
  throw inProgress();
};

/** Seals an answer for whoever sends the very request again. */
export const keep = (
  pool: Queries,
  masterKey: Buffer,
  { scope, key, request }: Repeatable,
  answer: Answer,
): Promise<void> =>
  keepAnswer(
    pool,
    scope,
    key!,
    sealSecret(
      masterKey,
      JSON.stringify({
        scope,
        of: fingerprint(scope, request),
        answer: { status: answer.status, body: answer.body },
      }),
    ),
    keptSeconds,
  );

/** The first answer of this key, undefined when there is none any more. Throws `idempotency_key_reused` for another request. */
export async function keptAnswer(
  pool: Queries,
  masterKey: Buffer,
  { scope, key, request }: Repeatable,
): Promise<Answer | undefined> {
  const sealed = await readAnswer(pool, scope, key!);
  if (sealed === undefined || sealed === null) return undefined;
  const stored = JSON.parse(openSecret(masterKey, sealed)) as {
    readonly scope: string;
    readonly of: string;
    readonly answer: Answer;
  };
  if (stored.scope !== scope) throw new PublicError("internal", "An answer is out of its place.");
  if (stored.of !== fingerprint(scope, request)) throw keyReused("an earlier one");
  const { answer } = stored;
  return { ...answer, headers: { ...answer.headers, ...replayedHeader } };
}
