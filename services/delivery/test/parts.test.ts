import { inSchema } from "@heliograph/runtime";
import { loosely, testDatabase, until } from "@heliograph/testkit";
import pg from "pg";
import { expect, test } from "vitest";
import { openParts } from "../src/callbacks/parts.ts";
import { partsDdl } from "../src/tables/parts.ts";

test("of more overdue messages than are looked at in one go each is told", async () => {
  const database = await testDatabase();
  const pool = new pg.Pool({ ...database.config, max: 2 });
  try {
    await pool.query(`create schema callbacks;${inSchema(partsDdl, "callbacks")}`);
    await pool.query(
      `insert into callbacks.parts (whole, number, total, callback_id, received_at)
       select 'whole ' || n, 1, 2, 'cbk_' || n, now() - interval '1 day' from generate_series(1, 250) n`,
    );
    const failures: unknown[] = [];
    const parts = openParts(
      loosely({
        schema: "callbacks",
        // What they said is gone from the log: nothing is left to be told, and they are done.
        context: { pool, settings: { retryScale: 1 }, log: { readStream: async () => [] } },
        fail: (error: unknown) => failures.push(error),
      }),
    );
    const open = async (): Promise<number> =>
      (await pool.query("select count(*)::int as open from callbacks.parts where not done")).rows[0]
        .open;
    await until(async () => (await open()) === 0, { what: "all are told" });
    await parts.close();
    expect(failures).toEqual([]);
  } finally {
    await pool.end();
    await database.drop();
  }
});
