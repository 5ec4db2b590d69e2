import { fork } from "node:child_process";
import { tmpdir } from "node:os";
import { startEmbeddedPostgres } from "@heliograph/embedded-postgres";
import { newDataDir, removeDataDir } from "@heliograph/testkit";
import type { Turn } from "./compare-child.ts";
import { installCompared, versionOf } from "./compare-install.ts";
import type { SubjectName } from "./compare-subjects.ts";
import { postmasterOf } from "./cpu.ts";
import { redisIsMissing, startRedis } from "./redis.ts";
import type { Row } from "./row.ts";

const rounds = 2;

type Server = { readonly url: string; readonly pid: number };
type Line = {
  readonly subject: SubjectName;
  readonly called: string;
  readonly server: Server;
  readonly kind: "jobs" | "events";
};

/**
 * Jobs and events beside pg-boss, BullMQ and Emmett: 64 callers in a process of its own for each subject, one after the other, twice, with PostgreSQL and Redis on the same disk. Needs npm, and for BullMQ
 * `redis-server`; what is not there is named and left out.
 */
export async function benchCompare(): Promise<Row[]> {
  installCompared();
  const dataDir = newDataDir(tmpdir());
  const postgres = await startEmbeddedPostgres({ dataDir: `${dataDir}/postgres` });
  const redis = await startRedises();
  try {
    const server = { url: postgres.url, pid: await postmasterOf(postgres.url) };
    const lines: Line[] = [
      { subject: "heliograph-jobs", called: "log and reactor", server, kind: "jobs" },
      { subject: "pg-boss", called: versionOf("pg-boss"), server, kind: "jobs" },
      ...redis.map(({ fsync, ...each }): Line => ({
        subject: "bullmq",
        called: `${versionOf("bullmq")}, appendfsync ${fsync}`,
        server: each,
        kind: "jobs",
      })),
      { subject: "heliograph-events", called: "log", server, kind: "events" },
      { subject: "emmett", called: versionOf("@event-driven-io/emmett"), server, kind: "events" },
    ];
    const turns = lines.map((): Turn[] => []);
    for (let round = 0; round < rounds; round++)
      for (const [index, line] of lines.entries()) turns[index]!.push(await turnOf(line));
    return rowsOf(lines, turns);
  } finally {
    await Promise.all(redis.map((each) => each.stop()));
    await postgres.stop();
    await removeDataDir(dataDir);
  }
}

function turnOf({ subject, server, kind }: Line): Promise<Turn> {
  const args = [subject, server.url, String(server.pid), kind];
  const child = fork(new URL("compare-child.ts", import.meta.url), args);
  return new Promise((resolve, reject) => {
    let turn: Turn | undefined;
    child.once("message", (message) => (turn = message as Turn));
    child.once("exit", (code) =>
      turn === undefined ? reject(new Error(`${subject} ended with ${code}`)) : resolve(turn),
    );
  });
}

type Of = (turn: Turn) => number;
const meanOf = (turns: readonly Turn[], of: Of): number =>
  turns.reduce((sum, turn) => sum + of(turn), 0) / turns.length;

/** What a job or an event cost, and how long it took: p50 and p99 of each turn. */
function noteOf(turns: readonly Turn[]): string {
  const show = (pair: (turn: Turn) => readonly [number, number] | undefined): string =>
    turns.map((turn) => pair(turn)?.join(" / ")).join(" and ");
  const cpu = (of: Of): string => `${meanOf(turns, of).toFixed(3)} ms`;
  const through = show((turn) => turn.throughMs);
  return `CPU each ${cpu((turn) => turn.cpuMsEach)} of Node and ${cpu((turn) => turn.serverCpuMsEach)} of the server; accept p50 / p99 ms ${show((turn) => turn.acceptMs)}${
    turns[0]!.throughMs === undefined ? "" : `, until handled ${through}`
  }`;
}

function rowsOf(lines: readonly Line[], turns: readonly (readonly Turn[])[]): Row[] {
  /** Beside the first of its kind, which is ours. */
  const row = (figure: string, index: number, of: Of, note?: string): Row => {
    const first = lines.findIndex(({ kind }) => kind === lines[index]!.kind);
    const [value, baseline] = [meanOf(turns[index]!, of), meanOf(turns[first]!, of)];
    return {
      figure: `${figure}: ${lines[index]!.called}`,
      value: Math.round(value),
      unit: "/s",
      goal: "",
      met: true,
      ...(index !== first && {
        baseline: Math.round(baseline),
        ratio: Math.round((value / baseline) * 100) / 100,
      }),
      ...(note !== undefined && { note }),
    };
  };
  const called = { jobs: "job accepted and handled once", events: "event appended" };
  return [
    ...lines.map(({ kind }, index) =>
      row(called[kind], index, (turn) => turn.perSecond, noteOf(turns[index]!)),
    ),
    ...lines.flatMap(({ kind }, index) =>
      kind === "events" ? [row("rebuild", index, (turn) => turn.rebuiltPerSecond!)] : [],
    ),
  ];
}

/** One that makes each command durable before its answer, and one that does so once a second. */
async function startRedises() {
  const missing = redisIsMissing();
  if (missing) {
    console.error(`${missing}: BullMQ is left out`);
    return [];
  }
  return Promise.all([startRedis("always"), startRedis("everysec")]);
}
