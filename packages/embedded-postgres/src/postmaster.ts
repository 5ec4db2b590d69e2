import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { EmbeddedPostgresError } from "./error.ts";
import type { ProcessId } from "./processes.ts";
import { argumentsOf, isAlive, startTicksOf, waitUntil } from "./processes.ts";

/** A running server, as its postmaster.pid tells it. */
export type Postmaster = ProcessId & { readonly port: number; readonly socketFolder: string };

type PidFile = {
  pid: number;
  port: number;
  socketFolder: string;
  sharedMemoryId: number | undefined;
};

/** The server that runs on the cluster, undefined when none does: its number may be dead or somebody else's by now. */
export function runningPostmaster(clusterFolder: string): Postmaster | undefined {
  const file = readPidFile(clusterFolder);
  if (!file) return undefined;
  const { pid, port, socketFolder } = file;
  const startTicks = startTicksOf(pid);
  return startTicks !== undefined && servesCluster(pid, clusterFolder)
    ? { pid, startTicks, port, socketFolder }
    : undefined;
}

/**
 * Prepares a cluster without a running server for a start. The server removes a postmaster.pid of a dead process
 * itself, but refuses when the number now belongs to another process of its account: then the file is removed here.
 * Not before the last backend of the dead server has gone, though: two generations writing would destroy the data.
 *
 * @throws EmbeddedPostgresError when such backends outlive the deadline.
 */
export async function clearStalePidFile(clusterFolder: string, timeoutMs: number): Promise<void> {
  const file = readPidFile(clusterFolder);
  if (!file) return;
  const { sharedMemoryId } = file;
  if (sharedMemoryId !== undefined) {
    const gone = await waitUntil(() => attachedProcesses(sharedMemoryId) === 0, { timeoutMs });
    if (!gone) {
      throw new EmbeddedPostgresError(
        `processes of a killed PostgreSQL still hold ${clusterFolder} (shared memory ${sharedMemoryId}); end them first`,
      );
    }
  }
  if (startTicksOf(file.pid) !== undefined)
    rmSync(join(clusterFolder, "postmaster.pid"), { force: true });
  removeSocketFolder(file.socketFolder);
}

/**
 * Stops the server: fast (open transactions are rolled back, a checkpoint is written), and when that takes longer than
 * the deadline immediately (recovery at the next start); what even then stays is killed.
 */
export async function stopPostmaster(postmaster: Postmaster, fastTimeoutMs: number): Promise<void> {
  const steps = [
    ["SIGINT", fastTimeoutMs],
    ["SIGQUIT", 10_000],
    ["SIGKILL", 5_000],
  ] as const;
  for (const [signal, timeoutMs] of steps) {
    if (!isAlive(postmaster)) break;
    try {
      process.kill(postmaster.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ESRCH") break;
      throw error;
    }
    if (await waitUntil(() => !isAlive(postmaster), { timeoutMs })) break;
  }
  if (isAlive(postmaster)) {
    throw new EmbeddedPostgresError(`PostgreSQL, process ${postmaster.pid}, does not stop`);
  }
  removeSocketFolder(postmaster.socketFolder);
}

/** The prefix of the folders made for sockets; only such are ever removed. */
export const socketFolderPrefix = "heliograph-pg-";

export function removeSocketFolder(folder: string): void {
  if (folder.includes(`/${socketFolderPrefix}`)) rmSync(folder, { recursive: true, force: true });
}

function servesCluster(pid: number, clusterFolder: string): boolean {
  const [program = "", ...rest] = argumentsOf(pid);
  const at = rest.indexOf("-D");
  return program.endsWith("postgres") && at !== -1 && rest[at + 1] === clusterFolder;
}

/** Lines of postmaster.pid: pid, data folder, start time, port, socket folder, listen address, shared memory key and id. */
function readPidFile(clusterFolder: string): PidFile | undefined {
  let lines: string[];
  try {
    lines = readFileSync(join(clusterFolder, "postmaster.pid"), "utf8").split("\n");
  } catch {
    return undefined;
  }
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  const sharedMemoryId = (lines[6] ?? "").trim().split(/\s+/)[1];
  return {
    pid,
    port: Number(lines[3]),
    socketFolder: lines[4] ?? "",
    sharedMemoryId: sharedMemoryId === undefined ? undefined : Number(sharedMemoryId),
  };
}

/** How many processes hold the System V segment by which PostgreSQL itself tells that a cluster is in use. */
function attachedProcesses(sharedMemoryId: number): number {
  let table: string;
  try {
    table = readFileSync("/proc/sysvipc/shm", "utf8");
  } catch {
    return 0;
  }
  // Columns: key, shmid, perms, size, cpid, lpid, nattch, …
  const row = table
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .find((columns) => columns[1] === String(sharedMemoryId));
  return row ? Number(row[6]) : 0;
}
