import { type Checkpoint, inSchema, type WritePart } from "@heliograph/runtime";
import { testDatabase } from "@heliograph/testkit";
import fc from "fast-check";
import pg from "pg";
import { expect, test } from "vitest";
import type { Job, Row } from "../src/job.ts";
import { webhooksReactor } from "../src/index.ts";
import * as statements from "../src/store.ts";
import type { DeliveryStatus } from "../src/tables/webhooks.ts";
import { openSetBacks } from "../src/set-back.ts";
import { forgetSetBack, noteSetBack, setBackPending } from "../src/tables/set-at.ts";
import { Tables } from "./sim-tables.ts";

const endpoints = ["whe_1", "whe_2"] as const;
const subjects = ["msg_1", "msg_2"] as const;
const among = <Value>(...values: readonly Value[]) => fc.constantFrom(...values);

/** A delivery of few that there are; what of it never changes follows from its number. */
const rows = fc.uniqueArray(
  fc.record({
    number: fc.nat(11),
    status: among<DeliveryStatus>("pending", "delivered", "failed", "discarded"),
    at: among(undefined, 10, 20, 30),
    batch: among(undefined, "whb_1", "whb_2"),
    replay: among(undefined, "rpl_1", "rpl_2"),
    before: among(undefined, "failed", "delivered"),
    tries: fc.nat(9),
  }),
  { minLength: 1, selector: ({ number }) => number },
);
type Given = typeof rows extends fc.Arbitrary<infer Each> ? Each : never;

const rowOf = ({ number, status, at, batch, ...more }: Given[number]): Row => ({
  job: {
    id: `whd_${number}`,
    endpointId: endpoints[number % 2]!,
    partner: "ptn_1",
    eventId: `evt_${number}`,
    type: "message.sent",
    position: BigInt(number),
    sequence: number,
    body: `{"id":${number}}`,
    subject: number % 3 === 0 ? undefined : subjects[number % 2],
    createdAt: number,
    batch: batch === undefined ? undefined : { id: batch, jobs: [] },
    traceparent: number === 1 ? "00-trace" : undefined,
    ...more,
  } as unknown as Job,
  status,
  attempts: [{ at: "2026-01-01T00:00:00.000Z", duration_ms: number }],
  nextAttemptAt: status === "pending" ? at : undefined,
  batch: batch === undefined ? undefined : { id: batch, jobs: [] },
});

const upTo = fc.bigInt(0n, 12n);
const places = fc
  .dictionary(among(...endpoints), upTo)
  .map((found) => new Map(Object.entries(found)));
const ids = fc.uniqueArray(
  fc.nat(11).map((number) => `whd_${number}`),
  { maxLength: 3 },
);
const some = fc.uniqueArray(among(...endpoints), { minLength: 1 });
const replays = fc.uniqueArray(among("rpl_1", "rpl_2"), { minLength: 1 });
const named = fc.array(
  fc.record({ endpointId: among(...endpoints), subject: among(...subjects) }),
  {
    minLength: 1,
  },
);

const back = fc.record({ byMs: fc.nat(20), lookedAt: among(0, 200_000) });

const parts: fc.Arbitrary<WritePart> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(rows, fc.nat(200_000))
      .map(([given, now]) => statements.writeDeliveries(given.map(rowOf), now)),
  },
  fc
    .tuple(ids, fc.option(back, { nil: undefined }))
    .map(([each, known]) => setBackPending(each, { now: 15, ...known })),
  back.map((given) => noteSetBack(-1, { now: 15, ...given })),
  back.map((given) => forgetSetBack(-1, { now: 15, ...given })),
  fc.tuple(places, ids).map((given) => statements.discardPending(...given)),
  fc.tuple(replays, ids).map((given) => statements.cancelReplays(...given)),
  fc.tuple(places, ids).map((given) => statements.duePending(...given, 15)),
  fc.tuple(places, ids).map((given) => statements.dueHeld(...given, 15)),
  fc.tuple(named, upTo).map(([each, position]) => statements.releaseNext(each, position, 5)),
  fc.tuple(some, upTo).map(([each, position]) => statements.releaseAll(each, position, 5)),
);

