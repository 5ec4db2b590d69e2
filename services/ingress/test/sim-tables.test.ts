import { inSchema, type WritePart } from "@heliograph/runtime";
import { loosely, testDatabase } from "@heliograph/testkit";
import fc from "fast-check";
import pg from "pg";
import { expect, test } from "vitest";
import type { BroadcastStatus } from "../src/broadcasts/decide.ts";
import * as tables from "../src/tables/broadcasts.ts";
import * as statements from "../src/tables/fan-out.ts";
import { Tables } from "./sim-tables.ts";

const among = <Value>(...values: readonly Value[]) => fc.constantFrom(...values);
const broadcast = among("brc_1", "brc_2");
/** Contacts with the ids of their messages; of each broadcast they are others. */
const contacts = (id: string) =>
  fc
    .uniqueArray(fc.nat(4), { maxLength: 4 })
    .map((numbers) =>
      numbers.map((number) => ({ contact_id: `cnt_${number}`, message_id: `${id} ${number}` })),
    );
const messages = fc.uniqueArray(
  fc.tuple(broadcast, fc.nat(4)).map(([id, number]) => `${id} ${number}`),
  { minLength: 1, maxLength: 4 },
);
const reason = among("no_address", "contact_erased");
const created = (id: string) =>
  ({ broadcast_id: id, audience: {}, send: { channel: "sms" }, created_at: "" }) as const;

const parts: fc.Arbitrary<readonly WritePart[]> = fc.oneof(
  broadcast.map((id) => [tables.insertBroadcast(created(id), "ptn_1", 1n)]),
  broadcast.map((id) => [tables.startedPart(id, "2026-01-01T00:00:00.000Z", 5n)]),
  fc
    .tuple(
      broadcast,
      among<BroadcastStatus>("paused", "running", "done"),
      among("2026-01-01T00:00:00.000Z", ""),
    )
    .map(([id, status, at]) => [
      tables.statusPart(
        id,
        status,
        at === "" ? { pause: { code: "a", reason: "b" } } : { endedAt: at },
      ),
    ]),
  {
    weight: 3,
    arbitrary: broadcast.chain((id) =>
      fc
        .tuple(contacts(id), fc.boolean())
        .map(([found, all]) => statements.collectParts(id, found, "7", all)),
    ),
  },
  {
    weight: 3,
    arbitrary: broadcast.chain((id) =>
      fc.tuple(messages, messages, reason, contacts(id)).map(([accepted, skipped, why, added]) =>
        statements.pageParts(
          id,
          accepted,
          skipped
            .filter((each) => !accepted.includes(each))
            .map((message_id) => ({ message_id, reason: why })),
          added,
        ),
      ),
    ),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(messages, among<"sent" | "failed">("sent", "failed"), fc.boolean())
      .map(([ids, outcome, corrects]) =>
        statements.outcomeParts(ids.map((message_id) => ({ message_id, outcome, corrects }))),
      ),
  },
  messages.map((ids) =>
    statements.retryParts(
      ids.map((id) => ({ contact_id: "", message_id: id, attempt: 0, next: `${id} again` })),
    ),
  ),
);

const poolOf = (double: Tables): pg.Pool =>
  loosely({
    query: (given: string | { readonly text: string }) =>
      double.query(typeof given === "string" ? { text: given } : given),
  });

/** All that the service reads, and all that is in the tables. */
async function shown(pool: pg.Pool, stored: () => Promise<readonly object[]>): Promise<unknown> {
  const ids = ["brc_1", "brc_2"].flatMap((id) => [0, 1, 2, 3, 4].map((each) => `${id} ${each}`));
  const found = await statements.recipientsOf(pool, ids);
  const next = ["brc_1", "brc_2"].map((id) => statements.nextRecipients(pool, id, 3));
  return {
    jobs: (await statements.openJobs(pool, "", 5)).map(({ id, ...job }) => [
      id,
      ...Object.values(job),
    ]),
    followed: await statements.isFollowed(pool),
    next: (await Promise.all(next)).map((rows) => rows.map((row) => row.message_id)),
    found: found.map((row) => [row.message_id, row.contact_id, row.attempt].join(" ")).toSorted(),
    stored: (await stored()).map((row) => JSON.stringify(row)).toSorted(),
  };
}
const columns =
  "broadcast_id, number::float8, contact_id, message_id, attempt, state, outcome, reason";

test("the simulation's tables do what the statements do in PostgreSQL", async () => {
  const database = await testDatabase();
  const pool = new pg.Pool({ connectionString: database.url, max: 1 });
  try {
    await pool.query("create schema broadcasts");
    await pool.query(tables.broadcastsDdl);
    await fc.assert(
      fc.asyncProperty(fc.array(parts, { maxLength: 14 }), async (given) => {
        const double = new Tables();
        await pool.query("truncate broadcasts.broadcasts, broadcasts.recipients");
        for (const each of given) {
          double.apply(each);
          let offset = 0;
          const bodies = each.map(({ sql, values }, index) => {
            const text = inSchema(sql, "broadcasts").replaceAll(
              /\$(\d+)/g,
              (_, digits: string) => `$${Number(digits) + offset}`,
            );
            offset += values.length;
            return `part_${index} as (${text})`;
          });
          const values = each.flatMap((part) => [...part.values]);
          await pool.query(`with ${bodies.join(", ")} select 1`, values);
        }
        const stored = async () =>
          (await pool.query(`select ${columns} from broadcasts.recipients`)).rows;
        const own = async () => [...double.recipients.values()].map((row) => ({ ...row }));
        expect(await shown(poolOf(double), own)).toEqual(await shown(pool, stored));
        expect(double.faults).toEqual([]);
      }),
      { numRuns: 40 },
    );
  } finally {
    await pool.end();
    await database.drop();
  }
});
