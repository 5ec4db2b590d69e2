import { newId, streamOf, type EventType } from "@heliograph/contracts";
import { parseInbound, recordCallback } from "@heliograph/gateways";
import { openPostgresLog, type EventLog } from "@heliograph/log";
import { newLogger, openPool, prepareConsumer } from "@heliograph/runtime";
import {
  spawnService,
  testDatabase,
  testVault,
  until,
  type TestDatabase,
} from "@heliograph/testkit";
import type { Vault } from "@heliograph/vault";
import type pg from "pg";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { callbacksReactor } from "../src/callbacks/reactor.ts";
import { partCallback, statusCallback, writtenCallback } from "./callbacks.ts";
import { onMessage, requested, requestOf, sent } from "./facts.ts";

// A process takes seconds on a busy machine.
vi.setConfig({ testTimeout: 90_000 });

const children = {
  callbacks: new URL("./callbacks-child.ts", import.meta.url).pathname,
  recording: new URL("./recording-child.ts", import.meta.url).pathname,
};
let database: TestDatabase;
let pool: pg.Pool;
let log: EventLog;
let vault: Vault;

beforeEach(async () => {
  database = await testDatabase();
  const connection = { connectionString: database.url };
  pool = openPool(connection, { name: "test", max: 4, durable: true }, newLogger("silent"));
  log = await openPostgresLog({ connection, namespace: "sandbox" });
  vault = await testVault(pool);
});
afterEach(async () => {
  await log.close();
  await pool.end();
  await database.drop();
});

async function killed(
  name: keyof typeof children,
  point: string,
  ...args: readonly string[]
): Promise<void> {
  const env = { HELIOGRAPH_FAILPOINT: `${point}:kill` };
  const process = spawnService(children[name], env, [database.url, ...args]);
  const exit = await process.exited;
  expect(exit, `${point}\n${process.output()}`).toMatchObject({ signal: "SIGKILL" });
}
const all = async <Type extends EventType>(type: Type) =>
  (await log.readAll({ after: 0n, limit: 100, types: [type] })).events;

test.each(["callbacks.before_append", "callbacks.after_append"])(
  "what a provider posts again because its receiver was killed at %s is stored once",
  async (point) => {
    await killed("recording", point, "SM1");
    const stored = await all("CallbackReceived");
    expect(stored).toHaveLength(point === "callbacks.after_append" ? 1 : 0);
    await recordCallback({ log, vault }, statusCallback("SM1"));
    await recordCallback({ log, vault }, statusCallback("SM1"));
    const [event, ...others] = await all("CallbackReceived");
    expect(others).toEqual([]);
    const { raw } = event!.data;
    expect((await vault.open(undefined, raw))(raw)).toContain("MessageStatus=delivered");
  },
);

/** A message that was sent, what its provider reports, and what people wrote: whole, and in two parts. */
async function posts(messageId: string): Promise<void> {
  const request = requestOf(messageId);
  const { data, ...event } = sent(request);
  const provider = { name: "twilio-1", message_id: "SM1", status: "queued" };
  const taken = { ...data, gateway: "twilio-1", gateway_kind: "twilio", provider };
  await log.append([
    onMessage(messageId, "no_stream", requested(request), { ...event, data: taken }),
  ]);
  const callbacks = [
    statusCallback("SM1"),
    partCallback(2, "and the rest"),
    writtenCallback("SM9"),
    partCallback(1, "The beginning "),
  ];
  for (const callback of callbacks) await recordCallback({ log, vault }, callback);
}

test("what was told is told once, however many of its readers are killed on the way", async () => {
  const messageId = newId("msg");
  await prepareConsumer(pool, callbacksReactor);
  await posts(messageId);
  // Each goes on where the one before was killed, and comes one step further.
  for (const point of [
    "callbacks.read",
    "parts.before_record",
    "parts.after_record",
    "callbacks.before_commit",
  ])
    await killed("callbacks", point);
  const successor = spawnService(children.callbacks, {}, [database.url]);
  const end = (await all("CallbackReceived")).at(-1)!.position;
  await until(
    async () => {
      const { rows } = await pool.query<{ position: string | null }>(
        "select max(position)::text as position from provider_callbacks.checkpoint",
      );
      return BigInt(rows[0]?.position ?? "0") >= end;
    },
    { what: "all callbacks are read", timeoutMs: 30_000 },
  );
  await successor.stop();

  const receipts = await log.readStream(streamOf("receipts", messageId));
  expect(receipts.map(({ data }) => data)).toMatchObject([{ status: "delivered" }]);
  const inbound = (await all("InboundReceived")).map(({ data }) => data);
  const open = await vault.open(undefined, ...inbound);
  const told = inbound.map(async (sealed) => {
    const { raw, encoding, content_type, gateway_kind, channel } = open(sealed);
    const bytes = Buffer.from(raw, encoding === "text" ? "utf8" : "base64");
    const gateway = { name: "", channel };
    const request = { raw: bytes, contentType: content_type, gateway };
    return (await parseInbound(gateway_kind, request)).text;
  });
  const texts = await Promise.all(told);
  expect(texts).toHaveLength(2);
  expect(new Set(texts)).toEqual(new Set(["Hello", "The beginning and the rest"]));
  const { rows } = await pool.query("select reason from runtime.dead_letters");
  expect(rows).toEqual([]);
});
