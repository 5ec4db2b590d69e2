import { execFileSync } from "node:child_process";
import { hash } from "node:crypto";
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { streamOf } from "@heliograph/contracts";
import { startEmbeddedPostgres } from "@heliograph/embedded-postgres";
import type { EventLog } from "@heliograph/log";
import { databaseConfig, openLog, serverOf } from "@heliograph/runtime";
import {
  apiClient,
  newDataDir,
  removeDataDir,
  spawnService,
  startInstance,
  until,
  webhookSink,
  type ApiClient,
} from "@heliograph/testkit";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { archive } from "./archive.ts";
import { backUp } from "./backup.ts";
import { rebuild } from "./rebuild.ts";
import { openTarget } from "./target.ts";
import { verifyNamespaces } from "./verify-log.ts";

const main = new URL("main.ts", import.meta.url).pathname;
const env = { HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "127.0.0.0/8" };
const message = {
  channel: "whatsapp",
  to: "+15551234567",
  template: "order_confirmation",
  language: "en",
  variables: { name: "Ada", order_id: "1", eta: "soon" },
};

/** Messages sent while the backup is made: on a machine with other work they would pile up. */
const maxLoad = 300;
/** Behind the load come its receipts and webhooks. */
const patience = { timeoutMs: 60_000 };

const ops = async (dataDir: string, ...args: string[]) => {
  const command = spawnService(main, { HELIOGRAPH_DATA_DIR: dataDir, NO_COLOR: "1" }, args);
  const { code } = await command.exited;
  return { code, output: command.output() };
};

function dataFolder(): string {
  const dataDir = newDataDir();
  onTestFinished(() => removeDataDir(dataDir));
  return dataDir;
}

async function run(dataDir: string) {
  const instance = await startInstance({ dataDir, env });
  onTestFinished(async () => void (await instance.stop()));
  return { instance, sandbox: apiClient(instance.baseUrl, instance.sandboxKey) };
}

async function send(client: ApiClient): Promise<string> {
  const { status, body, text: said } = await client.post("/messages", message);
  if (status !== 202) throw new Error(said);
  return body.id;
}

const delivered = (client: ApiClient, id: string) =>
  until(async () => (await client.get(`/messages/${id}`)).body.status === "delivered", {
    ...patience,
    what: `${id} is delivered`,
  });

type Event = {
  readonly id: string;
  readonly sequence: number;
  readonly data: { readonly message_id?: string };
};
type Feed = ReadonlyMap<number, Event>;

/** The whole feed, by number. */
async function feedOf(client: ApiClient): Promise<Feed> {
  const feed = new Map<number, Event>();
  for (let after = 0; ;) {
    const { body } = await client.get(`/events?limit=1000&after=${after}`);
    const data: Event[] = body.data;
    for (const event of data) feed.set(event.sequence, event);
    if (data.length === 0) return feed;
    after = body.next_after;
  }
}

async function ask<Row>(config: pg.ClientConfig, text: string): Promise<Row[]> {
  const client = new pg.Client(config);
  await client.connect();
  try {
    return (await client.query(text)).rows as Row[];
  } finally {
    await client.end();
  }
}

/** From here on the server keeps its log, as an archive of it would. Gives where that is. */
async function keepLog(config: pg.ClientConfig): Promise<string> {
  await ask(config, "alter system set wal_keep_size = '2GB'");
  await ask(config, "select pg_reload_conf()");
  const [row] = await ask<{ data_directory: string }>(config, "show data_directory");
  return join(row!.data_directory, "pg_wal");
}

/** A data folder with the databases as they were at a moment: the backup, and what the server has written since up to there. */
async function recoverTo(moment: string, copy: string, log: string): Promise<string> {
  const dataDir = dataFolder();
  execFileSync("cp", ["-a", `${copy}/.`, dataDir]);
  writeFileSync(join(dataDir, "postgres", "cluster", "recovery.signal"), "");
  const server = await startEmbeddedPostgres({
    dataDir: join(dataDir, "postgres"),
    settings: {
      restore_command: `cp '${log}/%f' '%p'`,
      recovery_target_time: moment,
      recovery_target_action: "promote",
    },
  });
  const isDone = "select not pg_is_in_recovery() as done";
  await until(async () => (await ask<{ done: boolean }>(server.config, isDone))[0]!.done, patience);
  await server.stop();
  return dataDir;
}

/** The log is whole up to the moment, with one message and not the next; no consumer is ahead of it, and what they have made is its fold. */
async function expectMoment(dataDir: string, kept: string, lost: string): Promise<void> {
  const target = await openTarget({ HELIOGRAPH_DATA_DIR: dataDir });
  const { signal } = new AbortController();
  let log: EventLog | undefined;
  try {
    const request = { namespaces: ["platform", "live", "sandbox"] as const, anchor: undefined };
    expect(await verifyNamespaces(target, { ...request, signal })).toBe(true);
    log = await openLog(target.settings, target.server, "sandbox", target.logger);
    expect((await log.readStream(streamOf("message", kept)))[0]).toMatchObject({
      type: "MessageRequested",
    });
    expect(await log.readStream(streamOf("message", lost))).toEqual([]);
    const head = await log.head();
    const config = databaseConfig(target.server, "sandbox");
    const tables = await ask<{ name: string }>(
      config,
      "select table_schema as name from information_schema.tables where table_name = 'checkpoint'",
    );
    expect(tables.length).toBeGreaterThan(10);
    for (const { name } of tables) {
      const rows = await ask<{ position: string }>(
        config,
        `select position from "${name}".checkpoint`,
      );
      for (const { position } of rows) expect(BigInt(position)).toBeLessThanOrEqual(head);
    }
    expect(await rebuild(target, ["messages"], "sandbox", true, signal)).toBe(true);
  } finally {
    await log?.close();
    await target.close();
  }
}

