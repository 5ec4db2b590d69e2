import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { startEmbeddedPostgres } from "@heliograph/embedded-postgres";
import { easeLogin } from "./ease-login.ts";
import { until } from "./until.ts";

/** Where the run keeps what instances begin on: a `cluster` as initdb and the product leave it before its first start, and a `folder` as it is after that start. */
export const firstStartVariable = "HELIOGRAPH_TEST_FIRST";

/** Settings that a first start writes into what it makes: an instance with one of them starts on the cluster, and makes the rest itself. */
const written = [
  "HELIOGRAPH_DATABASE_URL",
  "HELIOGRAPH_DEMO",
  "HELIOGRAPH_EVENTSTORE_URL",
  // How consumers are divided, which leaves a row for each part.
  "HELIOGRAPH_FEED",
  "HELIOGRAPH_LOG",
  "HELIOGRAPH_MASTER_KEY",
];
export const isPlain = (env: Readonly<Record<string, string>> = {}): boolean =>
  written.every((name) => env[name] === undefined);

const makingMs = 120_000;
/** What a cluster remembers of where it ran. */
const own = ["port", "postgres.log"];

/** Gives a data folder that has no cluster yet a copy of the run's, in a tenth of the time of initdb. Does nothing outside of a run. */
export async function giveFirstCluster(dataDir: string): Promise<void> {
  const target = join(dataDir, "postgres");
  if (existsSync(target)) return;
  const first = await madeOnce("cluster", async (making) => {
    const server = await startEmbeddedPostgres({ dataDir: making, fsync: false });
    try {
      await easeLogin(server.config);
    } finally {
      await server.stop();
    }
    forget(making);
  });
  if (first !== undefined) copy(first, target);
}

/**
 * Gives an empty data folder what the product's first start has made of another, the demo partner and the master key with it: a start then costs two thirds.
 * `start` starts the product on a folder, and stops it. Does nothing outside of a run.
 */
export async function giveFirstFolder(
  dataDir: string,
  start: (dataDir: string) => Promise<void>,
): Promise<void> {
  if (existsSync(join(dataDir, "postgres"))) return;
  const first = await madeOnce("folder", async (making) => {
    await start(making);
    forget(join(making, "postgres"));
  });
  if (first !== undefined) copy(`${first}/.`, dataDir);
}

/** The run's thing of that name: the first who asks makes it, in a folder beside it. Undefined outside of a run. */
export async function madeOnce(
  name: string,
  make: (making: string) => Promise<void>,
): Promise<string | undefined> {
  const home = process.env[firstStartVariable];
  if (home === undefined) return undefined;
  const first = join(home, name);
  if (existsSync(first)) return first;
  const making = `${first}.making`;
  try {
    mkdirSync(making);
  } catch {
    // Another worker does.
    await until(() => existsSync(first), { timeoutMs: makingMs, what: `${first} is made` });
    return first;
  }
  // The database's account passes through.
  chmodSync(making, 0o711);
  await make(making);
  renameSync(making, first);
  return first;
}

function forget(cluster: string): void {
  for (const name of own) rmSync(join(cluster, name), { force: true });
}

const copy = (from: string, to: string): void => void execFileSync("cp", ["-a", from, to]);
