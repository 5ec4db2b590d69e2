import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chownSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { identity } from "./account.ts";
import type { Binaries } from "./binaries.ts";
import { serverEnvironment } from "./cluster.ts";
import { EmbeddedPostgresError } from "./error.ts";
import type { Home } from "./home.ts";
import { type Postmaster, removeSocketFolder, socketFolderPrefix } from "./postmaster.ts";
import { startTicksOf, waitUntil } from "./processes.ts";
import { waitForAnswer } from "./readiness.ts";
import { type Settings, settingsArguments } from "./settings.ts";

/** A log above this size is put aside at the next start, one generation is kept. */
const maxLogBytes = 16 * 1024 * 1024;
const logTailBytes = 4096;

/** Everything on the command line but port and socket folder, which differ from start to start. */
export function serverArguments(clusterFolder: string, settings: Settings): string[] {
  return [
    "-D",
    clusterFolder,
    ...settingsArguments({ ...settings, listen_addresses: "127.0.0.1" }),
  ];
}

/**
 * Starts `postgres` in a session of its own, so that Ctrl-C in the terminal reaches only us and our drain still has a
 * database, and with a file for its output, so that it survives us without writing into a closed pipe.
 */
export async function launch(
  home: Home,
  binaries: Binaries,
  options: {
    port: number;
    settings: Settings;
    config: pg.ClientConfig;
    timeoutMs: number;
    /** Given to the server and its backends, who so hold it until the last of them ends. */
    lock: number;
  },
): Promise<Postmaster> {
  const { clusterFolder, account } = home;
  const socketFolder = makeSocketFolder(home);
  const log = openLog(home);
  const child = spawn(
    binaries.postgres,
    [
      ...serverArguments(clusterFolder, options.settings),
      ...settingsArguments({
        port: String(options.port),
        unix_socket_directories: socketFolder,
        unix_socket_permissions: "0700",
      }),
    ],
    {
      cwd: "/",
      env: serverEnvironment(),
      detached: true,
      stdio: ["ignore", log.descriptor, log.descriptor, options.lock],
      ...identity(account),
    },
  );
  closeSync(log.descriptor);
  child.unref();
  let ended: string | undefined;
  child.once("error", (error) => (ended = error.message));
  child.once("exit", (code, signal) => (ended ??= `exited with ${signal ?? code}`));

  const config = { ...options.config, host: socketFolder, port: options.port };
  let failure: string | undefined;
  try {
    failure = await waitForAnswer(config, () => ended, options.timeoutMs);
    const startTicks = child.pid === undefined ? undefined : startTicksOf(child.pid);
    if (failure === undefined && child.pid !== undefined && startTicks !== undefined) {
      return { pid: child.pid, startTicks, port: options.port, socketFolder };
    }
  } catch (error) {
    failure = (error as Error).message;
  }
  child.kill("SIGQUIT");
  await waitUntil(() => ended !== undefined, { timeoutMs: 10_000 });
  removeSocketFolder(socketFolder);
  throw new EmbeddedPostgresError(
    `PostgreSQL did not start: ${failure ?? ended}. The end of ${log.file}:\n${log.tail()}`,
  );
}

/** Whether the running server was started with just these arguments (but for port and socket). */
export function runsWith(clusterFolder: string, settings: Settings): boolean {
  let line: string;
  try {
    line = readFileSync(join(clusterFolder, "postmaster.opts"), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
  const wanted = serverArguments(clusterFolder, settings).map((argument) => `"${argument}"`);
  return line.includes(` ${wanted.join(" ")} `);
}

/** A free port of 127.0.0.1: the wanted one when it is free, else one from the system. */
export async function freePort(wanted: number | undefined): Promise<number> {
  const tryPort = (port: number) =>
    new Promise<number | undefined>((resolve, reject) => {
      const server = createServer();
      server.once("error", (error: NodeJS.ErrnoException) => {
        // Another port may do where this one is taken or not for us; a want of descriptors is no answer.
        if (error.code === "EADDRINUSE" || error.code === "EACCES") resolve(undefined);
        else reject(error);
      });
      server.listen({ port, host: "127.0.0.1" }, () => {
        const address = server.address();
        server.close(() =>
          resolve(typeof address === "object" && address ? address.port : undefined),
        );
      });
    });
  const port = (wanted === undefined ? undefined : await tryPort(wanted)) ?? (await tryPort(0));
  if (port === undefined) throw new EmbeddedPostgresError("127.0.0.1 has no free port");
  return port;
}

/**
 * A socket's path is limited to 107 bytes, so it gets a short folder of its own, closed to everybody but the server's
 * account. Its name follows from the data folder, so that what a killed server left is replaced and not piled up.
 */
function makeSocketFolder({ dataFolder, account }: Home): string {
  const base = account || tmpdir().length > 60 ? "/tmp" : tmpdir();
  const { dev, ino } = statSync(dataFolder);
  const name = createHash("sha256")
    .update(`${dataFolder}:${dev}:${ino}`)
    .digest("hex")
    .slice(0, 10);
  const wanted = join(base, `${socketFolderPrefix}${name}`);
  const folder = makeOwnFolder(wanted);
  if (account) chownSync(folder, account.uid, account.gid);
  return folder;
}

/** The folder of this name; where somebody else has put something under it, which we may not remove, one of another name. */
function makeOwnFolder(wanted: string): string {
  removeSocketFolder(wanted);
  try {
    // Fails when something of this name is there: nothing is followed or reused.
    mkdirSync(wanted, { mode: 0o700 });
    return wanted;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return mkdtempSync(`${wanted}-`);
  }
}

function openLog({ dataFolder }: Home): { descriptor: number; file: string; tail: () => string } {
  const file = join(dataFolder, "postgres.log");
  let size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > maxLogBytes) {
    renameSync(file, `${file}.1`);
    size = 0;
  }
  const descriptor = openSync(file, "a", 0o600);
  const tail = () => {
    const written = readFileSync(file).subarray(size);
    return written
      .subarray(Math.max(0, written.length - logTailBytes))
      .toString()
      .trim();
  };
  return { descriptor, file, tail };
}
