import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { eventPublicId, newId, streamOf, uuid5, type EndpointFilters } from "@heliograph/contracts";
import { openMemoryLog, type EventLog } from "@heliograph/log";
import {
  openLifecycleWaiter,
  readEarlierLifecycle,
  readLifecycle,
} from "../src/tables/lifecycle.ts";
import { rebuildProjector, runConsumer, type ServiceContext } from "@heliograph/runtime";
import { testDatabase, type TestDatabase } from "@heliograph/testkit";
import pg from "pg";
import { pino } from "pino";
import { lifecycleProjector } from "../src/index.ts";

let database: TestDatabase;
let pool: pg.Pool;
let log: EventLog;
let context: ServiceContext;

beforeAll(async () => {
  database = await testDatabase();
  pool = new pg.Pool({ connectionString: database.url });
  log = openMemoryLog();
  context = {
    environment: "sandbox",
    connection: { connectionString: database.url },
    log,
    pool,
    projectionPool: pool,
    logger: pino({ level: "silent" }),
    settings: { shutdownMs: 1000 },
  } as unknown as ServiceContext;
});
afterAll(async () => {
  await log.close();
  await pool.end();
  await database.drop();
});

const message = { channel: "sms", to: "+15551234567" };

async function append(partner: string, type: string, data: object = { message }): Promise<string> {
  const messageId = newId("msg");
  const id = uuid5(messageId, type);
  const [outcome] = await log.append([
    {
      stream: streamOf("message", messageId),
      expected: "no_stream",
      events: [{ id, type, data: { message_id: messageId, ...data }, metadata: { partner } }],
    },
  ]);
  expect(outcome!.kind).toBe("appended");
  return id;
}

