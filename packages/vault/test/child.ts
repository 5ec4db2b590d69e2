import { newLogger, openPool } from "@heliograph/runtime";
import { setTimeout as delay } from "node:timers/promises";
import { openVault } from "../src/index.ts";

/** A process that goes on opening a token and sealing for its subject, and tells of each try when it began. */
const [url, partner, subject, token] = process.argv.slice(2) as [string, string, string, string];
const connection = { connectionString: url };
const pool = openPool(connection, { name: "child", max: 2, durable: true }, newLogger("silent"));
const vault = await openVault(pool, Buffer.alloc(32), "sandbox");
for (;;) {
  const at = Date.now();
  const text = (await vault.open(partner, token))(token);
  const sealed = (await vault.seal({ partner, subject }))("late");
  process.stdout.write(`${JSON.stringify({ at, text, sealed })}\n`);
  await delay(10);
}
