import { fork } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { cpuMs, postmasterOf } from "./cpu.ts";
import { newDataDir, removeDataDir, type Instance } from "@heliograph/testkit";
import { startMeasured, stopChild } from "./instance.ts";
import { acceptToCall, connectTo, headOf, postMessages } from "./messages.ts";
import { limitRow, type Row } from "./row.ts";

const warmUpMs = 10_000;
const saturatedMs = 12_000;
const halfRateMs = 10_000;

/**
 * The whole life of a message: accepted, held, sent, delivered, captured, and two signed webhooks answered. First as fast as 64 connections post (CPU of every
 * server process and PostgreSQL, lag at the end), then at half of that rate (latencies).
 */
export async function benchLife(env: Readonly<Record<string, string>> = {}): Promise<Row[]> {
  const dataDir = newDataDir();
  const sink = fork(new URL("sink.ts", import.meta.url));
  const sinkPort = await new Promise<number>((resolve) =>
    sink.once("message", (message) => resolve((message as { port: number }).port)),
  );
  const instance = await startMeasured(dataDir, env);
  const database = await connectTo(instance.databaseUrl, "sandbox");
  try {
    await subscribe(instance, sinkPort);
    const sinkStats = async (): Promise<SinkStats> =>
      (await fetch(`http://127.0.0.1:${sinkPort}/`)).json() as never;
    const load = (durationMs: number, ratePerSecond?: number) =>
      postMessages(instance, durationMs, ratePerSecond);
    const drained = async (messages: number): Promise<number> => {
      const start = performance.now();
      while ((await sinkStats()).received < messages * 2) {
        if (performance.now() - start > 60_000)
          throw new Error(
            `after 60 s ${(await sinkStats()).received} of ${messages * 2} webhooks had arrived`,
          );
        await sleep(20);
      }
      return performance.now() - start;
    };

    // Until the compiler has seen every path some ten thousand times, it is the compiler that is measured.
    await drained((await load(warmUpMs)).answers);
    await fetch(`http://127.0.0.1:${sinkPort}/reset`);
    const postmaster = await postmasterOf(instance.databaseUrl);
    const before = { node: cpuMs(instance.pid), postgres: cpuMs(postmaster) };
    const start = performance.now();
    const saturated = await load(saturatedMs);
    const backlogMs = await drained(saturated.answers);
    const seconds = (performance.now() - start) / 1000;
    await sleep(300);
    const node = (cpuMs(instance.pid) - before.node) / saturated.answers;
    const postgres = (cpuMs(postmaster) - before.postgres) / saturated.answers;
    const rate = saturated.answers / seconds;

    await fetch(`http://127.0.0.1:${sinkPort}/reset`);
    const head = await headOf(database);
    const half = await load(halfRateMs, rate / 2);
    await drained(half.answers);
    const webhooks = await sinkStats();
    const { p50, p99 } = await acceptToCall(database, head);
    return rowsOf({ node, postgres, rate, backlogMs, posted: saturated, p50, p99, webhooks });
  } finally {
    await database.end();
    await instance.stop();
    await stopChild(sink);
    await removeDataDir(dataDir);
  }
}

type SinkStats = { readonly received: number; readonly p50Ms: number; readonly p99Ms: number };

function rowsOf(seen: {
  readonly node: number;
  readonly postgres: number;
  readonly rate: number;
  readonly backlogMs: number;
  readonly posted: { readonly answers: number; readonly seconds: number };
  readonly p50: number;
  readonly p99: number;
  readonly webhooks: SinkStats;
}): Row[] {
  const { node, postgres, rate, backlogMs, posted, p50, p99, webhooks } = seen;
  return [
    limitRow(
      "whole life: CPU per message",
      "ms",
      round(node + postgres),
      1,
      `Node ${round(node)} + PostgreSQL ${round(postgres)}`,
    ),
    limitRow(
      "whole life: messages/s, drained",
      "1/s",
      Math.round(rate),
      undefined,
      `posted ${Math.round(posted.answers / posted.seconds)}/s`,
    ),
    limitRow(
      "whole life: backlog after the last accept",
      "ms",
      Math.round(backlogMs),
      2_000,
      "lag bounded at the saturated rate",
    ),
    limitRow(
      "accept → provider call p50 at half rate",
      "ms",
      p50,
      5,
      "recorded times in the log, call included",
    ),
    limitRow("accept → provider call p99 at half rate", "ms", p99, 50, ""),
    limitRow(
      "event → webhook arrival p50 at half rate",
      "ms",
      webhooks.p50Ms,
      5,
      "event timestamp to arrival",
    ),
    limitRow("event → webhook arrival p99 at half rate", "ms", webhooks.p99Ms, 50, ""),
  ];
}

const round = (value: number): number => Math.round(value * 1000) / 1000;

async function subscribe(instance: Instance, sinkPort: number): Promise<void> {
  const answer = await fetch(`${instance.baseUrl}/api/v1/webhook-endpoints`, {
    method: "POST",
    headers: { authorization: `Bearer ${instance.sandboxKey}`, "content-type": "application/json" },
    body: JSON.stringify({
      url: `http://127.0.0.1:${sinkPort}/hook`,
      event_types: ["message.sent", "message.delivered"],
    }),
  });
  if (answer.status !== 201)
    throw new Error(`webhook endpoint: ${answer.status} ${await answer.text()}`);
  await sleep(500);
}
