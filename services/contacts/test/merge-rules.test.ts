import {
  type TypedEvent,
  newId,
  streamOf,
  uuid5,
  uuid7,
  validateEvent,
} from "@heliograph/contracts";
import { openMemoryLog } from "@heliograph/log";
import { loosely } from "@heliograph/testkit";
import fc from "fast-check";
import { expect, it, vi } from "vitest";
import { type Contact, evolveContact } from "../src/contact.ts";
import { createContact, findByExternalId, removeExternalId } from "../src/commands.ts";
import { reachOf } from "../src/address.ts";
import { applyRows } from "../src/imports/apply.ts";
import { absorbed, letGo, merged, unmerged } from "../src/merge/decide.ts";
import {
  type Fields,
  type FieldsPatch,
  noFields,
  patchFields,
  profileText,
} from "../src/profile.ts";
import { endUnmerge, lookThroughUnmerge } from "../src/merge/restore.ts";
import { mergeContacts } from "../src/merge/saga.ts";
import { type ContactsContext, changeContact, loadContact } from "../src/streams.ts";

const at = { at: "2026-05-23T14:22:17.000Z" };
const counted = { conversations: 0, messages: 0 };
const key = fc.constantFrom("plan", "seats", "vip", "since");
const valueOf = { plan: "gold", seats: 3, vip: true, since: "2026-01-01" } as const;
const other = { plan: "free", seats: 9, vip: false, since: "2026-02-02" } as const;
const attributes = fc.dictionary(key, fc.constantFrom("value", "other", null)).map((chosen) =>
  Object.fromEntries(
    Object.entries(chosen).map(([name, which]) => {
      const known = name as keyof typeof valueOf;
      return [name, which === null ? null : which === "value" ? valueOf[known] : other[known]];
    }),
  ),
);
const patch: fc.Arbitrary<FieldsPatch> = fc.record(
  {
    name: fc.constantFrom("Ada", "Grace", null),
    language: fc.constantFrom("en", "de", null),
    time_zone: fc.constantFrom("Europe/Berlin", null),
    client_ref: fc.constantFrom("r-1", null),
    tags: fc.subarray(["a", "b", "c", "d"]),
    attributes,
  },
  { requiredKeys: [] },
);
const patchedBy = (fields: Fields, ...patches: readonly FieldsPatch[]): Fields =>
  patches.reduce((before, each) => {
    const after = patchFields(before, each);
    if ("errors" in after) throw new Error(JSON.stringify(after.errors));
    return after.fields;
  }, fields);

const fold = (contact: Contact | undefined, event: TypedEvent): Contact =>
  evolveContact(contact, event)!;
const contactOf = (id: string, fields: Fields): Contact =>
  fold(undefined, {
    type: "ContactCreated",
    data: {
      contact_id: id,
      external_ids: [{ source: "crm", id, name: `name of ${id}` }],
      name: fields.name,
      profile: profileText(fields),
      made_by: "api",
      created_at: at.at,
    },
  });
const updated = (contact: Contact, change: FieldsPatch): Contact => {
  const fields = patchedBy(contact.fields, change);
  return fold(contact, {
    type: "ContactUpdated",
    data: {
      contact_id: contact.contact_id,
      name: fields.name,
      profile: profileText(fields),
      changed: ["name"],
      updated_at: at.at,
    },
  });
};
const absorb = (into: Contact, from: Contact, id: string): [Contact, Contact] => [
  fold(into, absorbed(into, from, id, counted, at)),
  fold(from, merged(from, { merge_id: id, into: into.contact_id }, at)),
];
const release = (into: Contact, from: Contact, id: string): [Contact, Contact] => {
  const event = letGo(
    into,
    into.merges.find(({ merge_id }) => merge_id === id)!,
    at,
  );
  return [fold(into, event), fold(from, unmerged(from, id, event.data.left, at))];
};
const person = fc.array(patch, { maxLength: 3 }).map((patches) => patchedBy(noFields, ...patches));

it("unmerge(merge(x)) = x, for any two contacts", () => {
  fc.assert(
    fc.property(person, person, (one, two) => {
      const [a, b] = [contactOf("A", one), contactOf("B", two)];
      const [survivor, part] = absorb(b, a, "M");
      expect(part).toMatchObject({ status: "merged", merged: { into: "B" } });
      expect(release(survivor, part, "M")).toEqual([b, { ...a, merged: undefined }]);
    }),
  );
});

