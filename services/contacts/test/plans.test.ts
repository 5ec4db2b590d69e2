import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { filterOf, type ContactsQuery } from "../src/api/list.ts";
import { service } from "../src/index.ts";
import { searchText, termsOf } from "../src/search.ts";
import { contactsStatements, upsertContacts } from "../src/tables/contacts.ts";

/** Enough that reading all of them is dearer than any index; of two partners, so that one of them is in the way of the other. */
const contacts = 30_000;
const batch = 1_000;

let world: World;
beforeAll(async () => {
  world = await openWorld({ services: [service], consumers: "tables" });
  for (let first = 0; first < contacts; first += batch) await fill(first);
  await pool().query("vacuum analyze contacts.contacts");
}, 120_000);
afterAll(() => world.close());
const pool = () => world.platform.contexts.sandbox.pool;

const given = ["Maria", "Jan", "Li", "Olga", "Kofi", "Aiko", "Ines", "Zoë"];
const family = ["Nowak", "Wu", "Silva", "Okafor", "Tanaka", "Müller", "Núñez", "Dąbrowski"];

async function fill(first: number): Promise<void> {
  const rows = Array.from({ length: batch }, (_, index) => {
    const n = first + index;
    const partner = n % 2 === 0 ? "ptn_a" : "ptn_b";
    const name = `${given[n % 7]} ${family[(n >> 3) % 8]} ${n.toString(36)}`;
    const externalIds = [
      { source: "sms", id: `+1555${String(n).padStart(7, "0")}`, added_at: "" },
      { source: "email", id: `user${n}@example.com`, added_at: "" },
    ];
    const tags = n % 500 === 0 ? ["rare"] : n % 100 === 2 ? ["some"] : ["common"];
    const attributes = { plan: n % 1000 === 0 ? "gold" : "free" };
    const search = searchText([name, ...externalIds.map(({ id }) => id)]);
    return {
      id: `cnt_${n}`,
      partner,
      position: String(n + 1),
      name,
      profile: { language: null, time_zone: null, client_ref: null, tags, attributes },
      own: [],
      externalIds,
      search,
      terms: termsOf(partner).all(search, { externalIds, tags, attributes }),
      mergedInto: null,
      root: `cnt_${n}`,
      erased: false,
      createdAt: "2026-01-01T00:00:00.000Z",
      updatedAt: new Date(1_767_225_600_000 + n * 1000).toISOString(),
    };
  });
  for (const { sql, values } of upsertContacts(rows))
    await pool().query(sql.replaceAll("{schema}", "contacts"), [...values]);
}

async function explained(query: ContactsQuery & Readonly<Record<string, string>>) {
  const filter = filterOf("ptn_a", query);
  const plans: string[] = [];
  let [found, buffers] = [0, 0];
  const statements = contactsStatements({ ...filter, partner: "ptn_a", limit: 26 });
  for (const { text, values, least } of statements) {
    if (found < least) continue;
    const explain = `explain (analyze, buffers, format json) ${text}`;
    const { rows } = await pool().query(explain, [...values]);
    const [{ Plan: plan }] = rows[0]["QUERY PLAN"];
    plans.push(JSON.stringify(plan));
    buffers += plan["Shared Hit Blocks"] + plan["Shared Read Blocks"];
    found = plan["Actual Rows"];
    if (found === 26) break;
  }
  return { text: plans.join(), found, buffers };
}

describe("the list's plan", () => {
  test.each([
    ["no filter", {}, 26],
    ["a word that many have", { q: "maria" }, 26],
    ["part of a number that few have", { q: "(555) 001-23" }, 26],
    ["a whole number", { q: "15550012346" }, 1],
    ["part of an address", { q: "user12346@" }, 1],
    ["two letters", { q: "wu" }, 26],
    ["a word that nobody has", { q: "xylophone" }, 0],
    ["two letters that nobody has", { q: "qq" }, 0],
    ["several words", { q: "wu maria 15550" }, 26],
    ["an external id", { source: "sms", external_id: "+15550012346" }, 1],
    ["a tag that few have", { tag: "rare" }, 26],
    ["a tag that one in fifty has", { tag: "some" }, 26],
    ["an attribute that few have", { "attribute[plan]": "gold" }, 15],
    ["what changed lately", { updated_from: "2026-01-01T08:19:30Z" }, 15],
  ])("reads no table from end to end for %s", async (_, query, least) => {
    const plan = await explained(query);
    expect(plan.text).not.toContain("Seq Scan");
    expect(plan.found).toBeGreaterThanOrEqual(least);
    // The whole table has thousands; a bitmap of some hundred rows is the most that any of these takes.
    expect(plan.buffers).toBeLessThan(2_000);
  });
});