/** What the service reads, in an order of its own where the table gives none. */
async function shown(store: statements.Store): Promise<unknown> {
  const all = Array.from({ length: 12 }, (_, number) => `whd_${number}`);
  const byId = (found: readonly statements.LoadedRow[]) =>
    found.toSorted((one, other) => one.job.id.localeCompare(other.job.id));
  const pending = await store.pending(endpoints.map((id) => ({ id, room: 12 })));
  const times = pending.map(({ nextAttemptAt, job }) => `${job.endpointId} ${nextAttemptAt}`);
  const text = (list: readonly unknown[]) => list.map((each) => JSON.stringify(each)).toSorted();
  return {
    unaware: (await store.unaware(new Map(endpoints.map((id) => [id, 12])), { now: 11 }))
      .map(({ id }) => id)
      .toSorted(),
    setBacks: await store.setBacks(-1),
    rows: byId(await store.load(all)),
    pending: byId(pending),
    times,
    batches: await store.batches(["whb_1", "whb_2"]),
    waited: (await store.waited()).toSorted(),
    withPending: [...(await store.withPending([...endpoints]))].toSorted(),
    subjects: text(await store.subjectsOf(["rpl_1"], "replay")),
    waiting: text(await store.subjectsOf(["whe_1"], "endpoint_id")),
    count: await store.countPending(),
    known: [...(await store.known(all))].toSorted(),
  };
}

async function migrated() {
  const database = await testDatabase();
  const pool = new pg.Pool({ connectionString: database.url, max: 1 });
  await pool.query("create schema webhooks");
  for (const ddl of webhooksReactor().migrations ?? []) await pool.query(inSchema(ddl, "webhooks"));
  return {
    pool,
    store: statements.openStore(pool, "webhooks"),
    async close() {
      await pool.end();
      await database.drop();
    },
  };
}

test("the simulation's tables do what the statements do in PostgreSQL", async () => {
  const { pool, store, close } = await migrated();
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(parts, { maxLength: 12 }), async (given) => {
        const tables = new Tables();
        await pool.query("truncate webhooks.deliveries, webhooks.set_backs");
        for (const part of given) {
          tables.apply([part]);
          await pool.query(inSchema(part.sql, "webhooks"), [...part.values]);
        }
        expect(await shown(tables.store)).toEqual(await shown(store));
      }),
      { numRuns: 40 },
    );
  } finally {
    await close();
  }
});

test("of a clock that was set back what waits hears a range at a time, each once, and what a crash left a successor tells", async () => {
  const { pool, store, close } = await migrated();
  try {
    const hourMs = 3_600_000;
    const back = { now: 100 * hourMs, byMs: 2 * hourMs, lookedAt: 100 * hourMs - 1_000 };
    // Most of one endpoint are due at one moment, as after another URL; half were written long before, the others by the clock that was ahead. The last were written beside, and know of it.
    await pool.query(
      `insert into webhooks.deliveries (id, endpoint_id, position, partner, event_id, type, sequence, status, attempts, next_attempt_at, body, created_at, set_at)
        select 'whd_' || n, 'whe_' || n % 7 / 6, n, 'ptn_1', 'evt_' || n, 'message.sent', n, 'pending', '[]', $1::bigint + case when n < 2000 then 5 else n end * 3600000::bigint,
          '{}', 0, $1::bigint + case when n > 2990 then 10 when n % 2 = 0 then -3600000 else 3600000 end from generate_series(1, 3000) n`,
      [back.now],
    );
    const shown = async () => {
      const { rows } = await pool.query(
        "select id, next_attempt_at::float8 as at from webhooks.deliveries order by position",
      );
      return rows.map(({ id, at }) => [id, at]);
    };
    const before = await shown();
    const touched: number[] = [];
    let left = Infinity;
    const checkpoint: Checkpoint = {
      position: 0n,
      dealt: () => undefined,
      async commit(_, parts = []) {
        if (left-- === 0) throw new Error("killed");
        for (const { sql, values } of parts)
          touched.push((await pool.query(inSchema(sql, "webhooks"), [...values])).rowCount!);
      },
    };
    const all = ["whe_0", "whe_1"];
    // What is known of it is on record, and a range is told.
    left = 2;
    await expect(openSetBacks(checkpoint, store).happened(all, back)).rejects.toThrow("killed");
    left = Infinity;
    // That of another shard is not this one's.
    await openSetBacks(checkpoint, store, 3).goOn([], back.now);
    await openSetBacks(checkpoint, store).goOn(all, back.now + 30_000);
    expect(await shown()).toEqual(
      before.map(([id, at], index) => [id, index < 2_990 ? at - back.byMs : at]),
    );
    expect(Math.max(...touched)).toBe(1_000);
    expect(await store.setBacks(-1)).toEqual([]);
    const told = touched.length;
    await openSetBacks(checkpoint, store).goOn(all, back.now + 60_000);
    expect(touched).toHaveLength(told);
  } finally {
    await close();
  }
});
