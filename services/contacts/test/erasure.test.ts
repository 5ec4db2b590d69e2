import { createPublicKey, verify } from "node:crypto";
import { type EventData, newId, streamOf, uuid7 } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { claimKey, readClaim } from "../src/claims.ts";
import { createContact, findByExternalId } from "../src/commands.ts";
import { service } from "../src/index.ts";
import type { ContactsContext } from "../src/streams.ts";
import { people } from "./people.ts";

let world: World;
let partner: { id: string; key: string };
beforeAll(async () => {
  world = await openWorld({ services: [service], consumers: "run" });
  partner = await world.addPartner();
});
afterAll(() => world.close());

const context = (): ContactsContext => ({
  log: world.platform.contexts.sandbox.log,
  vault: world.platform.contexts.sandbox.vault,
  partner: partner.id,
  metadata: () => ({ partner: partner.id }),
  eventId: () => uuid7(),
});
const call = (method: string, path: string, headers: Record<string, string> = {}) =>
  world.call(method, `/api/v1${path}`, { key: partner.key, headers });

async function create(name: string, phone: string): Promise<string> {
  const made = await createContact(
    context(),
    { name, external_ids: [{ source: "sms", id: phone }], attributes: { plan: `${name}'s plan` } },
    { made_by: "api" },
    newId("cnt"),
  );
  if (made.kind === "refused") throw made.error;
  return made.contact.contact_id;
}
const erased = (id: string) =>
  until(async () => {
    const { body } = await call("GET", `/contacts/${id}/erasure`);
    return body.status === "completed" && body;
  });
const events = async (id: string): Promise<readonly RecordedEvent[]> =>
  context().log.readStream(streamOf("contact", id));
const opened = async (id: string): Promise<string> => {
  const found = await events(id);
  return JSON.stringify((await context().vault.open(partner.id, found))(found.map((e) => e.data)));
};

test("an erasure destroys one contact's keys, frees its ids and leaves a certificate that anybody can verify", async () => {
  const ada = await create("Ada Lovelace", "+15550100001");
  const bea = await create("Bea Arthur", "+15550100002");
  const key = newId("req");
  const asked = await call("DELETE", `/contacts/${ada}`, { "idempotency-key": key });
  expect(asked.status).toBe(202);
  const done = await erased(ada);
  expect(done.erasure_id).toBe(asked.body.erasure_id);
  const { signature, ...facts } = done.certificate;
  expect(facts).toMatchObject({
    contact_id: ada,
    contacts: [ada],
    partner_id: partner.id,
    key_destroyed_at: done.key_destroyed_at,
    environment: "sandbox",
  });
  expect(facts.keys_destroyed).toBeGreaterThan(0);
  const publicKey = createPublicKey({
    key: { kty: "OKP", crv: "Ed25519", x: facts.public_key },
    format: "jwk",
  });
  const text = (value: object): Buffer => Buffer.from(JSON.stringify(value));
  const signed = Buffer.from(signature, "base64url");
  expect(verify(null, text(facts), publicKey, signed)).toBe(true);
  expect(verify(null, text({ ...facts, keys_destroyed: 99 }), publicKey, signed)).toBe(false);

  expect(await opened(ada)).not.toMatch(/Lovelace|plan|\+1555/);
  expect(await opened(ada)).toContain("[erased]");
  expect(await opened(bea)).toContain("Bea Arthur");
  const repeated = await call("DELETE", `/contacts/${ada}`, { "idempotency-key": key });
  expect(repeated.text).toBe(asked.text);
  expect((await call("DELETE", `/contacts/${ada}`)).body.code).toBe("contact_erased");
});

test("from the moment it is asked for a contact is gone, and its number that comes again is somebody new without an old field", async () => {
  const phone = "+15550100003";
  const old = await create("Cleo", phone);
  await call("DELETE", `/contacts/${old}`);
  expect(await findByExternalId(context(), { source: "sms", id: phone })).toBeUndefined();
  expect((await call("DELETE", `/contacts/${old}`)).status).toBe(410);
  const next = await createContact(
    context(),
    { external_ids: [{ source: "sms", id: phone }] },
    { made_by: "inbound" },
    newId("cnt"),
  );
  if (next.kind === "refused") throw next.error;
  expect(next.contact.contact_id).not.toBe(old);
  expect(next.contact.fields.name).toBeNull();
  expect(next.contact.fields.attributes).toEqual({});
  await erased(old);
  const found = await findByExternalId(context(), { source: "sms", id: phone });
  expect(found?.contact.contact_id).toBe(next.contact.contact_id);
  expect(await opened(next.contact.contact_id)).toContain(phone);
});

