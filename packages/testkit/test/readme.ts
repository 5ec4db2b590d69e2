// What the README shows, compiled.
import type pg from "pg";
import { testDatabase, until, webhookSink } from "../src/index.ts";

declare function migrate(config: pg.PoolConfig): Promise<void>;

export async function example(): Promise<void> {
  const database = await testDatabase({ template: { name: "wallet", prepare: migrate } });
  const sink = await webhookSink();
  sink.queue({ type: "answer", status: 503 }, { type: "reset" });
  // … the code under test posts to sink.url …
  await until(() => sink.requests.length === 3, { what: "the third attempt" });
  await sink.close();
  await database.drop();
}
