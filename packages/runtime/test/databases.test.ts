import { testServer } from "@heliograph/testkit";
import pg from "pg";
import { expect, test } from "vitest";
import { requireVersion } from "../src/databases.ts";
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