/** Archives what every consumer has passed, and tries to back up without the files. */
async function expectRefusedWithoutArchive(
  dataDir: string,
  config: pg.ClientConfig,
): Promise<void> {
  const elsewhere = dataFolder();
  const { signal } = new AbortController();
  const target = await openTarget({ HELIOGRAPH_DATA_DIR: dataDir });
  try {
    const files = "select count(*)::int as count from log.archives";
    await until(
      async () => {
        await archive(target, "sandbox", Date.now() + 1_000, signal);
        return (await ask<{ count: number }>(config, files))[0]!.count > 0;
      },
      { ...patience, what: "something is archived" },
    );
    const unmounted = { ...target, settings: { ...target.settings, archiveDir: elsewhere } };
    await expect(backUp(unmounted, join(elsewhere, "copy"), undefined, signal)).rejects.toThrow(
      /^1 files of archived events are needed for sandbox, and not all are in .* is not the folder of this log's archive.*Without them the backup is not whole/,
    );
    expect(readdirSync(elsewhere)).toEqual([]);
  } finally {
    await target.close();
  }
}

test("a backup made under load starts in another folder with all that came before, archived events among it or there is none, and no number is given twice; with the log of the server it comes to any moment since", async () => {
  const source = dataFolder();
  const { instance, sandbox } = await run(source);
  const server = databaseConfig(serverOf(instance.databaseUrl), "sandbox");
  const log = await keepLog(server);
  const sink = await webhookSink();
  onTestFinished(() => sink.close());
  await sandbox.post("/webhook-endpoints", { url: `${sink.url}/hook` });
  const before = await send(sandbox);
  await delivered(sandbox, before);
  await expectRefusedWithoutArchive(source, server);

  const copy = join(dataFolder(), "copy");
  let isOver = false;
  const load = (async () => {
    for (let sent = 0; !isOver && sent < maxLoad; sent++) await send(sandbox);
  })();
  const made = await ops(source, "backup", copy).finally(() => (isOver = true));
  await load;
  const key = Buffer.from(readFileSync(join(source, "master.key"), "utf8").trim(), "hex");
  const fingerprint = hash("sha256", key, "hex").slice(0, 16);
  expect(made).toMatchObject({ code: 0, output: expect.stringContaining(fingerprint) });
  expect(made.output).toContain("holds the three databases, and 1 files of archived events.");
  expect(JSON.parse(readFileSync(join(copy, "backup.json"), "utf8"))).toEqual({
    made_at: expect.any(String),
    master_key: fingerprint,
  });
  const again = await ops(source, "backup", copy);
  expect(again).toEqual({ code: 2, output: `ops: ${copy} exists already\n` });

  const kept = await send(sandbox);
  const [row] = await ask<{ moment: string }>(server, "select clock_timestamp()::text as moment");
  const lost = await send(sandbox);
  await delivered(sandbox, lost);
  const old = await feedOf(sandbox);
  const head = Math.max(...old.keys());
  await instance.killAll();
  const moment = await recoverTo(row!.moment, copy, log);
  copyFileSync(join(source, "master.key"), join(moment, "master.key"));
  await expectMoment(moment, kept, lost);

  const target = dataFolder();
  execFileSync("cp", ["-a", `${copy}/.`, target]);
  copyFileSync(join(source, "master.key"), join(target, "master.key"));
  expect(await ops(target, "verify-log")).toMatchObject({ code: 0 });
  expect(await ops(target, "restored")).toMatchObject({ code: 0 });
  const restored = await run(target);
  expect((await restored.sandbox.get(`/messages/${before}`)).body.status).toBe("delivered");
  expect((await restored.sandbox.get(`/messages/${lost}`)).status).toBe(404);

  const after = await send(restored.sandbox);
  await delivered(restored.sandbox, after);
  // Whoever has read the old feed to its end misses nothing of the new one, and meets no number twice.
  const feed = () => feedOf(restored.sandbox);
  const newOf = (all: Feed) => [...all.values()].filter(({ sequence }) => sequence > head);
  const whole = await until(async () => {
    const all = await feed();
    return newOf(all).filter(({ data }) => data.message_id === after).length === 3 && all;
  }, patience);
  for (const [sequence, { id }] of whole)
    if (old.has(sequence)) expect(old.get(sequence)!.id).toBe(id);
  const numbers = new Map([...whole.values()].map(({ id, sequence }) => [id, sequence]));
  const received = () =>
    sink.requests
      .map(({ body }) => JSON.parse(body) as Event)
      .filter(({ data }) => data.message_id === after);
  await until(() => received().length >= 3, patience);
  for (const { id, sequence } of received()) expect(sequence).toBe(numbers.get(id));
}, 240_000);

test("a database of one's own is not copied, and the page says how to", async () => {
  const command = spawnService(
    main,
    { HELIOGRAPH_DATABASE_URL: "postgres://me@127.0.0.1:1/x", NO_COLOR: "1" },
    ["backup", join(dataFolder(), "copy")],
  );
  expect((await command.exited).code).toBe(2);
  expect(command.output()).toMatch(/^ops: this copies the embedded PostgreSQL only; .*backup\.md/);
}, 30_000);
