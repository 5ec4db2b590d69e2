import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startEmbeddedPostgres } from "@heliograph/embedded-postgres";
import { easeLogin } from "./ease-login.ts";
import { until } from "./until.ts";

/** Where the run keeps a cluster as it is before the product first starts on it. */
export const firstClusterVariable = "HELIOGRAPH_TEST_CLUSTER";

const makingMs = 60_000;
/** What a cluster remembers of where it ran. */
const own = ["port", "postgres.log"];

/**
 * Gives a data folder that has no cluster yet a copy of the run's, in a tenth of the time of initdb; the first instance of a run makes that one. Does nothing outside of a run.
 */
export async function giveFirstCluster(dataDir: string): Promise<void> {
  const first = process.env[firstClusterVariable];
  const target = join(dataDir, "postgres");
  if (first === undefined || existsSync(target)) return;
  await makeFirst(first);
  execFileSync("cp", ["-a", first, target]);
}

async function makeFirst(first: string): Promise<void> {
  if (existsSync(first)) return;
  const making = `${first}.making`;
  try {
    mkdirSync(making);
  } catch {
    // Another worker does.
    await until(() => existsSync(first), { timeoutMs: makingMs, what: `${first} is made` });
    return;
  }
  // The database's account passes through.
  chmodSync(making, 0o711);
  const dataDir = join(making, "postgres");
  const server = await startEmbeddedPostgres({ dataDir, fsync: false });
  try {
    await easeLogin(server.config);
  } finally {
    await server.stop();
  }
  for (const name of own) rmSync(join(dataDir, name), { force: true });
  renameSync(dataDir, first);
}
