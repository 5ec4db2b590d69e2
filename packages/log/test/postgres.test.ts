import { testDatabase } from "@heliograph/testkit";
import { openPostgresLog } from "../src/index.ts";
import { contract } from "./contract.ts";

contract("PostgreSQL", async (options) => {
  const database = await testDatabase();
  const open = () =>
    openPostgresLog({ connection: database.config, namespace: "test", ...options });
  const [log, other] = await Promise.all([open(), open()]);
  return {
    log,
    other,
    async close() {
      await Promise.all([log.close(), other.close()]);
      await database.drop();
    },
  };
});
