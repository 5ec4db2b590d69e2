import { newDataDir, removeDataDir, until, type Instance } from "@heliograph/testkit";
import { openCluster, sendBacklog, type Cluster } from "./cluster.ts";
import { cpuMs, postmasterOf } from "./cpu.ts";
import { startMeasured } from "./instance.ts";
import { countOf, headOf } from "./messages.ts";
import type { Row } from "./row.ts";

const shards = 8;
const warmUp = 1_000;
const measured = 4_000;

/**
 * What it costs that the wallet's ledger, dispatch, receipts and webhooks are divided, and what a second process of everything brings then: a partner in each of eight shards, whole life without webhooks,
 * PostgreSQL and who posts on the same machine.
 */
export async function benchShares(): Promise<Row[]> {
  const cluster = await openCluster({}, shards);
  try {
    const whole = await run(cluster, 1, {});
    const divided = { HELIOGRAPH_SHARDS: String(shards) };
    const one = await run(cluster, 1, divided);
    const two = await run(cluster, 2, divided);
    return [
      rowOf("one process, undivided", whole, whole),
      rowOf(`one process, ${shards} shards`, one, whole),
      rowOf(`two processes, ${shards} shards`, two, whole),
    ];
  } finally {
    await cluster.close();
  }
}

type Figures = { readonly rate: number; readonly node: number; readonly postgres: number };

function rowOf(figure: string, { rate, node, postgres }: Figures, whole: Figures): Row {
  return {
    figure: `messages, ${figure}`,
    value: Math.round(rate),
    unit: "1/s",
    baseline: Math.round(whole.rate),
    ratio: Math.round(((node + postgres) / (whole.node + whole.postgres)) * 100) / 100,
    goal: "",
    met: true,
    note: `CPU a message: Node ${node.toFixed(2)} + PostgreSQL ${postgres.toFixed(2)} ms; the ratio is theirs`,
  };
}

async function run(
  cluster: Cluster,
  processes: number,
  env: Readonly<Record<string, string>>,
): Promise<Figures> {
  const dataDirs = Array.from({ length: processes }, () => newDataDir());
  const instances: Instance[] = [];
  const database = cluster.database("sandbox");
  try {
    for (const dataDir of dataDirs)
      instances.push(await startMeasured(dataDir, { ...cluster.env, ...env }));
    await until(
      async () => {
        const { rows } = await database.query(
          `select count(distinct owner)::int as owners from runtime.consumers
            where name ~ '^wallet-ledger' and status = 'running' and updated_at > now() - interval '2 seconds'`,
        );
        return rows[0].owners === processes;
      },
      { timeoutMs: 60_000, what: `${processes} processes share the wallet's ledger` },
    );
    await post(cluster, instances, warmUp);
    const postmaster = await postmasterOf(cluster.env["HELIOGRAPH_DATABASE_URL"]!);
    const nodeMs = (): number => instances.reduce((sum, { pid }) => sum + cpuMs(pid), 0);
    const [node, postgres] = [nodeMs(), cpuMs(postmaster)];
    const after = await headOf(database);
    await post(cluster, instances, measured);
    const { rows } = await database.query(
      "select (max(recorded_at) - min(recorded_at))::float8 as ms from log.events where position > $1 and type in ('MessageRequested', 'MessageDelivered')",
      [after],
    );
    return {
      rate: (measured * 1_000) / rows[0].ms,
      node: (nodeMs() - node) / measured,
      postgres: (cpuMs(postmaster) - postgres) / measured,
    };
  } finally {
    await Promise.all(instances.map((each) => each.stop()));
    await Promise.all(dataDirs.map(removeDataDir));
  }
}

/** Through all of them at once, until every message is delivered. */
async function post(
  cluster: Cluster,
  instances: readonly Instance[],
  messages: number,
): Promise<void> {
  const database = cluster.database("sandbox");
  const after = await headOf(database);
  await Promise.all(
    instances.map((each) => sendBacklog(each, cluster, "sandbox", messages / instances.length)),
  );
  await until(async () => (await countOf(database, "MessageDelivered", after)) >= messages, {
    timeoutMs: 120_000,
    what: "all are delivered",
  });
}
