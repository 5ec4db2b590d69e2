import { setTimeout as sleep } from "node:timers/promises";
import { newDataDir, removeDataDir } from "@heliograph/testkit";
import { cpuMs, ownCpuMs, postmasterOf } from "./cpu.ts";
import { startMeasured } from "./instance.ts";
import { limitRow, type Row } from "./row.ts";

const settleMs = 20_000;
const measuredMs = 30_000;

/**
 * What one instance with both environments and the demo partner takes of a core while nothing happens. The goal is the product's own process; PostgreSQL is told
 * apart, because a company's server idles for others too.
 */
export async function benchIdle(
  feed: string,
  env: Readonly<Record<string, string>>,
  mostPercent: number,
): Promise<Row[]> {
  const dataDir = newDataDir();
  const instance = await startMeasured(dataDir, env);
  try {
    const postmaster = await postmasterOf(instance.databaseUrl);
    await sleep(settleMs);
    const before = { node: ownCpuMs(instance.pid), postgres: cpuMs(postmaster) };
    const start = performance.now();
    await sleep(measuredMs);
    const percent = (ms: number): number =>
      Math.round((ms / (performance.now() - start)) * 10_000) / 100;
    const node = percent(ownCpuMs(instance.pid) - before.node);
    const postgres = percent(cpuMs(postmaster) - before.postgres);
    const seconds = `over ${measuredMs / 1000} s after ${settleMs / 1000} s`;
    return [
      limitRow(`idle instance, ${feed} feed: Node`, "% of a core", node, mostPercent, seconds),
      limitRow(`idle instance, ${feed} feed: PostgreSQL`, "% of a core", postgres, undefined, ""),
    ];
  } finally {
    await instance.stop();
    await removeDataDir(dataDir);
  }
}
