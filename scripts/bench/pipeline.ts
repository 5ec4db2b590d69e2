import { fork } from "node:child_process";
import { newDataDir, removeDataDir } from "@heliograph/testkit";
import { ownCpuMs } from "./cpu.ts";
import { startMeasured, stopChild } from "./instance.ts";
import { drive } from "./load.ts";
import { limitRow, type Row } from "./row.ts";

const rounds = 3;
const sliceMs = 3_000;

/** CPU of one process's main thread and its helpers for each answer, in µs: what a wall clock says on a busy machine is not what a call costs. */
type Server = { readonly pid: number; readonly port: number; readonly path: string };

/**
 * What each call goes through (route, key, limits, scope, headers) before and after its handler: `GET /limits`, whose handler reads memory, against the same answer of an Express route with nothing
 * before it; with the limits in memory, and with limits that several processes share in PostgreSQL.
 */
export async function benchPipeline(): Promise<Row[]> {
  const dataDirs = [newDataDir(), newDataDir()];
  const bare = fork(new URL("bare-express.ts", import.meta.url));
  const barePort = await new Promise<number>((resolve) =>
    bare.once("message", (message) => resolve((message as { port: number }).port)),
  );
  const instances = [
    await startMeasured(dataDirs[0]!, { HELIOGRAPH_SERVICES: "ingress" }),
    await startMeasured(dataDirs[1]!, {
      HELIOGRAPH_SERVICES: "ingress",
      HELIOGRAPH_LIMITS: "postgres",
    }),
  ];
  try {
    const servers: (Server & { readonly key: string })[] = [
      { pid: bare.pid!, port: barePort, path: "/limits", key: "none" },
      ...instances.map(({ pid, port, sandboxKey }) => ({
        pid,
        port,
        path: "/api/v1/limits",
        key: sandboxKey,
      })),
    ];
    const sums = servers.map(() => 0);
    for (const server of servers) await microsOf(server, server.key);
    for (let round = 0; round < rounds; round++)
      for (const [index, server] of servers.entries())
        sums[index]! += (await microsOf(server, server.key)) / rounds;
    const [none, memory, shared] = sums.map((sum) => Math.round(sum * 10) / 10);
    const row = (what: string, value: number): Row =>
      limitRow(
        `CPU of a call, ${what}`,
        "µs",
        value,
        undefined,
        `bare Express route: ${none} µs, so the pipeline takes ${Math.round((value - none!) * 10) / 10} µs`,
      );
    return [row("limits in memory", memory!), row("limits shared in PostgreSQL", shared!)];
  } finally {
    for (const instance of instances) await instance.stop();
    await stopChild(bare);
    for (const dataDir of dataDirs) await removeDataDir(dataDir);
  }
}

async function microsOf({ pid, port, path }: Server, key: string): Promise<number> {
  const request = `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${key}\r\n\r\n`;
  const before = ownCpuMs(pid);
  const { answers, statuses } = await drive(
    { host: "127.0.0.1", port, connections: 32, request: () => request },
    { durationMs: sliceMs },
  );
  if (Object.keys(statuses).some((status) => status !== "200"))
    throw new Error(`answers other than 200: ${JSON.stringify(statuses)}`);
  return ((ownCpuMs(pid) - before) * 1000) / answers;
}
