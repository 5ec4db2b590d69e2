import { prepareTables } from "@heliograph/runtime";
import { openVault, vaultTables, type Vault } from "@heliograph/vault";
import type pg from "pg";

/** The keys of personal data of a database that a test made by itself. */
export async function testVault(pool: pg.Pool, masterKey = Buffer.alloc(32)): Promise<Vault> {
  await prepareTables(pool, [vaultTables]);
  return openVault(pool, masterKey, "sandbox");
}
