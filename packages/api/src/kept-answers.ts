import { keysOf, type Environment, type MasterKey } from "@heliograph/contracts";
import { erasedText, isSealed, type Resealed, type Vault } from "@heliograph/vault";
import type pg from "pg";
import { placeOfAnswer } from "./idempotency.ts";
import { open } from "./seal.ts";
import { keptAnswers, type KeptAnswer } from "./tables/idempotency.ts";

const pageRows = 500;

/** Counts the kept answers that only the second of the keys opens. They are not sealed anew: each is gone 25 hours after its request. */
export async function answersUnderKeys(
  { pool, vault, environment }: { pool: pg.Pool; vault: Vault; environment: Environment },
  masterKey: MasterKey,
): Promise<Resealed> {
  const sums = { renewed: 0, left: 0, lost: 0 };
  const [now, before] = keysOf(masterKey);
  const opens = (key: Buffer | undefined, row: KeptAnswer, sealed: Buffer): boolean => {
    try {
      return (
        key !== undefined &&
        open(key, placeOfAnswer(environment, row.partner, row.key), sealed).length > 0
      );
    } catch {
      return false;
    }
  };
  let after = { partner: "", key: "" };
  for (;;) {
    const rows = await keptAnswers(pool, after, pageRows);
    if (rows.length === 0) return sums;
    after = rows.at(-1)!;
    for (const row of rows) {
      const sealed = await withoutTokens(vault, row);
      if (sealed === undefined || opens(now, row, sealed)) continue;
      if (opens(before, row, sealed)) sums.left++;
      else sums.lost++;
    }
  }
}

/** What stands inside the seals of those whom the answer concerns; undefined where one of them was erased, and so nobody can read it. */
async function withoutTokens(
  vault: Vault,
  { partner, answer }: KeptAnswer,
): Promise<Buffer | undefined> {
  let text = answer.toString();
  if (!isSealed(text)) return answer;
  while (isSealed(text)) {
    const inner = (await vault.open(partner, text))(text);
    if (inner === text) return undefined;
    text = inner;
  }
  return text === erasedText ? undefined : Buffer.from(text, "base64");
}
