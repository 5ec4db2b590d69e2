import { inSchema, type WritePart } from "@heliograph/runtime";
import { testDatabase } from "@heliograph/testkit";
import fc from "fast-check";
import pg from "pg";
import { expect, test } from "vitest";
import type { Job, Row } from "../src/job.ts";
import { webhooksReactor } from "../src/index.ts";
import * as statements from "../src/store.ts";
import type { DeliveryStatus } from "../src/tables/webhooks.ts";
import { setBackPending } from "../src/tables/set-at.ts";
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

const parts: fc.Arbitrary<WritePart> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(rows, fc.nat(200_000))
      .map(([given, now]) => statements.writeDeliveries(given.map(rowOf), now)),
  },
  fc
    .tuple(
      some,
      fc.option(fc.record({ byMs: fc.nat(20), lookedAt: fc.nat(200_000) }), { nil: undefined }),
    )
    .map(([each, back]) => setBackPending(each, 15, back)),
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

test("the simulation's tables do what the statements do in PostgreSQL", async () => {
  const database = await testDatabase();
  const pool = new pg.Pool({ connectionString: database.url, max: 1 });
  try {
    await pool.query("create schema webhooks");
    for (const ddl of webhooksReactor().migrations ?? [])
      await pool.query(inSchema(ddl, "webhooks"));
    const store = statements.openStore(pool, "webhooks");
    await fc.assert(
      fc.asyncProperty(fc.array(parts, { maxLength: 12 }), async (given) => {
        const tables = new Tables();
        await pool.query("truncate webhooks.deliveries");
        for (const part of given) {
          tables.apply([part]);
          await pool.query(inSchema(part.sql, "webhooks"), [...part.values]);
        }
        expect(await shown(tables.store)).toEqual(await shown(store));
      }),
      { numRuns: 40 },
    );
  } finally {
    await pool.end();
    await database.drop();
  }
});
