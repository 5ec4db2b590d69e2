import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedPostgres } from "@heliograph/embedded-postgres";
import { freePort } from "@heliograph/testkit";
import pg from "pg";
import { cpuMs, postmasterOf } from "./cpu.ts";
import { type Ends, run, untilUp } from "./programs.ts";
import { rabbitIsMissing, startRabbit } from "./rabbit.ts";
import { redisIsMissing, startRedis } from "./redis.ts";

const topic = "message.sent";
const tenant = "ptn_compared";
const key = "outpost-compared";

/** What is missing to run Outpost, by the words that are printed; undefined where all is there. */
export function outpostIsMissing(): string | undefined {
  if (!programs.every((program) => existsSync(programPath(program))))
    return "HELIOGRAPH_BENCH_OUTPOST names no folder with its programs (`go build -o FOLDER ./cmd/outpost ./cmd/outpost-server` in its repository)";
  return rabbitIsMissing() ?? redisIsMissing();
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
  await untilUp("Outpost", child, async () =>
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

async function ask(method: string, url: string, body: object): Promise<void> {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const answer = await fetch(url, { method, headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${await answer.text()}`);
}
