import { newId, uuid7 } from "@heliograph/contracts";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { named } from "../src/claims.ts";
import { createContact, findByExternalId, upsertByExternalId } from "../src/commands.ts";
import { type ContactInput, maxExternalIds } from "../src/fields.ts";
import { applyRows } from "../src/imports/apply.ts";
import { type ImportRow, faultOf } from "../src/imports/rows.ts";
import { service } from "../src/index.ts";
import { mergeContacts } from "../src/merge/saga.ts";
import type { ContactsContext } from "../src/streams.ts";
import type { Job, OnConflict } from "../src/tables/imports.ts";
import { people } from "./people.ts";

const sms = (n: number) => ({ source: "sms", id: `+1555${String(n).padStart(7, "0")}` });
const email = (n: number) => ({ source: "email", id: `n${n}@b.example` });
const made = { made_by: "import" } as const;

/** Numbers that follow from a seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** Rows over a few people, so that many mean one: by either id, by both, by two people's, by none; some of them wrong. */
function rowsOf(seed: number, count: number): readonly ImportRow[] {
  const random = randomOf(seed);
  return Array.from({ length: count }, (_, index): ImportRow => {
    const row = { row: index + 1, line: index + 2 };
    const [one, other] = [random(20), random(20)];
    const shapes = [
      [sms(one), email(one)],
      [email(one), sms(one)],
      [sms(one)],
      [email(one)],
      [sms(one), email(other)],
      [{ source: "crm", id: `C-${index}` }, sms(one)],
      [{ source: "crm", id: `C-${index}` }],
    ];
    const external_ids = shapes[random(shapes.length)]!;
    const input: ContactInput = {
      ...(random(12) > 0 && { external_ids }),
      ...(random(4) > 0 && { name: `name ${random(4)}` }),
      ...(random(3) === 0 && { tags: [`tag ${random(3)}`] }),
      ...(random(3) === 0 && { attributes: { plan: random(6) === 0 ? 5 : "gold" } }),
      ...(random(15) === 0 && { time_zone: "Nowhere/Land" }),
    };
    return random(20) === 0
      ? { ...row, fault: { field: "", code: "required", message: "has nothing in it" } }
      : { ...row, input };
  });
}

