// What the README shows, compiled.
import pg from "pg";
import { startEmbeddedPostgres } from "../src/index.ts";

export async function example(): Promise<void> {
  const server = await startEmbeddedPostgres({ dataDir: ".heliograph/postgres" });
  const pool = new pg.Pool({ ...server.config, database: "heliograph" });
  // …
  await pool.end();
  await server.stop();
}
