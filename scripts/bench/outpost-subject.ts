import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startEmbeddedPostgres } from "@heliograph/embedded-postgres";
import { freePort } from "@heliograph/testkit";
import pg from "pg";
import { cpuMs, postmasterOf } from "./cpu.ts";
import { redisIsMissing, startRedis } from "./redis.ts";

const startMs = 60_000;
/** As Debian installs it; the program beside it in the path is a wrapper that changes the user. */
const rabbitProgram = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const topic = "message.sent";
const tenant = "ptn_compared";
const key = "outpost-compared";

type Ends = (() => Promise<unknown>)[];

/** What is missing to run Outpost, by the words that are printed; undefined where all is there. */
export function outpostIsMissing(): string | undefined {
  if (!programs.every((program) => existsSync(programPath(program))))
    return "HELIOGRAPH_BENCH_OUTPOST names no folder with its programs (`go build -o FOLDER ./cmd/outpost ./cmd/outpost-server` in its repository)";
  if (!existsSync(rabbitProgram)) return `${rabbitProgram} is not there`;
  return redisIsMissing();
}
const programs = ["outpost", "outpost-server"] as const;
const programPath = (program: (typeof programs)[number]): string =>
  join(process.env["HELIOGRAPH_BENCH_OUTPOST"] ?? "", program);

/** Outpost as one process with Redis, RabbitMQ and PostgreSQL of its own, all on loopback and on one disk, and an endpoint for each event. */
export async function openOutpost(ends: Ends, hook: string) {
  const folder = mkdtempSync(join(tmpdir(), "heliograph-outpost-"));
  ends.push(async () => rmSync(folder, { recursive: true, force: true }));
  const postgres = await startEmbeddedPostgres({ dataDir: `${folder}/postgres` });
  ends.push(() => postgres.stop());
  const redis = await startRedis("everysec");
  ends.push(() => redis.stop());
  const rabbit = await startRabbit(ends, folder);
  const port = await freePort();
  const env = {
    SERVICE: "all",
    LOG_LEVEL: "error",
    GIN_MODE: "release",
    API_PORT: String(port),
    API_KEY: key,
    API_JWT_SECRET: key,
    AES_ENCRYPTION_SECRET: "0123456789abcdef0123456789abcdef",
    TOPICS: topic,
    DISABLE_TELEMETRY: "true",
    REDIS_HOST: "127.0.0.1",
    REDIS_PORT: String(redis.port),
    REDIS_PASSWORD: "",
    REDIS_DATABASE: "0",
    RABBITMQ_SERVER_URL: `amqp://guest:guest@127.0.0.1:${rabbit.port}`,
    POSTGRES_URL: await databaseFor(postgres.url),
    // As many at once as post; unasked it delivers one at a time, and writes its log every ten seconds.
    DELIVERY_MAX_CONCURRENCY: "64",
    LOG_MAX_CONCURRENCY: "64",
    LOG_BATCH_THRESHOLD_SECONDS: "1",
    DESTINATIONS_WEBHOOK_MODE: "standard",
    PATH: process.env["PATH"]!,
    HOME: folder,
  };
  const migrated = spawnSync(programPath("outpost"), ["migrate", "apply", "--yes"], {
    env,
    encoding: "utf8",
  });
  if (migrated.status !== 0) throw new Error(`Outpost does not migrate: ${migrated.stderr}`);
  const child = run(ends, programPath("outpost-server"), [], env);
  const api = `http://127.0.0.1:${port}/api/v1`;
  await until("Outpost", child, async () =>
    fetch(`${api}/healthz`).then(
      ({ ok }) => ok,
      () => false,
    ),
  );
  await ask("PUT", `${api}/tenants/${tenant}`, {});
  await ask("POST", `${api}/tenants/${tenant}/destinations`, {
    type: "webhook",
    topics: [topic],
    config: { url: hook },
  });
  const postmaster = await postmasterOf(postgres.url);
  return {
    port,
    path: "/api/v1/publish",
    headers: { authorization: `Bearer ${key}` },
    cpu: () => cpuMs(child.pid!, redis.pid, rabbit.pid, postmaster),
    /** The publishing of an event whose webhook carries this text, an object. */
    bodyOf: (id: string, data: string): string =>
      `{"id":"${id}","tenant_id":"${tenant}","topic":"${topic}","data":${data}}`,
  };
}

async function databaseFor(url: string): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("create database outpost");
  await client.end();
  return `${url.replace(/\/[^/]*$/, "/outpost")}?sslmode=disable`;
}

/** With a name service of its own, so that nothing is left and no other node is met. */
async function startRabbit(ends: Ends, folder: string) {
  const [port, names, between] = [await freePort(), await freePort(), await freePort()];
  const env = {
    PATH: process.env["PATH"]!,
    HOME: folder,
    ERL_EPMD_PORT: String(names),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    RABBITMQ_NODENAME: "outpost@localhost",
    RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1",
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(between),
    RABBITMQ_MNESIA_BASE: `${folder}/rabbit`,
    RABBITMQ_LOG_BASE: `${folder}/rabbit-log`,
    RABBITMQ_ENABLED_PLUGINS_FILE: `${folder}/plugins`,
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
  };
  run(ends, "epmd", [], env);
  const child = run(ends, rabbitProgram, [], env);
  await until("RabbitMQ", child, () => isOpen(port));
  return { port, pid: child.pid! };
}

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });

function run(
  ends: Ends,
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
): ChildProcess {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"], env });
  const exited = once(child, "exit");
  ends.push(async () => {
    child.kill("SIGTERM");
    await exited;
  });
  return child;
}

async function until(
  called: string,
  child: ChildProcess,
  isThere: () => Promise<boolean>,
): Promise<void> {
  for (const start = performance.now(); !(await isThere()); await sleep(200))
    if (child.exitCode !== null || performance.now() - start > startMs)
      throw new Error(`${called} does not answer, and came to ${child.exitCode}`);
}

async function ask(method: string, url: string, body: object): Promise<void> {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const answer = await fetch(url, { method, headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
}
