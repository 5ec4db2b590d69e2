import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { startKafka, until } from "@heliograph/testkit";
import { isAlive } from "../shared/instance.ts";

const usualPort = 9092;
const stopTimeoutMs = 30_000;

/** What `kafka up` leaves in the data folder: the port stays the same over restarts. */
type Noted = { readonly pid: number | undefined; readonly port: number };

const folderOf = (dataDir: string): string => join(dataDir, "kafka");
const noteOf = (dataDir: string): string => join(folderOf(dataDir), "broker.json");

function readNote(dataDir: string): Noted | undefined {
  try {
    return JSON.parse(readFileSync(noteOf(dataDir), "utf8")) as Noted;
  } catch {
    return undefined;
  }
}

/** Where the broker of this data folder answers; undefined when it does not run. */
export async function findBroker(
  dataDir: string,
): Promise<{ readonly pid: number; readonly brokers: string } | undefined> {
  const noted = readNote(dataDir);
  if (noted?.pid === undefined || !isAlive(noted.pid)) return undefined;
  // After a restart of the machine the number may be another process's.
  const command = await commandOf(noted.pid);
  if (!command.includes(join(folderOf(dataDir), "server.properties"))) return undefined;
  return { pid: noted.pid, brokers: `127.0.0.1:${noted.port}` };
}

const commandOf = (pid: number): Promise<string> =>
  promisify(execFile)("ps", ["-ww", "-o", "args=", "-p", String(pid)]).then(
    ({ stdout }) => stdout,
    () => "",
  );

/**
 * Starts a broker in the background on the data below this folder, unless it runs. It listens on loopback only.
 *
 * @param port undefined takes the port of last time, else 9092 when it is free, else any.
 * @throws Error when there is no Java, or when the broker does not answer in time.
 */
export async function bringUp(dataDir: string, port: number | undefined): Promise<string> {
  const running = await findBroker(dataDir);
  if (running !== undefined) return running.brokers;
  const folder = folderOf(dataDir);
  mkdirSync(folder, { recursive: true });
  const chosen = port ?? readNote(dataDir)?.port ?? ((await isFree(usualPort)) ? usualPort : 0);
  const broker = await startKafka({
    dataDir: folder,
    ...(chosen !== 0 && { port: chosen }),
    detached: true,
  });
  const brokers = broker.brokers[0]!;
  const note: Noted = { pid: broker.pid, port: Number(brokers.split(":")[1]) };
  writeFileSync(noteOf(dataDir), `${JSON.stringify(note)}\n`);
  return brokers;
}

/** Stops the broker of this data folder in order; false when it does not run. The data stays, unless `remove`. */
export async function bringDown(dataDir: string, remove: boolean): Promise<boolean> {
  const running = await findBroker(dataDir);
  if (running !== undefined) {
    process.kill(running.pid, "SIGTERM");
    await until(() => !isAlive(running.pid), {
      timeoutMs: stopTimeoutMs,
      what: "the broker has stopped",
    }).catch(() => process.kill(running.pid, "SIGKILL"));
    const noted = readNote(dataDir)!;
    writeFileSync(noteOf(dataDir), `${JSON.stringify({ port: noted.port })}\n`);
  }
  if (remove) rmSync(folderOf(dataDir), { recursive: true, force: true });
  return running !== undefined;
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createServer()
      .once("error", () => resolve(false))
      .listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });
