import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { EmbeddedPostgresError } from "./error.ts";
import { type ProcessId, argumentsOf, isAlive, startTicksOf, waitUntil } from "./processes.ts";

/** A running server, as its postmaster.pid tells it. */
export type Postmaster = ProcessId & { readonly port: number; readonly socketFolder: string };

type PidFile = { pid: number; port: number; socketFolder: string };

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
 * Removes the postmaster.pid that a dead server left. The server would refuse to start when the number in it belongs to
 * another process of its account by now, or to a dead one that nobody has waited for. Only for who holds the server's
 * lock: then no process of that server, not even one last backend, is left.
 */
export function clearStalePidFile(clusterFolder: string): void {
  const file = readPidFile(clusterFolder);
  rmSync(join(clusterFolder, "postmaster.pid"), { force: true });
  if (file) removeSocketFolder(file.socketFolder);
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

/** What cannot be removed is left: it may be somebody else's by now, and a start that finds the name taken uses another. */
export function removeSocketFolder(folder: string): void {
  if (!folder.includes(`/${socketFolderPrefix}`)) return;
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {}
}

function servesCluster(pid: number, clusterFolder: string): boolean {
  const [program = "", ...rest] = argumentsOf(pid);
  const at = rest.indexOf("-D");
  return program.endsWith("postgres") && at !== -1 && rest[at + 1] === clusterFolder;
}

/** Lines of postmaster.pid: pid, data folder, start time, port, socket folder, … */
function readPidFile(clusterFolder: string): PidFile | undefined {
  let lines: string[];
  try {
    lines = readFileSync(join(clusterFolder, "postmaster.pid"), "utf8").split("\n");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const pid = Number(lines[0]);
  if (!Number.isInteger(pid) || pid <= 0) return undefined;
  return { pid, port: Number(lines[3]), socketFolder: lines[4] ?? "" };
}
