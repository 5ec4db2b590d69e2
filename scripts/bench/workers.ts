import { fileURLToPath } from "node:url";
import { freePort, spawnService } from "@heliograph/testkit";
import { cpuMs, postmasterOf } from "./cpu.ts";
import { openCluster } from "./cluster.ts";
import { drive, postRequest } from "./load.ts";
import { limitRow, ratioRow, type Row } from "./row.ts";

const entry = fileURLToPath(new URL("../../services/ingress/src/main.ts", import.meta.url));
const rounds = 3;
const sliceMs = 4_000;
/** Of each process: its first requests cost 1 ms of Node, after 2,500 they cost 0.2 to 0.4, and only after 15,000 what they go on costing. Two processes get there half as fast. */
const warmUpPosts = 20_000;
const longestWarmUpMs = 60_000;
const counts = [1, 2] as const;

type Side = {
  readonly port: number;
  readonly pid: number;
  answers: number;
  seconds: number;
  cpu: number;
};

/** Durable `POST /messages` by the REST API alone with two workers against one, on one PostgreSQL; they take turns. What drives them runs beside them. */
export async function benchWorkers(): Promise<Row[]> {
  const cluster = await openCluster({}, 1);
  const started: ReturnType<typeof spawnService>[] = [];
  try {
    const { HELIOGRAPH_DATABASE_URL: database } = cluster.env;
    const postmaster = await postmasterOf(database!);
    const sides: Side[] = [];
    for (const workers of counts) {
      const port = await freePort();
      const service = spawnService(entry, {
        ...cluster.env,
        HELIOGRAPH_LOG_LEVEL: "info",
        HELIOGRAPH_PORT: String(port),
        HELIOGRAPH_WORKERS: String(workers),
      });
      started.push(service);
      await service.outputMatching(new RegExp(`(?:"msg":"listening"[^]*){${workers}}`), 90_000);
      sides.push({ port, pid: service.pid, answers: 0, seconds: 0, cpu: 0 });
    }
    const body = JSON.stringify({ channel: "sms", to: "+41790000099", text: "It is on its way." });
    const authorization = `Bearer ${cluster.partners[0]!.sandbox}`;
    const request = postRequest("127.0.0.1", "/api/v1/messages", { authorization }, body);
    const run = async (side: Side, durationMs: number, warmUp?: number): Promise<void> => {
      const before = cpuMs(side.pid, postmaster);
      const result = await drive(
        { host: "127.0.0.1", port: side.port, connections: 64, request: () => request },
        { durationMs, ...(warmUp !== undefined && { maxCalls: warmUp }) },
      );
      if (Object.keys(result.statuses).some((status) => status !== "202"))
        throw new Error(`answers other than 202: ${JSON.stringify(result.statuses)}`);
      if (warmUp !== undefined) return;
      side.answers += result.answers;
      side.seconds += result.seconds;
      side.cpu += cpuMs(side.pid, postmaster) - before;
    };
    for (const [index, side] of sides.entries())
      await run(side, longestWarmUpMs, warmUpPosts * counts[index]!);
    for (let round = 0; round < rounds; round++) for (const side of sides) await run(side, sliceMs);
    const [one, two] = sides as [Side, Side];
    const each = ({ cpu, answers }: Side): number => Math.round((cpu / answers) * 1000) / 1000;
    return [
      ratioRow(
        "durable POST /messages, 64 connections, two workers",
        "requests/s",
        two.answers / two.seconds,
        { value: one.answers / one.seconds, of: "one worker, where a core is free" },
        1.6,
      ),
      limitRow(
        "the same: CPU a POST with PostgreSQL",
        "ms",
        each(two),
        Math.round(each(one) * 1_100) / 1_000,
        `with one worker ${each(one)} ms`,
      ),
    ];
  } finally {
    await Promise.all(started.map((each) => each.stop(30_000)));
    await cluster.close();
  }
}