it("a merge gives the survivor what it lacks, takes nothing from it, and unites the tags", () => {
  fc.assert(
    fc.property(person, person, (one, two) => {
      const [survivor] = absorb(contactOf("B", two), contactOf("A", one), "M");
      const { fields, external_ids } = survivor;
      for (const field of ["name", "language", "time_zone", "client_ref"] as const)
        expect(fields[field]).toBe(two[field] ?? one[field]);
      expect(new Set(fields.tags)).toEqual(new Set([...two.tags, ...one.tags]));
      for (const [name, { value }] of Object.entries(two.attributes))
        if (value !== null) expect(fields.attributes[name]!.value).toBe(value);
      for (const [name, { value }] of Object.entries(one.attributes))
        expect(fields.attributes[name]?.value ?? null).toBe(two.attributes[name]?.value ?? value);
      expect(external_ids.map(({ id }) => id)).toEqual(["B", "A"]);
    }),
  );
});

it("what was changed since a merge stays with the survivor, and nothing else does", () => {
  fc.assert(
    fc.property(person, person, patch, (one, two, change) => {
      const [a, b] = [contactOf("A", one), contactOf("B", two)];
      const [survivor, part] = absorb(b, a, "M");
      const later = updated(survivor, change);
      const [{ fields }, back] = release(later, part, "M");
      expect(back).toEqual({ ...a, merged: undefined });
      for (const field of ["name", "language", "time_zone", "client_ref"] as const) {
        const touched = later.fields[field] !== survivor.fields[field];
        expect(fields[field]).toBe(touched ? later.fields[field] : b.fields[field]);
      }
      for (const name of Object.keys(valueOf)) {
        const value = (of: Fields) => of.attributes[name]?.value ?? null;
        const touched = value(later.fields) !== value(survivor.fields);
        expect(value(fields)).toBe(touched ? value(later.fields) : value(b.fields));
      }
      const gained = one.tags.filter((tag) => !two.tags.includes(tag));
      expect(fields.tags).toEqual(later.fields.tags.filter((tag) => !gained.includes(tag)));
    }),
  );
});

it("merges are undone in any order", () => {
  fc.assert(
    fc.property(person, person, person, fc.boolean(), (one, two, three, firstFirst) => {
      const [a, b, c] = [contactOf("A", one), contactOf("B", two), contactOf("C", three)];
      const [withA, partA] = absorb(b, a, "M1");
      const [withBoth, partC] = absorb(withA, c, "M2");
      let survivor = withBoth;
      for (const [part, id] of firstFirst
        ? ([
            [partA, "M1"],
            [partC, "M2"],
          ] as const)
        : ([
            [partC, "M2"],
            [partA, "M1"],
          ] as const))
        [survivor] = release(survivor, part, id);
      expect(survivor).toEqual(b);
    }),
  );
});

it("an id that was taken from the survivor does not come back with an unmerge", () => {
  const [survivor, part] = absorb(contactOf("B", noFields), contactOf("A", noFields), "M");
  const without = fold(survivor, {
    type: "ContactExternalIdRemoved",
    data: {
      contact_id: "B",
      source: "crm",
      name: "name of A",
      claim_revision: 0,
      removed_at: at.at,
    },
  });
  const [, back] = release(without, part, "M");
  expect(back.external_ids).toEqual([]);
});

const partner = newId("ptn");
const phone = { source: "sms", id: "+15550001111" };
const made = { made_by: "api" } as const;
/** Requests to a log in memory, with texts as they are; each key is one request. */
function requests(): (key?: string) => ContactsContext {
  const log = openMemoryLog({ validate: validateEvent });
  const seal = (text: string): string => text;
  const vault = loosely({
    name: (...parts: readonly string[]) => parts.join(" "),
    seals: async (subjects: readonly unknown[]) => subjects.map(() => seal),
    seal: async () => seal,
    open: async () => seal,
    retire: async () => undefined,
  });
  return (key = uuid7()) => ({
    log,
    vault,
    partner,
    metadata: () => ({ partner, actor: "test" }),
    eventId: (name) => uuid5(key, name),
  });
}

/** A contact with the phone, by the id that it got. */
async function holder(context: ContactsContext): Promise<string> {
  await createContact(context, { external_ids: [phone] }, made, newId("cnt"));
  return (await findByExternalId(context, phone))!.contact.contact_id;
}

/** A contact that holds the phone was part of another one, which has let it go: whoever undid the merge has crashed in the middle. */
async function halfUnmerged(request: ReturnType<typeof requests>) {
  const [from, into] = [await holder(request()), newId("cnt")];
  await createContact(request(), { name: "Ada" }, made, into);
  const mergeId = newId("mrg");
  await mergeContacts(request(), { from, into, mergeId }, async () => counted);
  await changeContact(request(), into, uuid7(), (contact) => ({
    events: [letGo(contact!, contact!.merges[0]!, at)],
  }));
  return { from, into };
}

