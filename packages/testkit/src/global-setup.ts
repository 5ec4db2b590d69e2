import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { firstStartVariable } from "./first-start.ts";
import { prepareInstances } from "./instance.ts";
import { kafkaVariable, keepKafka } from "./kafka/shared.ts";
import { serverVariable, startServer } from "./server.ts";

/** Where the launcher keeps it too. Tests start some two hundred processes: what Node has stripped and compiled once takes 0.4 s off the 1.2 s that each needs to load the product. */
const compileCache = fileURLToPath(
  new URL("../../../node_modules/.cache/compile", import.meta.url),
);

/** Vitest calls this once a run, before the workers start: they inherit the variables and share the servers. */
export async function setup(): Promise<() => Promise<void>> {
  const [server, kafka] = await Promise.all([startServer(), keepKafka()]);
  process.env["NODE_COMPILE_CACHE"] ??= compileCache;
  process.env[serverVariable] = JSON.stringify(server.config);
  process.env[kafkaVariable] = kafka.url;
  if (server.folder !== undefined) {
    const first = join(server.folder, "first");
    mkdirSync(first);
    // The database's account passes through.
    chmodSync(first, 0o711);
    process.env[firstStartVariable] = first;
    // A run of some files has it made by the first who needs it, if there is one.
    const isWhole = process.argv.slice(2).join() === "run";
    if (isWhole) await prepareInstances();
  }
  return async () => {
    await Promise.all([server.stop(), kafka.stop()]);
  };
}
