import { openPostgresLog } from "@heliograph/log";
import { newLogger, openPool } from "@heliograph/runtime";
import { testVault } from "@heliograph/testkit";
import { recordCallback } from "@heliograph/gateways";
import { statusCallback } from "./callbacks.ts";

/** Stores what a provider posts, in a process of its own, which a test may kill: the database's address and the provider's id of the message are its arguments. */
const [url, sid] = process.argv.slice(2);
const connection = { connectionString: url! };
const pool = openPool(connection, { name: "test", max: 2, durable: true }, newLogger("warn"));
const log = await openPostgresLog({ connection, namespace: "sandbox" });
await recordCallback({ log, vault: await testVault(pool) }, statusCallback(sid!));
await log.close();
await pool.end();
