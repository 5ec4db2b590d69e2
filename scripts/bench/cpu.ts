import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";

const ticksPerSecond = 100;

type Process = { readonly pid: number; readonly parent: number; readonly ticks: number };

function processes(): Process[] {
  const found: Process[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const text = readFileSync(`/proc/${entry}/stat`, "utf8");
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      // utime, stime and those of children that have ended.
      found.push({
        pid: Number(entry),
        parent: Number(fields[1]),
        ticks: Number(fields[11]) + Number(fields[12]) + Number(fields[13]) + Number(fields[14]),
      });
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

/** CPU milliseconds, user and system, that processes and all their descendants have used so far. */
export function cpuMs(...roots: readonly number[]): number {
  const all = processes();
  const family = new Set(roots);
  for (let size = 0; size !== family.size;) {
    size = family.size;
    for (const process of all) if (family.has(process.parent)) family.add(process.pid);
  }
  return (
    all
      .filter((process) => family.has(process.pid))
      .reduce((sum, process) => sum + process.ticks, 0) *
    (1000 / ticksPerSecond)
  );
}

/** The same of one process without its children. */
export const ownCpuMs = (pid: number): number =>
  (processes().find((process) => process.pid === pid)?.ticks ?? 0) * (1000 / ticksPerSecond);

/** What the kernel holds in memory for the process now, in MB. */
export function residentMb(pid: number): number {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  if (kib === undefined) throw new Error(`process ${pid} has no resident memory`);
  return Number(kib) / 1024;
}

/** CPU of the process in percent of a core during a time from now, without its children, and its memory in MB at the end. */
export async function useDuring(pid: number, ms: number): Promise<{ percent: number; mb: number }> {
  const before = ownCpuMs(pid);
  const start = performance.now();
  await sleep(ms);
  const percent = ((ownCpuMs(pid) - before) / (performance.now() - start)) * 100;
  return { percent: Math.round(percent * 100) / 100, mb: Math.round(residentMb(pid)) };
}

/** The postmaster of the server that a URL leads to, on this machine: the parent of the session's own process. */
export async function postmasterOf(databaseUrl: string): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query("select pg_backend_pid() as pid");
    return processes().find((process) => process.pid === rows[0].pid)!.parent;
  } finally {
    await client.end();
  }
}
