import { newId, streamOf, uuid7 } from "@heliograph/contracts";
import { consumerOn, spawnService, testDatabase, until } from "@heliograph/testkit";
import { erasedText } from "@heliograph/vault";
import { afterAll, beforeAll, expect, test } from "vitest";
import { named, readClaim } from "../src/claims.ts";
import { addExternalId, findByExternalId, upsertByExternalId } from "../src/commands.ts";
import { matchingReactor } from "../src/matching/reactor.ts";
import { mergeReactor } from "../src/merge/reactor.ts";
import { loadContact } from "../src/streams.ts";
import { openFaults } from "./faults.ts";
import { matchedOf, postInbound } from "./inbound.ts";

const paths = {
  command: new URL("./command-child.ts", import.meta.url).pathname,
  matching: new URL("./matching-child.ts", import.meta.url).pathname,
  merge: new URL("./merge-child.ts", import.meta.url).pathname,
};
type Child = keyof typeof paths;
const partner = newId("ptn");
let database: Awaited<ReturnType<typeof testDatabase>>;
let faults: Awaited<ReturnType<typeof openFaults>>;
beforeAll(async () => {
  database = await testDatabase();
  faults = await openFaults(database.url, partner);
});
afterAll(async () => {
  await faults.close();
  await database.drop();
});

const killed = async (child: Child, point: string, ...args: readonly string[]): Promise<void> => {
  const env = { HELIOGRAPH_FAILPOINT: `${point}:kill` };
  const process = spawnService(paths[child], env, [database.url, ...args]);
  expect(await process.exited, `${point}\n${process.output()}`).toMatchObject({
    signal: "SIGKILL",
  });
};
const reactors = { matching: matchingReactor, merge: mergeReactor };
/** Whoever comes after a process that was killed. */
const finishing = async (
  name: keyof typeof reactors,
  done: () => Promise<unknown>,
): Promise<void> => {
  const successor = await consumerOn(database.url, () => reactors[name]);
  try {
    await until(done, { timeoutMs: 20_000 });
  } finally {
    await successor.stop();
  }
};
const crm = (id: string) => ({ source: "crm", id });
const typesOf = async (id: string): Promise<readonly string[]> =>
  (await faults.context.log.readStream(streamOf("contact", id))).map(({ type }) => type);

test("killed at any point of it, the matching of a message makes one contact and tells of it once", async () => {
  const points = [
    "contacts.claimed",
    "matching.contact",
    "matching.before_append",
    "matching.after_append",
    "matching.before_commit",
  ];
  for (const [index, point] of points.entries()) {
    const from = `+1555030000${index}`;
    const { inboundId, messageId } = await postInbound(faults.context, partner, { from });
    await killed("matching", point);
    await finishing("matching", () => matchedOf(faults.context, inboundId));
    const matched = await matchedOf(faults.context, inboundId);
    const found = await findByExternalId(faults.context, { source: "sms", id: from });
    expect(found!.contact, point).toMatchObject({
      contact_id: matched!.contact_id,
      message_id: messageId,
    });
    expect(matched, point).toMatchObject({ known: false, from });
    expect(await typesOf(matched!.contact_id)).toEqual(["ContactCreated"]);
  }
}, 180_000);

