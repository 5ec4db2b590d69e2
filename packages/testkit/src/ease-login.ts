import { readFileSync, writeFileSync } from "node:fs";
import pg from "pg";

/** The databases of tests and of the product; the administration database goes on asking for the password. */
const eased = '"/^(t[0-9]+_|heliograph_)"';

/**
 * Lets clients on this machine into the databases that tests make without a password, and has the password for the others proved in one round of hashing in place of 4,096: worlds
 * open dozens of connections, and much of what one costs on either side is that.
 */
export async function easeLogin(config: pg.ClientConfig): Promise<void> {
  const client = new pg.Client({ ...config, database: "postgres" });
  await client.connect();
  try {
    const [role, password] = [config.user ?? "", String(config.password)];
    await client.query("set scram_iterations = 1");
    await client.query(
      `alter role ${pg.escapeIdentifier(role)} password ${pg.escapeLiteral(password)}`,
    );
    const { rows } = await client.query<{ hba_file: string }>("show hba_file");
    const file = rows[0]!.hba_file;
    const trusted = `local ${eased} all trust\nhost ${eased} all 127.0.0.1/32 trust\n`;
    writeFileSync(file, trusted + readFileSync(file, "utf8"));
    await client.query("select pg_reload_conf()");
  } finally {
    await client.end();
  }
}
