import pg from "pg";

/** Stores the password anew, so that a client proves it in one round of hashing in place of 4,096: worlds open dozens of connections, and half of what one costs is that. */
export async function easeLogin(config: pg.ClientConfig): Promise<void> {
  const client = new pg.Client({ ...config, database: "postgres" });
  await client.connect();
  try {
    const [role, password] = [config.user ?? "", String(config.password)];
    await client.query("set scram_iterations = 1");
    await client.query(
      `alter role ${pg.escapeIdentifier(role)} password ${pg.escapeLiteral(password)}`,
    );
  } finally {
    await client.end();
  }
}
