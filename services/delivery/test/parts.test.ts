import { inSchema } from "@heliograph/runtime";
import { loosely, testDatabase, until } from "@heliograph/testkit";
import pg from "pg";
import { expect, test } from "vitest";
import { openParts } from "../src/callbacks/parts.ts";
import { partsDdl } from "../src/tables/parts.ts";

test("of more overdue messages than are looked at in one go each is told, and none before it has waited for its rest, though the clock that received it is ahead", async () => {
  const database = await testDatabase();
  const pool = new pg.Pool({ ...database.config, max: 2 });
  try {
    await pool.query(`create schema callbacks;${inSchema(partsDdl, "callbacks")}`);
    await pool.query(
      `insert into callbacks.parts (whole, number, total, callback_id, received_at)
       select 'whole ' || n, 1, 2, 'cbk_' || n, now() - interval '1 day' from generate_series(1, 250) n`,
    );
    const failures: unknown[] = [];
    const given: Parameters<typeof openParts>[0] = loosely({
      schema: "callbacks",
      // What they said is gone from the log: nothing is left to be told, and they are done.
      context: {
        pool,
        settings: { retryScale: 1 },
        log: { readStream: async () => [] },
        vault: { name: (...of: string[]) => of.join(" ") },
      },
      fail: (error: unknown) => failures.push(error),
    });
    const parts = openParts(given);
    const open = async (): Promise<number> =>
      (await pool.query("select count(*)::int as open from callbacks.parts where not done")).rows[0]
        .open;
    await until(async () => (await open()) === 0, { what: "all are told" });
    const received_at = new Date(Date.now() + 3_600_000).toISOString();
    await parts.take([
      loosely({
        event: { data: { gateway_id: "gtw_1", callback_id: "cbk_new", received_at } },
        item: { of: "reference", number: 1, total: 2 },
      }),
    ]);
    // As when the wait for another message is over.
    await parts.close();
    const again = openParts(given);
    await again.take([]);
    await again.close();
    const { rows } = await pool.query(
      "select done, received_at from callbacks.parts where callback_id = 'cbk_new'",
    );
    expect(rows).toMatchObject([{ done: false }]);
    expect(rows[0].received_at.getTime()).toBeLessThanOrEqual(Date.now());
    expect(failures).toEqual([]);
  } finally {
    await pool.end();
    await database.drop();
  }
});