async function partnerOf(world: World) {
  const { id: partner } = await world.addPartner();
  const { log, vault } = world.platform.contexts.sandbox;
  const context: ContactsContext = {
    log,
    vault,
    partner,
    metadata: () => ({ partner }),
    eventId: () => uuid7(),
  };
  const since = await log.head();
  const make = async (n: number, input: ContactInput): Promise<string> => {
    const done = await createContact(context, input, { made_by: "api" }, `cnt_${n}`);
    if (done.kind === "refused") throw done.error;
    return done.contact.contact_id;
  };
  const merge = async (from: string, into: string): Promise<void> => {
    const mergeId = `mrg_${from.slice(4)}`;
    const none = async () => ({ conversations: 0, messages: 0 });
    const merged = await mergeContacts(context, { from, into, mergeId }, none);
    if (merged.kind === "refused") throw merged.error;
  };
  return {
    context,
    partner,
    async before(): Promise<void> {
      const all: string[] = [];
      for (let n = 0; n < 12; n++)
        all.push(await make(n, { name: `old ${n}`, external_ids: [sms(n), email(n)] }));
      await merge(all[1]!, all[2]!);
      await merge(all[2]!, all[3]!);
      await merge(all[4]!, all[5]!);
      const { erase } = people({ log, vault }, partner);
      await erase(all[6]!);
      await erase(all[7]!);
      // One whose stream is longer than those that are read together.
      for (let n = 0; n < 25; n++)
        await upsertByExternalId(context, sms(8), { name: `often ${n}` }, made);
      // Ids that had owners before.
      for (const n of [13, 14, 15, 16, 17]) {
        const gone = await make(n, { external_ids: [sms(n)] });
        await erase(gone);
        if (n > 14) await upsertByExternalId(context, sms(n), { name: "again" }, made);
      }
    },
    /** Every contact's events with their texts opened, and who has which id; without what tells this partner and run from another. */
    async found() {
      const { events } = await log.readAll({ after: since, limit: 100_000 });
      const own = events.filter(({ metadata }) => metadata.partner === partner);
      const open = await vault.open(partner, own);
      const names = new Map<string, string>();
      for (let n = 0; n < 20; n++)
        for (const each of [sms(n), email(n)])
          names.set(named(context, each).name, `${each.source} ${n}`);
      const streams = new Map<string, object[]>();
      for (const sealed of own) {
        const event = open(sealed);
        if (!event.stream.startsWith("contact-")) continue;
        const list = streams.get(event.stream) ?? [];
        streams.set(event.stream, list);
        list.push({ type: event.type, data: event.data });
      }
      const plain = (value: unknown): unknown =>
        JSON.parse(
          JSON.stringify(value, (key, each: unknown) => {
            if (/_at$|^(merge_id|erasure_id|merged_revision|certificate)$/.test(key)) return "";
            if (key === "made_by" || key === "claim_revision") return "";
            if (typeof each !== "string") return each;
            const known = names.get(each) ?? each.replace(/^[0-9A-Z]{26}$/, "a name");
            return known.replaceAll(/cnt_[0-9A-Z]{26}/g, "a contact");
          }),
        );
      const contacts = [...streams.values()].map((list) => JSON.stringify(plain(list))).sort();
      const owners: Record<string, unknown> = {};
      for (let n = 0; n < 20; n++)
        for (const each of [sms(n), email(n)]) {
          const by = await findByExternalId(context, each);
          owners[each.id] =
            by === undefined ? "nobody" : by.contact.external_ids.map(({ id }) => id).sort();
        }
      return { contacts, owners };
    },
  };
}

/** As the rows would go in if each were a request. */
async function oneByOne(
  context: ContactsContext,
  rows: readonly ImportRow[],
  onConflict: OnConflict,
): Promise<readonly unknown[]> {
  const outcomes: unknown[] = [];
  for (const row of rows) {
    if ("fault" in row) {
      outcomes.push(row.fault);
      continue;
    }
    const { external_ids: ids = [], ...input } = row.input;
    const held = await Promise.all(ids.map((each) => findByExternalId(context, each)));
    const lead =
      ids[
        Math.max(
          0,
          held.findIndex((each) => each !== undefined),
        )
      ];
    const own = {
      ...context,
      eventId: (name: string) =>
        `${uuid7().slice(0, -12)}${Buffer.from(name).toString("hex").padEnd(12, "0").slice(0, 12)}`,
    };
    const done =
      onConflict === "update" && lead !== undefined
        ? await upsertByExternalId(
            own,
            lead,
            { ...input, external_ids: ids.filter((each) => each !== lead) },
            made,
          )
        : await createContact(own, row.input, made, newId("cnt"));
    if (done.kind !== "refused") outcomes.push(done.kind === "created" ? "created" : "updated");
    else
      outcomes.push(
        done.error.code === "external_id_taken" && onConflict === "skip"
          ? "skipped"
          : faultOf(done.error),
      );
  }
  return outcomes;
}

const withoutIds = (outcomes: readonly unknown[]): unknown =>
  JSON.parse(
    JSON.stringify(outcomes).replaceAll(/source \w+ belongs to the contact cnt_[0-9A-Z]{26}/g, "…"),
  );
const jobOf = (partner: string, on_conflict: OnConflict): Job => ({
  id: `imp_${uuid7()}`,
  partner,
  upload: "",
  key: "",
  format: "csv",
  on_conflict,
  actor: "test",
  request_id: "req_1",
  rows: 0,
  failed: 0,
});

