import { prepareTables } from "@heliograph/runtime";
import { testDatabase } from "@heliograph/testkit";
import fc from "fast-check";
import pg from "pg";
import { expect, test } from "vitest";
import { openVault, vaultTables, type Vault } from "../src/index.ts";
import { Keys } from "./sim-keys.ts";

const masterKey = Buffer.alloc(32, 5);
const partners = ["", "ptn_1", "ptn_2"] as const;
const names = ["ann", "bob", "cem"] as const;
const among = <Value>(...values: readonly Value[]) => fc.constantFrom(...values);
const partner = among(...partners);
const owners = fc.uniqueArray(among(...names), { maxLength: 2 });
const subject = among("cnt_a", "cnt_b", "inb_a", "adr:a", "att_a");
const nameOrSubject = fc.uniqueArray(fc.oneof(among(...names), subject), { maxLength: 3 });
const past = new Date(0);
const future = new Date("2100-01-01");

const steps = fc.array(
  fc.oneof(
    fc.record({ kind: among("seal" as const), partner, subject, owners }),
    fc.record({ kind: among("adopt" as const), partner, subject, owners }),
    fc.record({ kind: among("share" as const), partner, subject, owners }),
    fc.record({ kind: among("retire" as const), partner, name: among(...names) }),
    fc.record({ kind: among("keys" as const), partner, subject, owners }),
    fc.record({
      kind: among("destroy" as const),
      partner,
      of: nameOrSubject,
      until: among(undefined, past, future),
    }),
    fc.record({ kind: among("some" as const), partner }),
  ),
  { minLength: 4, maxLength: 24 },
);
type Step = typeof steps extends fc.Arbitrary<infer Each> ? Each : never;

/** What one step gives, without ids, which are of chance. */
async function take(vault: Vault, step: Step[number], tokens: string[]): Promise<unknown> {
  switch (step.kind) {
    case "seal": {
      const token = (await vault.seal(step))("Ada");
      tokens.push(token);
      return (await vault.open(undefined, token))(token);
    }
    case "adopt":
      return vault.adopt([step]);
    case "share":
      return vault.share(step.partner, step.subject, step.owners);
    case "retire":
      return vault.retire(step.partner, step.name);
    case "keys":
      return (await vault.keysOf(step.partner, [step])).length;
    case "destroy":
      return (await vault.destroy(step.partner, step.of, step.until && { ownedUntil: step.until }))
        .length;
    case "some":
      return vault.destroySome(step.partner, "att_");
    default:
      return step satisfies never;
  }
}

/** All that can be seen: who owns what, and which texts each partner can read. */
async function seen(vault: Vault, tokens: readonly string[]): Promise<unknown> {
  const all = [];
  for (const each of partners) {
    const open = await vault.open(each, tokens);
    const texts = open(tokens).map((text, at) => (text === tokens[at] ? "closed" : text));
    const owned = (await vault.owned(each, names)).map((key) => [
      key.subject.replace(/~.*/u, "~"),
      key.owners.toSorted().join(),
      key.destroyed,
    ]);
    all.push([texts, owned.map(String).toSorted()]);
  }
  return all;
}

test("the table of keys in memory does what PostgreSQL does, step by step", async () => {
  const database = await testDatabase();
  const pool = new pg.Pool({ ...database.config, max: 1 });
  try {
    await prepareTables(pool, [vaultTables]);
    await fc.assert(
      fc.asyncProperty(steps, async (given) => {
        await pool.query("delete from vault.keys");
        const sql = await openVault(pool, masterKey, "live");
        const memory = await openVault(new Keys().pool, masterKey, "live");
        const [ofSql, ofMemory]: [string[], string[]] = [[], []];
        for (const step of given) {
          expect(await take(memory, step, ofMemory), step.kind).toEqual(
            await take(sql, step, ofSql),
          );
          expect(await seen(memory, ofMemory)).toEqual(await seen(sql, ofSql));
        }
      }),
      { numRuns: 20, seed: 1 },
    );
  } finally {
    await pool.end();
    await database.drop();
  }
});
