import { execFile } from "node:child_process";
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
import { promisify } from "node:util";
import { identity } from "./account.ts";
import type { Binaries } from "./binaries.ts";
import { EmbeddedPostgresError } from "./error.ts";
import type { Home } from "./home.ts";
import { pidsWithArgument } from "./processes.ts";

export const superuser = "heliograph";

/** initdb takes 1 s on an idle machine; a minute covers a slow disk. */
const initdbTimeoutMs = 60_000;
/** The last child of a killed initdb may still write a file or two: a folder that is not empty after all is tried again. */
const removal = { recursive: true, force: true, maxRetries: 10, retryDelay: 50 };

/**
 * Makes the cluster when there is none. It is made under another name and renamed when complete, so a kill at any
 * moment leaves either no cluster or a whole one; leftovers of such kills are removed here. Call it under the lock.
 */
export async function ensureCluster(
  home: Home,
  binaries: Binaries,
  password: string,
  fsync: boolean,
): Promise<void> {
  const { clusterFolder, account } = home;
  const parent = dirname(clusterFolder);
  const partialPrefix = `${basename(clusterFolder)}.partial-`;
  for (const name of readdirSync(parent)) {
    if (name.startsWith(partialPrefix)) removePartial(join(parent, name));
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
    await promisify(execFile)(
      binaries.initdb,
      [
        pgdataArgument(partial),
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
      { cwd: "/", env: serverEnvironment(), timeout: initdbTimeoutMs, ...identity(account) },
    );
    renameSync(folder, clusterFolder);
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    throw new EmbeddedPostgresError(`initdb failed in ${parent}: ${(stderr || message).trim()}`, {
      cause: error,
    });
  } finally {
    rmSync(partial, removal);
  }
}

/** The initdb of a killed owner goes on, and would make its folders again after we removed them: it is ended first. */
function removePartial(partial: string): void {
  for (const pid of pidsWithArgument(pgdataArgument(partial))) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
  // What initdb had started outlives it by a moment and may still write: looked at again until the folder stays away.
  for (let look = 0; look < 20; look++) {
    rmSync(partial, removal);
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 25);
    if (!existsSync(partial)) return;
  }
}

const pgdataArgument = (partial: string): string => `--pgdata=${join(partial, "cluster")}`;

/** Nothing of ours: PG* variables and locales of the caller would change what the server does. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH ?? "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };
}
