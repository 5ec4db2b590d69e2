import { setTimeout as sleep } from "node:timers/promises";
import { cpuMs, postmasterOf } from "./cpu.ts";
import { exampleBody } from "./http.ts";
import { newDataDir, removeDataDir, type Instance } from "@heliograph/testkit";
import { startMeasured } from "./instance.ts";
import { drive, postRequest } from "./load.ts";
import { limitRow, type Row } from "./row.ts";

const measured = 5_000;

/** CPU per message, whole life without webhooks, when 10⁴, 10⁵ … messages are stored already: each within 10 % of the first. */
export async function benchScale(): Promise<Row[]> {
  const most = Number(process.env["HELIOGRAPH_BENCH_SCALE"] ?? 100_000);
  const dataDir = newDataDir();
  const instance = await startMeasured(dataDir);
  const postmaster = await postmasterOf(instance.databaseUrl);
  try {
    const topup = await fetch(`${instance.baseUrl}/api/v1/wallet/topups`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${instance.sandboxKey}`,
        "content-type": "application/json",
      },
      body: JSON.stringify({ amount: "100000" }),
    });
    if (topup.status !== 201) throw new Error(`top-up: ${topup.status} ${await topup.text()}`);
    const rows: Row[] = [];
    let stored = 0;
    let first: number | undefined;
    const cpu = (): number => cpuMs(instance.pid) + cpuMs(postmaster);
    for (let target = 10_000; target <= most; target *= 10) {
      stored += await post(instance, target - stored);
      const before = cpu();
      const count = await post(instance, measured);
      const perMessage = (cpu() - before) / count;
      stored += count;
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
    }
    return rows;
  } finally {
    await instance.stop();
    await removeDataDir(dataDir);
  }
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
