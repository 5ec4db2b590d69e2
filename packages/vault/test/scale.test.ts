import { randomBytes } from "node:crypto";
import { newId } from "@heliograph/contracts";
import { newLogger, openPool, prepareTables } from "@heliograph/runtime";
import { testDatabase } from "@heliograph/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openVault, vaultTables, type Vault } from "../src/index.ts";

/** So many that a scan of them reads a multiple of what is allowed. */
const keys = 30_000;
/** Blocks of the table and its indexes that one question about one key may read. */
const blocksAllowed = 60;

let database: Awaited<ReturnType<typeof testDatabase>>;
let pool: ReturnType<typeof openPool>;
let vault: Vault;
const partner = newId("ptn");
const contactOf = (number: number): string => `cnt_${String(number).padStart(26, "0")}`;

beforeAll(async () => {
  database = await testDatabase();
  // One session, so that what it has read is told at once.
  pool = openPool(database.config, { name: "test", max: 1, durable: false }, newLogger("silent"));
  await prepareTables(pool, [vaultTables]);
  vault = await openVault(pool, randomBytes(32), "sandbox");
  // Statements are planned while the table is young, as in an instance.
  for (let number = -10; number < 0; number++) await vault.seal(ownerOf(number));
  await pool.query(
    `insert into vault.keys (id, partner, subject, owners, wrapped)
      select gen_random_uuid(), $1, 'cnt_' || lpad(n::text, 26, '0'), array['owner ' || n], '\\x00' from generate_series(1, $2) n`,
    [partner, keys],
  );
  await pool.query("vacuum analyze vault.keys");
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const ownerOf = (number: number) => ({
  partner,
  subject: newId("inb"),
  owners: [`owner ${number}`],
});

async function blocksRead(): Promise<number> {
  await pool.query("select pg_stat_force_next_flush()");
  const { rows } = await pool.query(
    `select (heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit)::int as blocks
      from pg_statio_user_tables where schemaname = 'vault' and relname = 'keys'`,
  );
  return rows[0].blocks;
}

test.each<[string, () => Promise<unknown>]>([
  ["a new record's key", () => vault.seal(ownerOf(7))],
  ["a new contact's key", () => vault.seal({ partner, subject: newId("cnt") })],
  [
    "an erased contact's",
    async () => {
      await vault.destroy(partner, [contactOf(5)]);
      return vault.seal({ partner, subject: contactOf(5) });
    },
  ],
  ["giving a record to its partner", () => vault.adopt([ownerOf(9)])],
  ["the keys of a subject", () => vault.keysOf(partner, [{ subject: contactOf(8) }])],
  ["what an owner owns", () => vault.owned(partner, ["owner 8"])],
  ["retiring", () => vault.retire(partner, "owner 11")],
])("among many keys %s is found without a scan", async (_, ask) => {
  const before = await blocksRead();
  await ask();
  const read = (await blocksRead()) - before;
  expect(read).toBeGreaterThan(0);
  expect(read).toBeLessThan(blocksAllowed);
});
