import pg from "pg";
import { expect, test } from "vitest";
import { testDatabase, testServer } from "../src/index.ts";

async function ask(config: pg.PoolConfig | string, text: string): Promise<unknown[]> {
  const client = new pg.Client(config);
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

test("a test database is empty, writable by url as by config, and gone after drop", async () => {
  const database = await testDatabase();
  await ask(database.config, "create table t as select 1 as x");
  expect(await ask(database.url, "select x from t")).toEqual([{ x: 1 }]);
  const other = await testDatabase();
  await expect(ask(other.config, "select x from t")).rejects.toThrow(/does not exist/);
  await database.drop();
  await other.drop();
  await expect(ask(database.config, "select 1")).rejects.toThrow(/does not exist/);
});

test("drop ends connections that a failed test left open", async () => {
  const database = await testDatabase();
  const leaked = new pg.Client(database.config);
  const ended = new Promise((resolve) => leaked.on("error", resolve));
  await leaked.connect();
  await database.drop();
  expect(await ended).toBeInstanceOf(Error);
});

test("a template is prepared once however many databases are copied from it at the same time", async () => {
  let prepared = 0;
  const template = {
    name: "testkit_claims",
    async prepare(config: pg.PoolConfig) {
      prepared++;
      await ask(config, "create table t as select 7 as x");
    },
  };
  const databases = await Promise.all([1, 2, 3].map(() => testDatabase({ template })));
  for (const { config } of databases)
    expect(await ask(config, "select x from t")).toEqual([{ x: 7 }]);
  expect(prepared).toBe(1);
  await Promise.all(databases.map((database) => database.drop()));
});

test("dropAll removes the databases that a test made itself under its prefix", async () => {
  const { baseConfig, namePrefix, dropAll } = await testServer();
  await ask(baseConfig, `create database ${namePrefix}wallet`);
  await ask(baseConfig, `create database ${namePrefix}log`);
  await dropAll();
  const left = `select 1 from pg_database where starts_with(datname, '${namePrefix}')`;
  expect(await ask(baseConfig, left)).toEqual([]);
});
