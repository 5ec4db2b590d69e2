import { inSchema } from "@heliograph/runtime";
import { loosely, testDatabase } from "@heliograph/testkit";
import fc from "fast-check";
import pg from "pg";
import { expect, test } from "vitest";
import { emptyProfile } from "../src/listed-profile.ts";
import { termsOf } from "../src/search.ts";
import { readAddresses, readAudience, readFields } from "../src/tables/audience.ts";
import { type Written, contactsDdl, readFamilies, upsertContacts } from "../src/tables/contacts.ts";
import { Tables } from "./sim-tables.ts";

const ids = ["cnt_0", "cnt_1", "cnt_2", "cnt_3"] as const;
const at = "2026-01-01T00:00:00.000Z";

/** A contact of few that there are; what of it never changes follows from its number. */
const row = fc
  .record({
    number: fc.nat(3),
    into: fc.option(fc.constantFrom(...ids), { nil: null }),
    erased: fc.boolean(),
    tags: fc.subarray(["a", "b"]),
    sources: fc.subarray(["sms", "crm"]),
  })
  .map(({ number, into, erased, tags, sources }): Written => {
    const id = ids[number]!;
    const partner = number === 3 ? "ptn_2" : "ptn_1";
    const externalIds = sources.map((source) => ({
      source,
      id: `+1555000000${number}`,
      added_at: at,
    }));
    return {
      id,
      partner,
      position: String(number + 1),
      name: tags.join() || null,
      profile: { ...emptyProfile, tags },
      own: externalIds.map((each) => ({ ...each, name: `${each.source} ${id}` })),
      mergedInto: into,
      erased,
      createdAt: at,
      updatedAt: at,
      root: into ?? id,
      externalIds,
      search: "",
      terms: tags.map((tag) => termsOf(partner).tag(tag)),
    };
  });
const batches = fc.array(fc.uniqueArray(row, { selector: ({ id }) => id }), { maxLength: 5 });

const byName = <Of>(found: ReadonlyMap<string, Of>) =>
  [...found].toSorted(([one], [other]) => one.localeCompare(other));

async function shown(pool: pg.Pool): Promise<unknown> {
  const partner = "ptn_1";
  const audience = (of: Parameters<typeof readAudience>[1]["audience"], limit: number) =>
    readAudience(pool, { partner, audience: of, after: 1n, upTo: 3n, limit });
  const families = await readFamilies(pool, "contacts", ["cnt_0", "cnt_1"]);
  const addresses = await readAddresses(pool, partner, "sms", ids);
  const byId = <Each extends { readonly id: string }>(all: readonly Each[]) =>
    all.toSorted((one, other) => one.id.localeCompare(other.id));
  return {
    families: byId(families),
    addresses: byId(addresses),
    fields: byName(await readFields(pool, partner, ids)),
    all: await audience({}, 5),
    first: await audience({}, 1),
    tagged: await audience({ tag: "a" }, 5),
    named: await audience({ tag: "b", contact_ids: ["cnt_1", "cnt_3"] }, 5),
  };
}

test("the simulation's table does what the statements do in PostgreSQL", async () => {
  const database = await testDatabase();
  const pool = new pg.Pool({ connectionString: database.url, max: 1 });
  try {
    await pool.query("create schema contacts");
    await pool.query(inSchema(contactsDdl, "contacts"));
    await fc.assert(
      fc.asyncProperty(batches, async (given) => {
        const double = new Tables();
        await pool.query("truncate contacts.contacts");
        for (const rows of given)
          for (const part of upsertContacts(rows)) {
            double.apply([part]);
            await pool.query(inSchema(part.sql, "contacts"), [...part.values]);
          }
        const query = (text: string | object, values: unknown[] = []) =>
          double.query(typeof text === "string" ? { text, values } : loosely(text));
        expect(await shown(loosely({ query }))).toEqual(await shown(pool));
      }),
      { numRuns: 40 },
    );
  } finally {
    await pool.end();
    await database.drop();
  }
});
