import { execFileSync } from "node:child_process";
import { hash } from "node:crypto";
import { copyFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
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
import { expect, onTestFinished, test } from "vitest";

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

test("a backup made under load starts in another folder with all that came before, and no number is given twice", async () => {
  const source = dataFolder();
  const { instance, sandbox } = await run(source);
  const sink = await webhookSink();
  onTestFinished(() => sink.close());
  await sandbox.post("/webhook-endpoints", { url: `${sink.url}/hook` });
  const before = await send(sandbox);
  await delivered(sandbox, before);

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
  expect(JSON.parse(readFileSync(join(copy, "backup.json"), "utf8"))).toEqual({
    made_at: expect.any(String),
    master_key: fingerprint,
  });
  const again = await ops(source, "backup", copy);
  expect(again).toEqual({ code: 2, output: `ops: ${copy} exists already\n` });

  const lost = await send(sandbox);
  await delivered(sandbox, lost);
  const old = await feedOf(sandbox);
  const head = Math.max(...old.keys());
  await instance.killAll();

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
