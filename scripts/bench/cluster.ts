import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { shardOf, type Environment } from "@heliograph/contracts";
import { startEmbeddedPostgres } from "@heliograph/embedded-postgres";
import { relayConsumer } from "@heliograph/kafka";
import {
  databaseConfig,
  newLogger,
  openLog,
  openPool,
  readSettings,
  serverOf,
  startConsumers,
  realClock,
} from "@heliograph/runtime";
import {
  apiClient,
  directoryDouble,
  newDataDir,
  removeDataDir,
  spawnService,
  until,
  type Instance,
  testVault,
} from "@heliograph/testkit";
import type pg from "pg";
import { startMeasured } from "./instance.ts";
import { drive, postRequest } from "./load.ts";
import { connectTo, headOf } from "./messages.ts";

export type Env = Readonly<Record<string, string>>;
export type Partner = { readonly id: string; readonly live: string; readonly sandbox: string };

/** A database server for services that run apart, and what they need to run on it. */
export type Cluster = {
  readonly env: Env;
  /** One for each shard, so that an even division of the shards is one of the work. */
  readonly partners: readonly Partner[];
  readonly database: (environment: Environment) => pg.Client;
  /** The REST API and the wallet, on the log feed: what they write is in no topic before the relay runs. */
  front(): Promise<Instance>;
  close(): Promise<void>;
};

const masterKey = "5e".repeat(32);
const fundsPerPartner = "100000";
const longestWaitMs = 120_000;

export async function openCluster(kafka: Env, shards: number, extra: Env = {}): Promise<Cluster> {
  const dataDir = newDataDir();
  const postgres = await startEmbeddedPostgres({ dataDir: `${dataDir}/postgres` });
  const env: Env = {
    ...kafka,
    ...extra,
    HELIOGRAPH_DATABASE_URL: postgres.url,
    HELIOGRAPH_MASTER_KEY: masterKey,
    HELIOGRAPH_KAFKA_SHARDS: String(shards),
    HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "127.0.0.0/8",
    HELIOGRAPH_LOG_LEVEL: "warn",
  };
  const front = (): Promise<Instance> =>
    startMeasured(dataDir, {
      ...env,
      HELIOGRAPH_FEED: "log",
      HELIOGRAPH_SERVICES: "ingress,wallet",
    });
  const instance = await front();
  const partners = await onePerShard(instance, shards);
  await instance.stop();
  const live = await connectTo(postgres.url, "live");
  const sandbox = await connectTo(postgres.url, "sandbox");
  return {
    env,
    partners,
    database: (environment) => (environment === "live" ? live : sandbox),
    front,
    async close() {
      await live.end();
      await sandbox.end();
      await postgres.stop();
      await removeDataDir(dataDir);
    },
  };
}

/** Creates partners until every shard has one, and gives each of those funds in both environments. */
async function onePerShard(instance: Instance, shards: number): Promise<Partner[]> {
  const admin = apiClient(instance.baseUrl, instance.adminKey);
  const found = new Map<number, Partner>();
  for (let count = 0; found.size < shards; count++) {
    const { status, text, body } = await admin.post("/admin/partners", {
      name: `Partner ${count}`,
      rate_limit: { requests: 1_000_000, window_seconds: 1 },
    });
    if (status !== 201) throw new Error(`a partner: ${status} ${text}`);
    const shard = shardOf(body.id, shards);
    if (found.has(shard)) continue;
    for (const environment of ["live", "sandbox"]) {
      const topup = { amount: fundsPerPartner, partner_id: body.id, environment };
      const answer = await admin.post("/wallet/topups", topup);
      if (answer.status !== 201) throw new Error(`funds: ${answer.status} ${answer.text}`);
    }
    found.set(shard, { id: body.id, ...body.keys });
  }
  return [...found.values()];
}

/** Has every partner in turn send a message, each to another recipient, and waits until their funds are held. */
export async function sendBacklog(
  front: Instance,
  cluster: Cluster,
  environment: Environment,
  messages: number,
): Promise<void> {
  const { partners } = cluster;
  const request = (n: number): string => {
    const body =
      environment === "live"
        ? {
            channel: "email",
            from: "a@example.com",
            to: `n${n}@example.org`,
            subject: "Hello",
            text: "It is on its way.",
          }
        : // Not one of the last four digits by which the simulator is told what to do.
          { channel: "sms", to: `+4179${String(n).padStart(5, "0")}99`, text: "It is on its way." };
    return postRequest(
      "127.0.0.1",
      "/api/v1/messages",
      { authorization: `Bearer ${partners[n % partners.length]![environment]}` },
      JSON.stringify(body),
    );
  };
  const { statuses } = await drive(
    { host: "127.0.0.1", port: front.port, connections: 32, request },
    { durationMs: longestWaitMs, maxCalls: messages },
  );
  if (statuses["202"] !== messages)
    throw new Error(`answers other than 202, or too few: ${JSON.stringify(statuses)}`);
  const database = cluster.database(environment);
  for (let head = ""; ;) {
    const now = await headOf(database);
    if (now === head) return;
    head = now;
    await sleep(1_000);
  }
}

/** Starts copies of a service and waits until each has its part of the shards, and all shards are taken. */
export async function startCopies(
  cluster: Cluster,
  service: "dispatch" | "webhooks",
  copies: number,
  environment: Environment,
): Promise<{ readonly pids: readonly number[]; stop(): Promise<void> }> {
  const entry = fileURLToPath(new URL(`../../services/${service}/src/main.ts`, import.meta.url));
  const running = Array.from({ length: copies }, () => spawnService(entry, cluster.env));
  const stop = async (): Promise<void> => {
    await Promise.all(running.map((each) => each.stop(30_000)));
  };
  try {
    await until(
      async () => {
        const { rows } = await cluster.database(environment).query(
          `select count(*)::int as shards, count(distinct owner)::int as owners from runtime.consumers
           where name like $1 and status = 'running' and updated_at > now() - interval '2 seconds'`,
          [`${service}/%`],
        );
        return rows[0].shards === cluster.partners.length && rows[0].owners === copies;
      },
      { timeoutMs: longestWaitMs, what: `${copies} copies of ${service} share its shards` },
    );
  } catch (error) {
    await stop();
    throw new Error(`${String(error)}\n${running.map((each) => each.output()).join("\n")}`);
  }
  return { pids: running.map(({ pid }) => pid), stop };
}

/** Runs nothing but the relay of one environment in this process, which brings what was written before to the topic. */
export async function startRelay(
  cluster: Cluster,
  environment: Environment,
): Promise<{ stop(): Promise<void> }> {
  const settings = readSettings(cluster.env);
  const server = serverOf(settings.databaseUrl!);
  const connection = databaseConfig(server, environment);
  const logger = newLogger("warn");
  const pool = openPool(connection, { name: "bench", max: 4, durable: true }, logger);
  const log = await openLog(settings, server, environment, logger);
  const running = await startConsumers(
    {
      environment,
      log,
      connection,
      pool,
      projectionPool: pool,
      settings,
      masterKey: Buffer.from(masterKey, "hex"),
      vault: await testVault(pool),
      logger,
      clock: realClock,
      directory: directoryDouble(),
    },
    [relayConsumer(settings.kafka!)],
  );
  return {
    async stop() {
      await running.stop();
      await log.close();
      await pool.end();
    },
  };
}