it("numbers each partner's events without a hole, over restarts, and a rebuild gives the same bytes", async () => {
  const ids: string[] = [];
  for (let round = 0; round < 5; round++) {
    ids.push(await append("ptn_A", round % 2 ? "MessageCanceled" : "MessageExpired"));
    await append("ptn_B", "MessageCanceled");
    await append("ptn_A", "FundsHeld", {});
  }
  let consumer = await runConsumer(lifecycleProjector("sandbox"), context);
  await consumer.caughtUp(await log.head());
  await consumer.stop();
  ids.push(await append("ptn_A", "MessageCanceled"));
  consumer = await runConsumer(lifecycleProjector("sandbox"), context);
  await consumer.caughtUp(await log.head());

  const page = await readLifecycle(pool, { partner: "ptn_A", after: 0, limit: 100 });
  expect(page.rows.map((row) => row.sequence)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(page.rows.map((row) => JSON.parse(row.body).id)).toEqual(ids.map(eventPublicId));
  expect(page.rows.every((row) => JSON.parse(row.body).sequence === row.sequence)).toBe(true);
  expect(page).toMatchObject({ nextAfter: 6, last: 6 });

  const verified = await rebuildProjector(context, lifecycleProjector("sandbox"), {
    verifyOnly: true,
    signal: AbortSignal.timeout(10_000),
  });
  expect(verified).toMatchObject({ equal: true });
  await consumer.stop();
});

it("goes on with higher numbers after a restore, for a partner with events and for one without, and a rebuild does too", async () => {
  const raise = { raised_by: 1_000, at: "2026-05-23T14:22:17.000Z" };
  await append("ptn_R", "MessageCanceled");
  for (const partner of ["ptn_R", "ptn_S"])
    await log.append([
      {
        stream: streamOf("feed", partner),
        expected: "any",
        events: [
          {
            id: uuid5(partner, "SequenceRaised"),
            type: "SequenceRaised",
            data: { partner_id: partner, ...raise },
            metadata: { partner },
          },
        ],
      },
    ]);
  for (const partner of ["ptn_R", "ptn_S"]) await append(partner, "MessageCanceled");
  const consumer = await runConsumer(lifecycleProjector("sandbox"), context);
  await consumer.caughtUp(await log.head());
  const numbersOf = async (partner: string) =>
    (await readLifecycle(pool, { partner, after: 0, limit: 10 })).rows.map((row) => row.sequence);
  expect([await numbersOf("ptn_R"), await numbersOf("ptn_S")]).toEqual([[1, 1_002], [1_001]]);
  const verified = await rebuildProjector(context, lifecycleProjector("sandbox"), {
    verifyOnly: true,
    signal: AbortSignal.timeout(10_000),
  });
  expect(verified).toMatchObject({ equal: true });
  await consumer.stop();
});

it("pages with a filter and reads on behind what the filter kept back", async () => {
  const expired = await readLifecycle(pool, {
    partner: "ptn_A",
    after: 0,
    limit: 2,
    types: ["message.expired"],
  });
  expect(expired.rows.map((row) => row.sequence)).toEqual([1, 3]);
  expect(expired.nextAfter).toBe(3);
  const none = await readLifecycle(pool, {
    partner: "ptn_A",
    after: 0,
    limit: 2,
    types: ["message.read"],
  });
  expect(none).toEqual({ rows: [], nextAfter: 6, last: 6 });
  const nobody = await readLifecycle(pool, { partner: "ptn_C", after: 0, limit: 2 });
  expect(nobody).toEqual({ rows: [], nextAfter: 0, last: 0 });
});

it("filters by channel, tags and metadata as endpoints do, by what the log has of an event", async () => {
  const partner = "ptn_F";
  const of = (more: object) =>
    append(partner, "MessageCanceled", { message: { ...message, ...more } });
  await of({});
  await of({ channel: "email", tags: ["vip", "beta"] });
  await of({ metadata: { plan: "gold", seats: 3 } });
  await of({ tags: ["vip"], metadata: { plan: "silver" } });
  const consumer = await runConsumer(lifecycleProjector("sandbox"), context);
  await consumer.caughtUp(await log.head());
  await consumer.stop();
  const numbers = async (filters: EndpointFilters, after = 0, limit = 100) => {
    const page = await readLifecycle(pool, { partner, after, limit, filters });
    return [page.rows.map(({ sequence }) => sequence), page.nextAfter];
  };
  expect(await numbers({ channels: ["sms"] })).toEqual([[1, 3, 4], 4]);
  expect(await numbers({ tags: ["vip"] })).toEqual([[2, 4], 4]);
  expect(await numbers({ tags: ["vip"] }, 0, 1)).toEqual([[2], 2]);
  expect(await numbers({ tags: ["vip"] }, 2)).toEqual([[4], 4]);
  expect(await numbers({ metadata: { plan: ["gold", "silver"] } })).toEqual([[3, 4], 4]);
  expect(await numbers({ metadata: { seats: 3 } })).toEqual([[3], 4]);
  expect(await numbers({ channels: ["email"], metadata: { plan: "gold" } })).toEqual([[], 4]);
  const typed = {
    partner,
    after: 0,
    limit: 9,
    types: ["message.read"],
    filters: { tags: ["vip"] },
  };
  expect(await readLifecycle(pool, typed)).toMatchObject({ rows: [], nextAfter: 4 });
});

it("looks at 10,000 events for a filter too, page by page of what passes", async () => {
  const partner = "ptn_M";
  await pool.query(
    `insert into lifecycle.events (partner, sequence, position, type, body, filtered)
     select $1, n, 0, 'message.sent', '{"body":' || n || '}', case when n in (1, 2500, 10001) then '{"tags":["vip"]}' end from generate_series(1, 10001) n`,
    [partner],
  );
  await pool.query("insert into lifecycle.sequences values ($1, 10001)", [partner]);
  const page = async (after: number, limit: number) => {
    const { rows, nextAfter } = await readLifecycle(pool, {
      partner,
      after,
      limit,
      filters: { tags: ["vip"] },
    });
    return [rows.map(({ sequence }) => sequence), nextAfter];
  };
  const asked = vi.spyOn(pool, "query");
  expect(await page(0, 2)).toEqual([[1, 2_500], 2_500]);
  expect(await page(0, 9)).toEqual([[1, 2_500], 10_000]);
  expect(await page(10_000, 9)).toEqual([[10_001], 10_001]);
  // Of what is kept back no body is read.
  const answers = await Promise.all(
    asked.mock.results.map(({ value }) => value as Promise<pg.QueryResult>),
  );
  asked.mockRestore();
  const bodies = answers.flatMap(
    ({ rows }) => JSON.stringify(rows).match(/(?<=body.":)\d+/g) ?? [],
  );
  expect(bodies).toEqual(["1", "2500", "1", "2500", "10001"]);
});

it("a page for a rare type looks at 10,000 events in either direction, and says where the next one goes on", async () => {
  const partner = "ptn_L";
  await pool.query(
    `insert into lifecycle.events (partner, sequence, position, type, body)
     select $1, n, 0, case n when 1 then 'message.read' else 'message.sent' end, '{}' from generate_series(1, 10001) n`,
    [partner],
  );
  await pool.query("insert into lifecycle.sequences values ($1, 10001)", [partner]);
  const rare = { partner, limit: 10, types: ["message.read"] };
  const row = { sequence: 1, body: "{}" };
  const earlier = (before: number) => readEarlierLifecycle(pool, { ...rare, before });
  expect(await earlier(10_002)).toEqual({ rows: [], last: 10_001, previous: 2, behind: 1 });
  expect(await earlier(2)).toEqual({ rows: [row], last: 1, previous: undefined, behind: 0 });
  expect(await earlier(10_001)).toEqual({
    rows: [row],
    last: 10_000,
    previous: undefined,
    behind: 0,
  });

  const later = (after: number) => readLifecycle(pool, { ...rare, after });
  expect(await later(1)).toEqual({ rows: [], nextAfter: 10_001, last: 10_001 });
  expect(await later(0)).toEqual({ rows: [row], nextAfter: 10_000, last: 10_001 });
});

it("wakes a long poll when the event is there and lets it go at its timeout", async () => {
  const consumer = await runConsumer(lifecycleProjector("sandbox"), context);
  const waiter = openLifecycleWaiter(pool, 10);
  const woken = waiter.wait("ptn_A", 6, 10_000);
  expect(await waiter.wait("ptn_A", 6, 20)).toBe(false);
  await append("ptn_A", "MessageCanceled");
  expect(await woken).toBe(true);
  const ended = waiter.wait("ptn_A", 7, 10_000);
  waiter.close();
  expect(await ended).toBe(false);
  await consumer.stop();
});