describe.each(["postgres", "eventstoredb", "memory"] as const)("on %s", (driver) => {
  let world: World;
  beforeAll(async () => {
    world = await openWorld({ services: [service], consumers: "tables", driver });
  });
  afterAll(() => world.close());

  test.each(["update", "skip", "fail"] as const)(
    "rows together become what they become one by one, and again nothing: on_conflict=%s",
    async (onConflict) => {
      const [bulk, single] = [await partnerOf(world), await partnerOf(world)];
      await bulk.before();
      await single.before();
      // What rows mean over what rows have made is the same on every log: the cheapest shows it.
      for (const seed of driver === "memory" ? [1, 2] : [1]) {
        const rows = rowsOf(seed, 60);
        const job = jobOf(bulk.partner, onConflict);
        const outcomes = withoutIds(await applyRows(bulk.context, job, rows));
        expect(outcomes).toEqual(withoutIds(await oneByOne(single.context, rows, onConflict)));
        const found = await bulk.found();
        expect(found).toEqual(await single.found());
        // As after a kill before they were counted.
        expect(withoutIds(await applyRows(bulk.context, job, rows))).toEqual(outcomes);
        expect(await bulk.found()).toEqual(found);
      }
    },
    120_000,
  );

  test("a row comes behind one that waits and means the same person by another id", async () => {
    const { context, partner } = await partnerOf(world);
    const ids = Array.from({ length: maxExternalIds }, (_, n) => ({ source: "crm", id: `C-${n}` }));
    await createContact(context, { external_ids: ids }, { made_by: "api" }, newId("cnt"));
    const own = { name: "first", external_ids: [sms(1), email(1)] };
    await createContact(context, own, { made_by: "api" }, newId("cnt"));
    const shared = { source: "crm", id: "C-shared" };
    const row = (n: number, input: ContactInput): ImportRow => ({ row: n, line: n + 1, input });
    const outcomes = await applyRows(context, jobOf(partner, "update"), [
      // Refused, so that the id is free for the one that waits for it.
      row(1, { external_ids: [ids[0]!, shared] }),
      row(2, { name: "second", external_ids: [email(1), shared] }),
      row(3, { name: "third", external_ids: [sms(1)] }),
    ]);
    expect(outcomes).toMatchObject([{ code: "too_big" }, "updated", "updated"]);
    const found = await findByExternalId(context, shared);
    expect(found?.contact.external_ids).toHaveLength(3);
    expect(found?.contact.fields.name).toBe("third");
  });

  test("requests for the same people at the same time: each person is one contact, and nothing that was said is lost", async () => {
    const { context, partner } = await partnerOf(world);
    const all = Array.from({ length: 20 }, (_, n) => n);
    const rows = [...all, ...all].map((n, index): ImportRow => {
      const input = index < 20 ? { name: `row ${n}` } : { tags: ["imported"] };
      return {
        row: index + 1,
        line: index + 2,
        input: { ...input, external_ids: [sms(n), email(n)] },
      };
    });
    const asked = async (n: number) => {
      const input = { attributes: { plan: "gold" }, external_ids: [email(n)] };
      const done = await upsertByExternalId(context, sms(n), input, { made_by: "api" });
      return done.kind;
    };
    const [outcomes, requests] = await Promise.all([
      applyRows(context, jobOf(partner, "update"), rows),
      Promise.all(all.map(asked)),
    ]);
    expect(requests).not.toContain("refused");
    const made = [...outcomes, ...requests].filter((each) => each === "created");
    expect(made).toHaveLength(all.length);
    expect(outcomes.filter((each) => each === "created" || each === "updated")).toHaveLength(40);
    const contacts = new Set<string>();
    for (const n of all) {
      const [bySms, byEmail] = await Promise.all(
        [sms(n), email(n)].map((id) => findByExternalId(context, id)),
      );
      expect(bySms).toEqual(byEmail);
      const { contact_id, fields } = bySms!.contact;
      contacts.add(contact_id);
      expect(fields).toMatchObject({
        name: `row ${n}`,
        tags: ["imported"],
        attributes: { plan: { value: "gold" } },
      });
    }
    expect(contacts.size).toBe(all.length);
  });
});
