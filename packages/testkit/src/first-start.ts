import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
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
  let tries = 0;
  if (!claim(first, tries)) {
    const made = (): boolean | "mine" => {
      if (existsSync(first)) return true;
      return isLeft(first, tries) && claim(first, ++tries) && "mine";
    };
    if ((await until(made, { timeoutMs: makingMs, what: `${first} is made` })) === true)
      return first;
  }
  const making = folderOf(first, tries);
  try {
    await make(making);
    renameSync(making, first);
    return first;
  } catch (error) {
    writeFileSync(makerOf(first, tries), "failed");
    throw error;
  }
}

const folderOf = (first: string, tries: number): string => `${first}.making-${tries}`;
const makerOf = (first: string, tries: number): string => `${first}.maker-${tries}`;

/** Whether this try is this process's: one of them makes the folder. */
function claim(first: string, tries: number): boolean {
  const making = folderOf(first, tries);
  try {
    mkdirSync(making);
  } catch {
    return false;
  }
  writeFileSync(makerOf(first, tries), String(process.pid));
  // The database's account passes through.
  chmodSync(making, 0o711);
  return true;
}

/** Whether whose try it is has failed, or has ended in the middle of it: a worker goes when the time of its test is over. */
function isLeft(first: string, tries: number): boolean {
  try {
    const maker = readFileSync(makerOf(first, tries), "utf8");
    if (maker === "failed") return true;
    process.kill(Number(maker), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}

function forget(cluster: string): void {
  for (const name of own) rmSync(join(cluster, name), { force: true });
}

const copy = (from: string, to: string): void => void execFileSync("cp", ["-a", from, to]);
