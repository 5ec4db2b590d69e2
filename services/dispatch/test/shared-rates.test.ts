import {
  partnerIn,
  placedFeed,
  type SmtpSink,
  type SpawnedService,
  until,
} from "@heliograph/testkit";
import pg from "pg";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { eventually, send, type World } from "./harness.ts";
import { openProcesses, smtpGateway, type Processes } from "./processes.ts";

// Processes are started, which takes seconds on a busy machine.
vi.setConfig({ testTimeout: 90_000 });

const perSecond = 60;
const burst = perSecond / 10;
const shards = 4;
const partners = Array.from({ length: shards }, (_, shard) => partnerIn(shard, shards));
const gateway = smtpGateway({ max_per_second: perSecond });
let processes: Processes;
let world: World;
let sink: SmtpSink;
beforeEach(async () => {
  processes = await openProcesses([gateway]);
  ({ world, sink } = processes);
});
afterEach(() => processes.close());

async function startCopy(): Promise<SpawnedService> {
  const worker = processes.start({ gateways: [gateway], shards: "2,3" });
  await worker.outputMatching(/running/);
  return worker;
}

/** So many messages of a partner of each shard, to recipients of their own. */
async function sendToAll(each: number, round: string): Promise<string[]> {
  const ids: string[] = [];
  for (const [shard, partner] of partners.entries()) {
    const orders = Array.from({ length: each }, (_, n) => ({
      to: `${round}-${shard}-${n}@example.com`,
    }));
    ids.push(...(await send(world.log, orders, partner)));
  }
  return ids;
}

/** Most messages that the server took in any second from `from` on. */
function mostInASecond(from = 0): number {
  const times = sink.messages.slice(from).map(({ at }) => at.getTime());
  return Math.max(
    ...times.map((start) => times.filter((at) => at >= start && at < start + 1_000).length),
  );
}

test("two copies together keep a gateway's rate, also when one is killed and started again, and each its part while their common count is away", async () => {
  await world.dispatch(placedFeed(world.log, shards, [0, 1]).feed);
  let copy = await startCopy();
  let most = Infinity;
  // Calls that a machine held up for a moment come all at once. With a rate for each copy every round would have twice as many.
  const tooMany = perSecond * 1.5 + burst;
  for (let round = 0; round < 3 && most > tooMany; round++) {
    const from = sink.messages.length;
    const ids = await sendToAll(35, `r${round}`);
    await until(() => sink.messages.length >= from + 70, { timeoutMs: 20_000 });
    copy.kill("SIGKILL");
    await copy.exited;
    copy = await startCopy();
    await eventually(world.log, ids, "MessageSent", 40_000);
    most = mostInASecond(from);
    // Both have sent, and the rate was used.
    expect(most).toBeGreaterThan(perSecond / 2);
  }
  expect(most).toBeLessThanOrEqual(tooMany);

  const other = new pg.Client(world.database.config);
  await other.connect();
  try {
    await other.query("begin");
    await other.query("lock table limits.buckets in access exclusive mode");
    const from = sink.messages.length;
    const ids = await sendToAll(15, "away");
    await eventually(world.log, ids, "MessageSent", 20_000);
    // Each of the two has a quarter of the rate: nobody stops, and together they stay below it.
    expect(mostInASecond(from)).toBeLessThanOrEqual(perSecond * 0.75);
    await other.query("rollback");
  } finally {
    await other.end();
  }
});
