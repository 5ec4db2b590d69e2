import { spawn } from "node:child_process";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Account, identity } from "./account.ts";
import type { Binaries } from "./binaries.ts";
import { EmbeddedPostgresError } from "./error.ts";
import type { Home } from "./home.ts";

export const superuser = "heliograph";

/** initdb takes 1 s on an idle machine; a minute covers a slow disk. */
const initdbTimeoutMs = 60_000;
const removal = { recursive: true, force: true };

/**
 * Makes the cluster when there is none. It is made under another name and renamed when complete, so a kill at any
 * moment leaves either no cluster or a whole one; leftovers of such kills are removed here. initdb gets the server's lock
 * as it goes on when its owner is killed: whoever has the lock next finds it ended.
 */
export async function ensureCluster(
  home: Home,
  binaries: Binaries,
  password: string,
  { fsync, lock }: { fsync: boolean; lock: number },
): Promise<void> {
  const { clusterFolder, account } = home;
  const parent = dirname(clusterFolder);
  const partialPrefix = `${basename(clusterFolder)}.partial-`;
  for (const name of readdirSync(parent)) {
    if (name.startsWith(partialPrefix)) rmSync(join(parent, name), removal);
  }
  if (existsSync(clusterFolder)) return;

  const partial = join(parent, `${partialPrefix}${process.pid}`);
  mkdirSync(partial, { mode: 0o700 });
  const passwordFile = join(partial, "password");
  writeFileSync(passwordFile, password, { mode: 0o600 });
  if (account) {
    chownSync(partial, account.uid, account.gid);
    chownSync(passwordFile, account.uid, account.gid);
  }
  const folder = join(partial, "cluster");
  try {
    await run(
      binaries.initdb,
      [
        `--pgdata=${folder}`,
        `--username=${superuser}`,
        `--pwfile=${passwordFile}`,
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        // Byte order like C, Unicode upper and lower; the same on every machine whatever its libc.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
        ...(fsync ? [] : ["--no-sync"]),
      ],
      account,
      lock,
    );
    renameSync(folder, clusterFolder);
  } catch (error) {
    throw new EmbeddedPostgresError(`initdb failed in ${parent}: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    rmSync(partial, removal);
  }
}

/** Resolves when the program ends with 0, else rejects with what it said. */
function run(
  program: string,
  programArguments: readonly string[],
  account: Account,
  lock: number,
): Promise<void> {
  const child = spawn(program, programArguments, {
    cwd: "/",
    env: serverEnvironment(),
    timeout: initdbTimeoutMs,
    stdio: ["ignore", "ignore", "pipe", lock],
    ...identity(account),
  });
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (said += text));
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(said.trim() || `it ended with ${signal ?? code}`));
    });
  });
}

/** Nothing of ours: PG* variables and locales of the caller would change what the server does. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };
}