test("contacts that are part of it go with it, one that was let go again does not", async () => {
  const [survivor, part, free] = [
    await create("Dora", "+15550100004"),
    await create("Dora too", "+15550100005"),
    await create("Emil", "+15550100006"),
  ];
  const write = people(context(), partner.id);
  const at = new Date().toISOString();
  const absorb = async (id: string) => {
    const merge_id = newId("mrg");
    await write.merge(id, survivor);
    const seal = await context().vault.seal({ partner: partner.id, subject: survivor });
    await write.append(survivor, "ContactAbsorbed", {
      merge_id,
      contact_id: survivor,
      merged_id: id,
      name: seal("Dora"),
      profile: seal("{}"),
      gained: seal('{"fields":[],"attributes":{},"tags":[]}'),
      external_ids: [],
      moved: { external_ids: 0, conversations: 0, messages: 0 },
      absorbed_at: at,
    } satisfies EventData<"ContactAbsorbed">);
    return { merge_id, seal };
  };
  await absorb(part);
  const { merge_id, seal } = await absorb(free);
  await write.append(survivor, "ContactReleased", {
    merge_id,
    contact_id: survivor,
    released_id: free,
    left: [],
    name: seal("Dora"),
    profile: seal("{}"),
    released_at: at,
  } satisfies EventData<"ContactReleased">);
  await write.unmerge(free);
  await call("DELETE", `/contacts/${survivor}`);
  const done = await erased(survivor);
  expect(done.certificate.contacts).toEqual([survivor, part]);
  expect((await call("GET", `/contacts/${part}/erasure`)).body.erasure_id).toBe(done.erasure_id);
  expect(await opened(part)).not.toContain("Dora");
  expect(await opened(free)).toContain("Emil");
  const names = (await events(part)).flatMap(({ type, data }) =>
    type === "ContactCreated" ? data.external_ids.map(({ name }) => name) : [],
  );
  for (const name of names)
    expect((await readClaim(context().log, { name })).owner, claimKey(name)).toBeUndefined();
});

test("one of another partner, one that is not there and one seen in another state are refused", async () => {
  const id = await create("Fay", "+15550100007");
  const other = await world.addPartner();
  for (const [method, path] of [
    ["DELETE", `/contacts/${id}`],
    ["GET", `/contacts/${id}/erasure`],
  ] as const)
    expect((await world.call(method, `/api/v1${path}`, { key: other.key })).status).toBe(404);
  expect((await call("GET", `/contacts/${id}/erasure`)).status).toBe(404);
  expect((await call("DELETE", "/contacts/cnt_nobody")).status).toBe(404);
  const stale = await call("DELETE", `/contacts/${id}`, { "if-match": '"7"' });
  expect([stale.status, stale.body.code]).toEqual([412, "precondition_failed"]);
  expect(await opened(id)).toContain("Fay");
});

test("an idempotent answer that holds the contact's data is 410 after the erasure, and its row tells nothing", async () => {
  const headers = { "idempotency-key": newId("req") };
  const body = { name: "Gwen Raverat", external_ids: [{ source: "sms", id: "+15550100008" }] };
  const create = () => world.call("POST", "/api/v1/contacts", { key: partner.key, body, headers });
  const first = await create();
  expect(first.status).toBe(201);
  expect((await create()).text).toBe(first.text);
  await call("DELETE", `/contacts/${first.body.id}`);
  await erased(first.body.id);
  const again = await create();
  expect([again.status, again.body.code]).toEqual([410, "contact_erased"]);
  const other = await world.call("POST", "/api/v1/contacts", {
    key: partner.key,
    body,
    headers: { "idempotency-key": newId("req") },
  });
  expect(other.status).toBe(201);
  expect(other.body.id).not.toBe(first.body.id);
});
