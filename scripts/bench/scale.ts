import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startEmbeddedPostgres } from "@heliograph/embedded-postgres";
import { databaseConfig } from "@heliograph/runtime";
import { cpuMs, postmasterOf } from "./cpu.ts";
import { exampleBody } from "./http.ts";
import { newDataDir, removeDataDir, type Instance } from "@heliograph/testkit";
import { startMeasured } from "./instance.ts";
import { drive, postRequest } from "./load.ts";
import { multiply } from "./multiply.ts";
import { limitRow, type Row } from "./row.ts";

const real = 10_000;
const measured = 5_000;
const warming = 1_000;

/** CPU per message, whole life without webhooks, when 10⁴, 10⁵ … messages are stored already: each within 10 % of the first. What is stored is copied from the first that were really sent. */
export async function benchScale(): Promise<Row[]> {
  const most = Number(process.env["HELIOGRAPH_BENCH_SCALE"] ?? 1_000_000);
  const dataDir = newDataDir();
  const rows: Row[] = [];
  let first: number | undefined;
  let stored = 0;
  try {
    for (let target = real; target <= most; target *= 10) {
      if (stored > 0) stored += await fill(dataDir, stored, target);
      const instance = await startMeasured(dataDir);
      try {
        if (stored === 0) {
          await topUp(instance);
          stored += await post(instance, real);
        }
        const perMessage = await measure(instance);
        stored += measured + warming;
        first ??= perMessage;
        rows.push(
          limitRow(
            `CPU per message at ${target.toLocaleString("en")} stored, against the first`,
            "×",
            Math.round((perMessage / first) * 100) / 100,
            1.1,
            `${perMessage.toFixed(3)} ms`,
          ),
        );
      } finally {
        await instance.stop();
      }
    }
    return rows;
  } finally {
    await removeDataDir(dataDir);
  }
}

/** Until as many messages are stored. Gives how many were written. */
async function fill(dataDir: string, stored: number, target: number): Promise<number> {
  const server = await startEmbeddedPostgres({ dataDir: join(dataDir, "postgres") });
  try {
    const config = databaseConfig({ config: server.config, prefix: "heliograph" }, "sandbox");
    const copies = Math.floor(target / stored) - 1;
    const started = performance.now();
    const rows = await multiply(config, stored, copies);
    console.log(
      `${target.toLocaleString("en")} stored: ${rows.toLocaleString("en")} rows in ${Math.round((performance.now() - started) / 1_000)} s`,
    );
    return copies * stored;
  } finally {
    await server.stop();
  }
}

async function measure(instance: Instance): Promise<number> {
  const postmaster = await postmasterOf(instance.databaseUrl);
  const cpu = (): number => cpuMs(instance.pid) + cpuMs(postmaster);
  // What a start reads, and plans and buffers that are cold, belong to no message.
  await post(instance, warming);
  const before = cpu();
  await post(instance, measured);
  return (cpu() - before) / measured;
}

async function topUp(instance: Instance): Promise<void> {
  const topup = await fetch(`${instance.baseUrl}/api/v1/wallet/topups`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${instance.sandboxKey}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ amount: "100000" }),
  });
  if (topup.status !== 201) throw new Error(`top-up: ${topup.status} ${await topup.text()}`);
}

/** Posts so many messages and waits until every consumer has caught up. */
async function post(instance: Instance, count: number): Promise<number> {
  const request = postRequest(
    "127.0.0.1",
    "/api/v1/messages",
    { authorization: `Bearer ${instance.sandboxKey}` },
    exampleBody,
  );
  const { answers, statuses } = await drive(
    { host: "127.0.0.1", port: instance.port, connections: 64, request: () => request },
    { durationMs: 3_600_000, maxCalls: count },
  );
  if ((statuses["202"] ?? 0) !== answers)
    throw new Error(`answers other than 202: ${JSON.stringify(statuses)}`);
  for (;;) {
    await sleep(500);
    const projections = (await (
      await fetch(`${instance.baseUrl}/api/v1/admin/projections`, {
        headers: { authorization: `Bearer ${instance.adminKey}` },
      })
    ).json()) as {
      data: readonly { environment: string; lag_events: number }[];
    };
    if (
      projections.data.every(
        (projection) => projection.environment !== "sandbox" || projection.lag_events === 0,
      )
    )
      return answers;
  }
}
