import { testServer } from "@heliograph/testkit";
import pg from "pg";
import { expect, test } from "vitest";
import { openPool, requireVersion } from "../src/databases.ts";
import { newLogger } from "../src/logger.ts";
import { serverVersion } from "../src/tables/databases.ts";

test("a PostgreSQL before 17 is refused in one line, and the one of the tests is not", async () => {
  for (const old of [90624, 150013, 160009])
    expect(() => requireVersion(old)).toThrow(
      /^HELIOGRAPH_DATABASE_URL: .*; 17 or later is needed$/,
    );
  expect(() => requireVersion(160009)).toThrow("this is PostgreSQL 16.9;");
  requireVersion(170000);
  const client = new pg.Client({ ...(await testServer()).baseConfig });
  await client.connect();
  try {
    requireVersion(await serverVersion(client));
  } finally {
    await client.end();
  }
});

test("a session that is ended between two statements fails the next, and not the process", async () => {
  const { baseConfig } = await testServer();
  const pool = openPool(baseConfig, { name: "test", max: 1, durable: true }, newLogger("silent"));
  const other = new pg.Client({ ...baseConfig });
  await other.connect();
  try {
    const client = await pool.connect();
    const { rows } = await client.query("select pg_backend_pid() as pid");
    const ended = new Promise((resolve) => client.once("end", resolve));
    await other.query("select pg_terminate_backend($1)", [rows[0].pid]);
    await ended;
    await expect(client.query("select 1")).rejects.toThrow();
    client.release(true);
    expect((await pool.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
  } finally {
    await other.end();
    await pool.end();
  }
});
