import { startEmbeddedPostgres } from "@heliograph/embedded-postgres";
import { newDataDir, removeDataDir, until, type Instance } from "@heliograph/testkit";
import { tmpdir } from "node:os";
import pg from "pg";
import { cpuMs, postmasterOf } from "./cpu.ts";
import { fillMessages } from "./fill-messages.ts";
import { exampleBody } from "./http.ts";
import { startMeasured } from "./instance.ts";
import { drive, postRequest } from "./load.ts";
import { limitRow, type Row } from "./row.ts";

const least = 10_000;
const warmUp = 2_000;
const measured = 5_000;
const longestCatchUpMs = 3_600_000;

/** CPU per message, whole life without webhooks, when 10⁴, 10⁵ … messages are stored already: each within 10 % of the first. They are filled into the log, and the projectors make their rows of them. */
export async function benchScale(): Promise<Row[]> {
  const most = Number(process.env["HELIOGRAPH_BENCH_SCALE"] ?? 100_000);
  // On a disk: ten million messages fit into few memories.
  const dataDir = newDataDir(tmpdir());
  const server = await startEmbeddedPostgres({ dataDir: `${dataDir}/postgres` });
  const database = Object.assign(new URL(server.url), { pathname: "/heliograph_sandbox" }).href;
  const start = (): Promise<Instance> =>
    startMeasured(dataDir, { HELIOGRAPH_DATABASE_URL: server.url, HELIOGRAPH_DEMO: "on" });
  let instance = await start();
  try {
    await topUp(instance);
    const postmaster = await postmasterOf(server.url);
    const rows: Row[] = [];
    let stored = 0;
    let first: number | undefined;
    for (let target = least; target <= most; target *= 10) {
      await instance.stop();
      await fillMessages(database, "sandbox", stored, target - stored);
      stored = target;
      instance = await start();
      await caughtUp(instance);
      await query(database, "vacuum analyze");
      await post(instance, warmUp);
      const before = cpuMs(instance.pid) + cpuMs(postmaster);
      const count = await post(instance, measured);
      const perMessage = (cpuMs(instance.pid) + cpuMs(postmaster) - before) / count;
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
    const aside = await query(
      database,
      "select consumer, reason from runtime.dead_letters limit 10",
    );
    if (aside.length > 0) throw new Error(`events were set aside: ${JSON.stringify(aside)}`);
    return rows;
  } finally {
    await instance.stop();
    await server.stop();
    await removeDataDir(dataDir);
  }
}

async function topUp(instance: Instance): Promise<void> {
  const answer = await fetch(`${instance.baseUrl}/api/v1/wallet/topups`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${instance.sandboxKey}`,
      "content-type": "application/json",
    },
    body: JSON.stringify({ amount: "100000" }),
  });
  if (answer.status !== 201) throw new Error(`top-up: ${answer.status} ${await answer.text()}`);
}

async function query(
  connectionString: string,
  sql: string,
): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
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
  await caughtUp(instance);
  return answers;
}

/** Waits until every consumer of the sandbox is at the head. */
const caughtUp = (instance: Instance): Promise<true> =>
  until(
    async () => {
      const answer = await fetch(`${instance.baseUrl}/api/v1/admin/projections`, {
        headers: { authorization: `Bearer ${instance.adminKey}` },
      });
      const { data } = (await answer.json()) as {
        data: readonly { environment: string; lag_events: number }[];
      };
      return data.every((each) => each.environment !== "sandbox" || each.lag_events === 0);
    },
    { what: "every consumer has caught up", timeoutMs: longestCatchUpMs },
  );
