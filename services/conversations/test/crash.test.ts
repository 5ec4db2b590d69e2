import { fileURLToPath } from "node:url";
import { newId, streamOf, validateEvent } from "@heliograph/contracts";
import { openPostgresLog, type EventLog, type RecordedEvent } from "@heliograph/log";
import type { Vault } from "@heliograph/vault";
import {
  consumerOn,
  spawnService,
  testDatabase,
  testVault,
  until,
  type SpawnedService,
  type TestDatabase,
} from "@heliograph/testkit";
import { appendTo, matchedOf, threadEvents } from "@heliograph/testkit/people";
import pg from "pg";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { threadsReactor } from "../src/reactor.ts";

// Each test starts a process, which takes seconds on a busy machine.
vi.setConfig({ testTimeout: 90_000 });

const entry = fileURLToPath(new URL("child.ts", import.meta.url));
/** Nobody listens there: the consumer reads the log itself. */
const noBrokers = "127.0.0.1:9";
const partner = newId("ptn");
let database: TestDatabase;
let pool: pg.Pool;
let log: EventLog;
let vault: Vault;
const children: SpawnedService[] = [];
const successors: { stop(): Promise<void> }[] = [];

beforeEach(async () => {
  database = await testDatabase();
  pool = new pg.Pool({ ...database.config, max: 4 });
  vault = await testVault(pool);
  const connection = { connectionString: database.url };
  log = await openPostgresLog({ connection, namespace: "sandbox", validate: validateEvent });
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
  for (const successor of successors.splice(0)) await successor.stop();
  await log.close();
  await pool.end();
  await database.drop();
});

function run(failpoint: string): SpawnedService {
  const env = { HELIOGRAPH_FAILPOINT: failpoint };
  const child = spawnService(entry, env, [database.url, noBrokers]);
  children.push(child);
  return child;
}
/** Whoever comes after a process that was killed. */
async function goOn(): Promise<void> {
  successors.push(await consumerOn(database.url, () => threadsReactor, noBrokers));
}
async function killed(child: SpawnedService): Promise<void> {
  if ((await child.exited).signal !== "SIGKILL") throw new Error(child.output());
}

/** Three people who write twice each; what their providers repeat comes later and in another order. */
async function sayAll(): Promise<readonly string[]> {
  const people = [1, 2, 3].map((index) => ({ contact: newId("cnt"), from: `+1555000000${index}` }));
  const sayings = people.flatMap(({ contact, from }) =>
    ["a", "b"].map((text) => ({ partner, contact, from, text, providerId: `${from} ${text}` })),
  );
  const ids: string[] = [];
  for (const saying of [...sayings, ...sayings.toReversed()]) {
    const data = await matchedOf({ vault }, saying);
    const stream = streamOf("inbound", data.inbound_id);
    await appendTo({ log }, stream, "InboundMatched", data, partner);
    ids.push(data.message_id);
  }
  return [...new Set(ids)];
}

const ofType = (events: readonly RecordedEvent[], type: string) =>
  events.filter((event) => event.type === type);

it.each([
  "conversations.before_place",
  "conversations.after_place",
  "conversations.before_append",
  "conversations.after_append",
])(
  "Killed at %s, every message is placed once and each person has one conversation",
  async (at) => {
    const ids = await sayAll();
    await killed(run(`${at}:kill@2`));
    await goOn();
    const events = await until(
      async () => {
        const all = await threadEvents({ log });
        return ofType(all, "MessageReceived").length >= ids.length && all;
      },
      { timeoutMs: 30_000, what: "every message is placed" },
    );
    const received = ofType(events, "MessageReceived").map(({ data }) =>
      String((data as { message_id: string }).message_id),
    );
    expect(received.toSorted()).toEqual([...ids].toSorted());
    const opened = ofType(events, "ConversationOpened");
    expect(opened).toHaveLength(3);
    for (const { data, stream } of opened) {
      const id = (data as { conversation_id: string }).conversation_id;
      const [placed] = await log.readStream(streamOf("conversation", id));
      expect(placed?.data.thread).toBe(stream.slice("thread-".length));
    }
  },
);

it("Killed after a snooze was ended and before that was noted, it is not ended twice", async () => {
  await sayAll();
  const first = run("conversations.after_wake:kill");
  const [opened] = await until(
    async () => {
      const found = ofType(await threadEvents({ log }), "MessageReceived");
      return found.length >= 6 && ofType(await threadEvents({ log }), "ConversationOpened");
    },
    { timeoutMs: 30_000, what: "every message is placed" },
  );
  const { conversation_id, contact_id } = opened!.data as Record<string, string>;
  const data = {
    conversation_id,
    contact_id,
    by: { id: "key_1" },
    until: new Date(Date.now() + 200).toISOString(),
    snoozed_at: new Date().toISOString(),
  };
  await appendTo({ log }, opened!.stream, "ConversationSnoozed", data, partner);
  await killed(first);
  await goOn();
  const { rows } = await until(
    async () => {
      const found = await pool.query("select 1 from threads.snoozes");
      return found.rows.length === 0 && found;
    },
    { timeoutMs: 30_000, what: "the snooze is gone" },
  );
  expect(rows).toEqual([]);
  expect(ofType(await threadEvents({ log }), "ConversationReopened")).toHaveLength(1);
});