it("gives a contact that a survivor has let go, and that was not told, its ids back before they are somebody else's", async () => {
  const request = requests();
  const { from, into } = await halfUnmerged(request);
  const erasure = { contact_id: into, erasure_id: newId("ers"), requested_at: at.at };
  await changeContact(request(), into, uuid7(), () => ({
    events: [{ type: "ContactErasureRequested", data: erasure }],
  }));
  const other = await createContact(request(), { external_ids: [phone] }, made, newId("cnt"));
  expect(other).toMatchObject({ kind: "refused", error: { code: "external_id_taken" } });
  expect((await findByExternalId(request(), phone))?.contact).toMatchObject({
    contact_id: from,
    status: "active",
  });
});

it("leaves a contact with the one that it was merged into where nothing tells what that one has given back, and asks once", async () => {
  const request = requests();
  const [from, into] = [await holder(request()), newId("cnt")];
  await createContact(request(), { name: "Ada" }, made, into);
  const merge = { from, into, mergeId: newId("mrg") };
  await mergeContacts(request(), merge, async () => counted);
  const { log } = request();
  let scans = 0;
  /** As of before the merge. */
  const restored = async function* (stream: `contact-${string}`) {
    scans++;
    for await (const event of log.scanStream(stream)) {
      yield event;
      if (stream === streamOf("contact", into)) return;
    }
  };
  const warn = vi.fn<(about: object, text: string) => void>();
  const context = {
    ...request(),
    log: Object.create(log, { scanStream: { value: restored } }),
    logger: loosely({ warn }),
  };
  for (const end of [lookThroughUnmerge, endUnmerge]) {
    scans = 0;
    expect((await findByExternalId(context, phone, end))?.contact).toMatchObject({
      contact_id: into,
      fields: { name: "Ada" },
    });
    expect(scans).toBeLessThan(8);
  }
  expect(warn).toHaveBeenCalledTimes(2);
});

it("takes an id from nobody else when its removal is repeated", async () => {
  const request = requests();
  const one = await holder(request());
  const again = request("remove");
  expect(await removeExternalId(again, one, phone)).toMatchObject({ kind: "updated" });
  const held = await holder(request());
  expect(await removeExternalId(again, one, phone)).toMatchObject({ kind: "updated" });
  expect((await findByExternalId(request(), phone))?.contact.contact_id).toBe(held);
});

it("changes a contact that a survivor has let go, and not the survivor, by rows of a file", async () => {
  const request = requests();
  const { from, into } = await halfUnmerged(request);
  expect((await reachOf(request(), [from]))(from, "sms")).toEqual({
    kind: "reached",
    to: phone.id,
  });
  const { log, vault } = request();
  const job = loosely({ id: newId("imp"), partner, on_conflict: "update" });
  const row = { row: 1, line: 2, input: { external_ids: [phone], name: "Grace" } };
  expect(await applyRows({ log, vault }, job, [row])).toEqual(["updated"]);
  const names = [from, into].map(async (id) => (await loadContact(request(), id))!.contact);
  expect(await Promise.all(names)).toMatchObject([
    { status: "active", fields: { name: "Grace" }, external_ids: [phone] },
    { status: "active", fields: { name: "Ada" }, external_ids: [] },
  ]);
});

it("makes two contacts by two events when who made the first is repeated after it lost its id", async () => {
  const request = requests();
  const make = async (by = request("made")) => {
    const input = { external_ids: [phone] };
    const done = await createContact(by, input, made, newId("cnt"));
    if (done.kind === "refused") throw done.error;
    return done;
  };
  const one = await make();
  expect(await make()).toMatchObject({ kind: "created", firstEventId: one.firstEventId });
  await removeExternalId(request(), one.contact.contact_id, phone);
  const next = await make();
  expect(next.contact.contact_id).not.toBe(one.contact.contact_id);
  expect(next.firstEventId).not.toBe(one.firstEventId);
  expect(await make()).toMatchObject({ kind: "created", firstEventId: next.firstEventId });
  await removeExternalId(request(), next.contact.contact_id, phone);
  // A release before gave the events of all contacts of a request one id.
  const before = { ...request(), eventId: (name: string) => uuid5("before", name.split(" ")[0]!) };
  const old = await make(before);
  expect(old.firstEventId).toBe(uuid5("before", "created"));
  expect(await make(request("before"))).toMatchObject({
    kind: "created",
    firstEventId: old.firstEventId,
  });
});
