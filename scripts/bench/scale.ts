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

/**
 * What a message costs, whole life without webhooks, when 10⁴, 10⁵ … messages are stored already, the last time as many as are asked for: CPU, and the pages that PostgreSQL touches, which do not depend
 * on what else the machine does, each within 10 % of the first. They are filled into the log, and the projectors make their rows of them.
 */
export async function benchScale(): Promise<Row[]> {
  const most = Number(process.env["HELIOGRAPH_BENCH_SCALE"] ?? 100_000);
  // On a disk: ten million messages fit into few memories.
  const dataDir = newDataDir(tmpdir());
  const server = await startEmbeddedPostgres({
    dataDir: `${dataDir}/postgres`,
    settings: { shared_preload_libraries: "pg_stat_statements" },
  });
  const database = Object.assign(new URL(server.url), { pathname: "/heliograph_sandbox" }).href;
  const start = (): Promise<Instance> =>
    startMeasured(dataDir, { HELIOGRAPH_DATABASE_URL: server.url, HELIOGRAPH_DEMO: "on" });
  let instance = await start();
  try {
    await topUp(instance);
    const postmaster = await postmasterOf(server.url);
    await query(database, "create extension pg_stat_statements");
    const rows: Row[] = [];
    let stored = 0;
    let first: Cost | undefined;
    for (const target of targetsUpTo(most)) {
      await instance.stop();
      await fillMessages(database, "sandbox", stored, target - stored);
      stored = target;
      instance = await start();
      await caughtUp(instance);
      await query(database, "vacuum analyze");
      await post(instance, warmUp);
      await query(database, "select pg_stat_statements_reset()");
      const before = cpuMs(instance.pid) + cpuMs(postmaster);
      const count = await post(instance, measured);
      const cost = {
        ms: (cpuMs(instance.pid) + cpuMs(postmaster) - before) / count,
        pages: (await pagesTouched(database)) / count,
      };
      first ??= cost;
      const at = `per message at ${target.toLocaleString("en")} stored, against the first`;
      const row = (what: string, ratio: number, note: string): Row =>
        limitRow(`${what} ${at}`, "×", Math.round(ratio * 100) / 100, 1.1, note);
      rows.push(
        row("CPU", cost.ms / first.ms, `${cost.ms.toFixed(3)} ms`),
        row("pages", cost.pages / first.pages, `${cost.pages.toFixed(1)} pages of PostgreSQL`),
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

type Cost = { readonly ms: number; readonly pages: number };

function targetsUpTo(most: number): readonly number[] {
  const targets: number[] = [];
  for (let target = least; target < most; target *= 10) targets.push(target);
  return [...targets, most];
}

/** By all statements since they were last forgotten. */
async function pagesTouched(database: string): Promise<number> {
  const [row] = await query(
    database,
    `select sum(shared_blks_hit + shared_blks_read)::float8 as pages from pg_stat_statements
      where dbid = (select oid from pg_database where datname = current_database())`,
  );
  return row!["pages"] as number;
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

/** Posts until so many messages are accepted, again where the product was too busy to take one, and waits until every consumer has caught up. */
async function post(instance: Instance, count: number): Promise<number> {
  const request = postRequest(
    "127.0.0.1",
    "/api/v1/messages",
    { authorization: `Bearer ${instance.sandboxKey}` },
    exampleBody,
  );
  for (let accepted = 0; accepted < count;) {
    const { answers, statuses } = await drive(
      { host: "127.0.0.1", port: instance.port, connections: 64, request: () => request },
      { durationMs: 3_600_000, maxCalls: count - accepted },
    );
    const taken = statuses["202"] ?? 0;
    if (taken + (statuses["503"] ?? 0) !== answers)
      throw new Error(`answers other than 202 and 503: ${JSON.stringify(statuses)}`);
    accepted += taken;
  }
  await caughtUp(instance);
  return count;
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