test("what a message came as goes with a contact whose erasure was over before that was told, by who was late or by whoever comes next", async () => {
  const { log } = faults.context;
  const erased = async (from: string): Promise<void> => {
    const found = await until(() => findByExternalId(faults.context, { source: "sms", id: from }));
    const { contact_id } = found!.contact;
    const data = { contact_id, erasure_id: newId("ers"), requested_at: new Date().toISOString() };
    const event = { id: uuid7(), type: "ContactErasureRequested", data, metadata: { partner } };
    const stream = streamOf("contact", contact_id);
    const [outcome] = await log.append([{ stream, expected: "any", events: [event] }]);
    expect(outcome).toMatchObject({ kind: "appended" });
  };
  const gone = async (inboundId: string): Promise<boolean> => {
    const [received] = await log.readStream(streamOf("inbound", inboundId));
    const { raw } = received!.data as { readonly raw: string };
    return (await faults.context.vault.open(undefined, raw))(raw) === erasedText;
  };
  const [late, dead] = ["+15550301001", "+15550301002"];
  const first = await postInbound(faults.context, partner, { from: late });
  const slow = { HELIOGRAPH_FAILPOINT: "matching.before_append:delay=1500" };
  const child = spawnService(paths.matching, slow, [database.url]);
  try {
    await erased(late);
    expect(await matchedOf(faults.context, first.inboundId)).toBeUndefined();
    await until(() => gone(first.inboundId));
    expect(await matchedOf(faults.context, first.inboundId)).toBeDefined();
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
  const second = await postInbound(faults.context, partner, { from: dead });
  await killed("matching", "matching.after_append");
  await erased(dead);
  await finishing("matching", () => gone(second.inboundId));
}, 60_000);

test("a claim whose contact was never made is completed by whoever comes next, with the same id", async () => {
  await killed("command", "contacts.claimed", partner, "create", "K-1", "K-2");
  const { owner } = await readClaim(faults.context.log, named(faults.context, crm("K-1")));
  const next = await upsertByExternalId(faults.context, crm("K-1"), {}, { made_by: "api" });
  expect(next).toMatchObject({ kind: "created", contact: { contact_id: owner } });
  const other = await upsertByExternalId(faults.context, crm("K-2"), {}, { made_by: "api" });
  expect(other).toMatchObject({ kind: "updated", contact: { contact_id: owner } });
  // An id beside the one that was asked for, claimed for somebody who crashed: completed for him, and told as taken.
  await killed("command", "contacts.claimed", partner, "create", "K-3", "K-4");
  const both = { external_ids: [crm("K-3")] };
  const refused = await upsertByExternalId(faults.context, crm("K-5"), both, { made_by: "api" });
  const holder = await findByExternalId(faults.context, crm("K-3"));
  expect(refused).toMatchObject({
    kind: "refused",
    error: { code: "external_id_taken", extra: { contact_id: holder!.contact.contact_id } },
  });
  expect(await findByExternalId(faults.context, crm("K-5"))).toBeUndefined();
}, 60_000);

test("an id that was claimed for a contact and not given to it belongs to that contact", async () => {
  const id = await faults.made(["U-1"]);
  await killed("command", "contacts.claimed", partner, "upsert", "U-1", "U-2");
  const again = await upsertByExternalId(faults.context, crm("U-2"), {}, { made_by: "api" });
  expect(again).toMatchObject({ kind: "updated", contact: { contact_id: id } });
  expect((await loadContact(faults.context, id))!.contact.external_ids).toHaveLength(2);
}, 60_000);

test("an id that was taken from a contact becomes free, and stays with it where it came back before", async () => {
  const id = await faults.made(["R-1", "R-2"]);
  await killed("command", "contacts.removed", partner, "remove", id, "R-1");
  await killed("command", "contacts.removed", partner, "remove", id, "R-2");
  await addExternalId(faults.context, id, crm("R-2"));
  const owner = async (of: string) =>
    (await readClaim(faults.context.log, named(faults.context, crm(of)))).owner;
  await finishing("merge", async () => (await owner("R-1")) === undefined);
  expect(await owner("R-2")).toBe(id);
  const { contact } = (await loadContact(faults.context, id))!;
  expect(contact.external_ids.map((each) => each.id)).toEqual(["R-2"]);
}, 60_000);

test("a merge that was killed at any point of it, in the request or the reactor, is finished, once", async () => {
  const points = ["contacts.merge_started", "contacts.merged", "contacts.absorbed"];
  for (const [index, point] of points.entries()) {
    const a = await faults.made([`A-${index}`], "Ada");
    const b = await faults.made([`B-${index}`]);
    await killed("command", point, partner, "merge", a, b, newId("mrg"));
    if (index === 0) await killed("merge", "contacts.merged");
    await finishing("merge", async () => (await typesOf(b)).includes("ContactAbsorbed"));
    expect(await typesOf(a), point).toEqual(["ContactCreated", "ContactMerged"]);
    expect(await typesOf(b), point).toEqual([
      "ContactCreated",
      "ContactMergeStarted",
      "ContactAbsorbed",
    ]);
    const found = await findByExternalId(faults.context, crm(`A-${index}`));
    expect(found!.contact).toMatchObject({ contact_id: b, fields: { name: "Ada" } });
  }
}, 120_000);

test("a merge whose other contact changed meanwhile is canceled by whoever finishes it", async () => {
  const [a, b] = [await faults.made(["X-1"], "Ada"), await faults.made(["X-2"])];
  await killed("command", "contacts.merge_started", partner, "merge", a, b, newId("mrg"));
  const changed = { name: "Changed" };
  await upsertByExternalId(faults.context, crm("X-1"), changed, { made_by: "api" });
  await finishing("merge", async () => (await typesOf(b)).includes("ContactMergeCanceled"));
  expect((await loadContact(faults.context, a))!.contact).toMatchObject({
    status: "active",
    fields: changed,
  });
  expect((await loadContact(faults.context, b))!.contact.absorbing).toBeUndefined();
}, 60_000);

test("an unmerge that was killed between the two contacts is finished", async () => {
  const [a, b] = [await faults.made(["Y-1"], "Ada"), await faults.made(["Y-2"])];
  const mergeId = newId("mrg");
  await killed("command", "contacts.absorbed", partner, "merge", a, b, mergeId);
  await killed("command", "contacts.released", partner, "unmerge", b, mergeId);
  const half = await typesOf(a);
  const seen = await findByExternalId(faults.context, crm("Y-1"));
  expect(seen!.contact, "a read looks through it").toMatchObject({
    contact_id: a,
    status: "active",
    external_ids: [{ id: "Y-1" }],
  });
  expect(await typesOf(a), "and appends nothing").toEqual(half);
  await finishing("merge", async () => (await typesOf(a)).includes("ContactUnmerged"));
  expect((await loadContact(faults.context, a))!.contact).toMatchObject({
    status: "active",
    fields: { name: "Ada" },
    external_ids: [{ id: "Y-1" }],
  });
  expect((await loadContact(faults.context, b))!.contact.fields.name).toBeNull();
}, 60_000);
