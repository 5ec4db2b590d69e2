import { hash } from "node:crypto";
import type { Service } from "@heliograph/api";
import { environments } from "@heliograph/contracts";
import { migrate } from "@heliograph/log";
import {
  limitTables,
  openPool,
  prepareRuntime,
  prepareTables,
  newLogger,
  type OwnTables,
} from "@heliograph/runtime";
import { vaultTables } from "@heliograph/vault";
import pg from "pg";
import { copyOfTemplate, type Template } from "./database.ts";

/** Makes a world's databases as the product will find them when it starts again: with the tables that belong to no consumer, once made and copied ever after. What is made of more than that it makes itself. */
export async function makeWorldDatabases(
  config: pg.PoolConfig,
  prefix: string,
  services: readonly Service[],
): Promise<void> {
  const tables = [vaultTables, limitTables, ...services.flatMap((service) => service.tables ?? [])];
  const ofEnvironment = prepared(tables);
  // At once: the server writes out all that is in its memory before a copy, for those that wait together only once.
  await Promise.all([
    copyOfTemplate(config, `${prefix}_platform`, prepared([])),
    ...environments.map((environment) =>
      copyOfTemplate(config, `${prefix}_${environment}`, ofEnvironment),
    ),
  ]);
}

/** The log's tables, and those given. */
function prepared(tables: readonly OwnTables[]): Template {
  return {
    name: `world_${hash("sha256", JSON.stringify(tables)).slice(0, 16)}`,
    async prepare(config) {
      const client = new pg.Client(config);
      await client.connect();
      try {
        await migrate(client);
      } finally {
        await client.end();
      }
      if (tables.length === 0) return;
      const named = { name: "template", max: 1, durable: false };
      const pool = openPool(config, named, newLogger("silent"));
      try {
        await prepareRuntime(pool);
        await prepareTables(pool, tables);
      } finally {
        await pool.end();
      }
    },
  };
}
