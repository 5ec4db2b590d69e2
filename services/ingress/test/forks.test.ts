import {
  type Channel,
  deterministicId,
  type EventType,
  newId,
  streamOf,
  uuid7,
} from "@heliograph/contracts";
import { service as contacts } from "@heliograph/contacts";
import { service as control } from "@heliograph/control";
import { service as delivery } from "@heliograph/delivery";
import { service as dispatch } from "@heliograph/dispatch";
import { service as lifecycle } from "@heliograph/lifecycle";
import { type Consumer, runConsumer } from "@heliograph/runtime";
import { loosely, until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { service as wallet } from "@heliograph/wallet";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { service } from "../src/service.ts";

vi.setConfig({ testTimeout: 60_000 });

let world: World;
let admin: string;
const running: { stop(): Promise<void> }[] = [];
beforeAll(async () => {
  const others = [wallet, dispatch, delivery, lifecycle];
  world = await openWorld({
    services: [service, control, contacts, ...others],
    consumers: "tables",
    partners: [{ funds: "100" }, { funds: "100" }],
  });
  admin = await world.addKey(world.partners[0]!.id, { admin: true });
  // Those of the sandbox alone: nothing happens to what the test writes into live.
  const context = world.platform.contexts.sandbox;
  for (const other of others)
    for (const consumer of other.consumers!(context) as readonly Consumer[])
      running.push(await runConsumer(consumer, context));
  const [matching] = contacts.consumers!(context).filter(({ name }) => name === "contact-matching");
  running.push(await runConsumer(matching!, context));
}, 60_000);
afterAll(async () => {
  for (const each of running) await each.stop();
  await world.close();
});

/** Nothing of these may be found in the sandbox. */
const personal = {
  grace: "+14155550123",
  boss: "+491512345678",
  mail: "Grace.Hopper@navy-yard.mil",
  text: "Dear Grace Hopper, your code is 483920 – Größe 42, ΩΔ",
  cyrillic: "Здравствуйте, Ольга Петровна",
  subject: "Rechnung für Hopper",
  tag: "hopper-family",
  reference: "patient-7781",
};

/** A live message of the past with what became of it, as its consumers would have written it. */
async function past(
  partner: string,
  channel: Channel,
  to: string,
  content: object,
  after: readonly (readonly [EventType, object])[],
): Promise<string> {
  const id = newId("msg");
  const context = { channel, to };
  const request = {
    message_id: id,
    channel,
    to,
    content,
    category: "transactional",
    priority: 1,
    tags: [personal.tag],
    metadata: { name: "Grace Hopper" },
    client_ref: personal.reference,
    expires_at: "2099-01-01T00:00:00.000Z",
    cost: "0.02",
    currency: "USD",
    price: { list: "standard", version: 1, country: "US", per_segment: "0.01" },
    segments: { count: 1, encoding: "GSM-7", characters: 5 },
    created_at: new Date().toISOString(),
  };
  const events = [["MessageRequested", request] as const, ...after].map(([type, data]) => ({
    id: uuid7(),
    type,
    data: type === "MessageRequested" ? data : { message_id: id, ...data, message: context },
    metadata: { partner },
  }));
  const [outcome] = await world.platform.contexts.live.log.append([
    { stream: streamOf("message", id), expected: "no_stream", events },
  ]);
  expect(outcome).toMatchObject({ kind: "appended" });
  return id;
}

/** What somebody wrote in live, as it was matched there. */
async function wrote(partner: string, from: string, content: object): Promise<string> {
  const message_id = newId("msg");
  const inbound_id = newId("inb");
  const data = {
    inbound_id,
    message_id,
    contact_id: newId("cnt"),
    known: false,
    channel: "sms",
    external_id: { source: "sms", id: from, name: "n" },
    from,
    to: "+15550109998",
    kind: "message",
    provider: { gateway: "g", name: "g", message_id: "p2" },
    gateway_id: newId("gtw"),
    received_at: new Date().toISOString(),
    reason: "the sender's number",
    ...content,
  };
  const events = [{ id: uuid7(), type: "InboundMatched", data, metadata: { partner } }];
  const [outcome] = await world.platform.contexts.live.log.append([
    { stream: streamOf("inbound", inbound_id), expected: "no_stream", events },
  ]);
  expect(outcome).toMatchObject({ kind: "appended" });
  return message_id;
}
/** What was written in the sandbox, as it was matched there, with its raw bytes. */
async function writtenIn() {
  const { log, vault } = world.platform.contexts.sandbox;
  const types = ["InboundReceived", "InboundMatched"] as const;
  const { events } = await log.readAll({ after: 0n, limit: 1_000, types: [...types] });
  const { partner } = events[0]?.metadata ?? {};
  const data = events.map((event) => event.data as object);
  const open = await vault.open(partner, data);
  return events.map(({ type }, index) => ({ type, data: loosely(open(data[index]!)) }));
}

const sent = [
  "MessageSent",
  {
    attempt: 1,
    attempt_id: newId("atp"),
    choice: { reason: "the first" },
    gateway: "g",
    gateway_kind: "simulator",
    provider: { name: "g", message_id: "p1", status: "ok" },
    cost: "0.02",
    currency: "USD",
  },
] as const;
const delivered = [
  "MessageDelivered",
  { gateway: "g", provider_message_id: "p1", at: "2026-01-01T00:00:00.000Z" },
] as const;
const bounced = [
  "MessageBounced",
  {
    error: { code: "recipient_unreachable", class: "recipient", permanent: true },
    diagnostic: `550 no such user ${personal.mail}`,
  },
] as const;

const fork = (partner: string, from: string, headers = {}, to = new Date().toISOString()) =>
  world.call("POST", "/api/v1/forks", { key: admin, body: { partner, from, to }, headers });
const cancel = (id: string) => world.call("POST", `/api/v1/forks/${id}/cancel`, { key: admin });
const change = async (partner: string, body: object) => {
  const path = `/api/v1/admin/partners/${partner}`;
  expect((await world.call("PATCH", path, { key: admin, body })).status).toBe(200);
};
const twinOf = (partner: string, live: string) =>
  deterministicId("msg", "sandbox", partner, "fork", live);
const eventsOf = (id: string) =>
  world.platform.contexts.sandbox.log.readStream(streamOf("message", id));
const ended = (id: string) =>
  until(
    async () => {
      const { body } = await world.call("GET", `/api/v1/forks/${id}`, { key: admin });
      return body.finished_at === null ? undefined : body;
    },
    { timeoutMs: 30_000 },
  );

/** Everything of the sandbox as text: its log, and each row of each table that it has. */
async function everything(): Promise<string> {
  const { log, pool } = world.platform.contexts.sandbox;
  const texts: string[] = [];
  for (let after = 0n; ;) {
    const { events, position } = await log.readAll({ after, limit: 1_000 });
    texts.push(...events.map(({ data, metadata }) => JSON.stringify([data, metadata])));
    if (position === after) break;
    after = position;
  }
  const { rows } = await pool.query<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
      where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
  );
  for (const { name } of rows) {
    const found = await pool.query<{ row: string }>(`select t::text as row from ${name} t`);
    texts.push(...found.rows.map(({ row }) => row));
  }
  return texts.join("\n").toLowerCase();
}

test("a window of live is sent in the sandbox with the same outcomes and nothing of a person, once, over a crash too", async () => {
  const { id: partner, key } = world.partners[0]!;
  const from = new Date(Date.now() - 60_000).toISOString();
  const text = { text: personal.text };
  const twins: readonly (readonly [string, string])[] = [
    [await past(partner, "sms", personal.grace, text, [sent, delivered]), "delivered"],
    [await past(partner, "sms", personal.boss, { text: personal.cyrillic }, [sent]), "sent"],
    [
      await past(partner, "email", personal.mail, { ...text, subject: personal.subject }, [
        sent,
        bounced,
      ]),
      "bounced",
    ],
  ];
  await past(partner, "sms", personal.grace, text, []);
  await past(world.partners[1]!.id, "sms", personal.grace, text, [sent]);
  await wrote(partner, personal.grace, { text: personal.text });
  await wrote(partner, personal.grace, { kind: "reaction", text: "👍", about: "p1" });
  await wrote(world.partners[1]!.id, personal.boss, { text: personal.text });
  const liveBefore = await world.platform.contexts.live.log.head();

  const headers = { "idempotency-key": newId("req") };
  const to = new Date().toISOString();
  const asked = await fork(partner, from, headers, to);
  expect(asked.status, asked.text).toBe(202);
  const done = await ended(asked.body.id);
  expect(done).toMatchObject({
    status: "done",
    seen: 6,
    copied: 4,
    skipped: { under_way: 1, no_message: 1 },
    complete: true,
    progress: 1,
  });
  expect(await world.platform.contexts.live.log.head()).toBe(liveBefore);

  for (const [live, status] of twins) {
    const shown = await until(
      async () => {
        const { body } = await world.call("GET", `/api/v1/messages/${twinOf(partner, live)}`, {
          key,
        });
        return body.status === status ? body : undefined;
      },
      { timeoutMs: 30_000 },
    );
    expect(shown).toMatchObject({ environment: "sandbox", client_ref: null, metadata: {} });
  }
  // Who got a message wrote by the address that its twin went to.
  const [first] = await eventsOf(twinOf(partner, twins[0]![0]));
  const reached = loosely(first!.data).to;
  const written = await until(async () => {
    const found = await writtenIn();
    return found.length === 2 && found;
  });
  expect(written).toMatchObject([
    { type: "InboundReceived", data: { partner_id: partner } },
    {
      type: "InboundMatched",
      data: { from: reached, external_id: { source: "sms", id: reached }, known: false },
    },
  ]);
  expect(written[1]!.data.text).toMatch(/^\p{Lu}\p{Ll}{3} \p{Lu}\p{Ll}{4} .*– .* .*, \p{L}{2}$/u);
  const words = Object.values(personal).flatMap((value) => [value, ...value.split(/[^\p{L}\d]+/u)]);
  const all = `${await everything()}${JSON.stringify(written).toLowerCase()}`;
  expect(all).toContain(twinOf(partner, twins[0]![0]).toLowerCase());
  for (const word of words.filter((each) => each.length > 4))
    expect([word, all.includes(word.toLowerCase())]).toEqual([word, false]);

  // Its process died after it had sent and before that was noted: another goes on, and sends nothing twice.
  const { pool, log } = world.platform.contexts.sandbox;
  const requests = async () =>
    (await log.readAll({ after: 0n, limit: 1_000, types: ["MessageRequested"] })).events.length;
  const before = await requests();
  await pool.query(
    "update forks.runs set status = 'running', owner = gen_random_uuid(), finished_at = null, reached = after_position, seen = 0, copied = 0, skipped = '{}', updated_at = now() where id = $1",
    [asked.body.id],
  );
  // As long as it shows itself there is no second one of this partner.
  const second = await fork(partner, from);
  expect(second).toMatchObject({ status: 409, body: { code: "conflict" } });
  await pool.query("update forks.runs set updated_at = now() - interval '2 minutes'");
  await world.restart();
  expect(await ended(asked.body.id)).toMatchObject({ status: "done", copied: 4 });
  expect(await writtenIn()).toHaveLength(2);
  expect(await requests()).toBe(before);

  // A day later: the key's answer is dropped.
  for (const each of Object.values(world.platform.contexts))
    await each.pool.query("delete from ingress.idempotency");
  for (const other of [
    await fork(world.partners[1]!.id, from, headers, to),
    await fork(partner, new Date(Date.parse(from) - 1).toISOString(), headers, to),
  ])
    expect([other.status, other.body.original]).toEqual([422, asked.body.id]);
  expect((await fork(partner, from, headers, to)).body.id).toBe(asked.body.id);

  expect((await world.call("POST", "/api/v1/forks", { key, body: {} })).status).toBe(403);
});

test("a canceled one sends no further twin, and one of the same window goes on, whatever has become of its messages", async () => {
  const { id: partner } = world.partners[0]!;
  const from = new Date().toISOString();
  const text = { text: "hello" };
  // As many as are sent together have no twin, so whatever there is to be sent comes after them.
  await Promise.all(
    Array.from({ length: 100 }, () => past(partner, "sms", personal.grace, text, [])),
  );
  const last = await past(partner, "sms", personal.grace, text, [sent]);
  const { pool } = world.platform.contexts.sandbox;
  await pool.query(`create function forks.hold() returns trigger language plpgsql as
      $$ begin perform pg_advisory_xact_lock(4711); return null; end $$;
    create trigger hold before update of seen on forks.runs for each statement execute function forks.hold()`);
  const holder = await pool.connect();
  await holder.query("select pg_advisory_lock(4711)");
  const { body } = await fork(partner, from);
  await until(async () => {
    const { rowCount } = await holder.query(
      "select 1 from pg_locks where locktype = 'advisory' and objid = 4711 and not granted",
    );
    return rowCount === 1 ? true : undefined;
  });
  expect(await cancel(body.id)).toMatchObject({ status: 200, body: { status: "canceled" } });
  await holder.query("select pg_advisory_unlock(4711)");
  holder.release();
  await pool.query("drop trigger hold on forks.runs; drop function forks.hold()");
  // Forks run one after the other: behind this one the canceled one has stopped.
  const other = await fork(world.partners[1]!.id, from);
  await ended(other.body.id);
  expect(await eventsOf(twinOf(partner, last))).toEqual([]);
  expect((await cancel(other.body.id)).status).toBe(409);

  const copied = { status: "done", seen: 101, copied: 1, skipped: { under_way: 100 } };
  expect(await ended((await fork(partner, from)).body.id)).toMatchObject(copied);
  const [type, data] = delivered;
  await world.platform.contexts.live.log.append([
    {
      stream: streamOf("message", last),
      expected: 1,
      events: [
        {
          id: uuid7(),
          type,
          data: { message_id: last, ...data, message: { channel: "sms", to: personal.grace } },
          metadata: { partner },
        },
      ],
    },
  ]);
  expect(await ended((await fork(partner, from)).body.id)).toMatchObject(copied);
});

test("one that the sandbox holds up lets others go first and can be canceled; nothing is sent for a suspended partner", async () => {
  const other = world.partners[0]!.id;
  const partner = world.partners[1]!.id;
  const from = new Date().toISOString();
  const text = { text: "hello" };
  const lives = [
    await past(partner, "sms", personal.grace, text, [sent]),
    await past(partner, "sms", personal.boss, text, [sent]),
  ];
  await past(other, "sms", personal.grace, text, [sent]);
  await change(partner, { daily_messages: 1 });
  const held = await fork(partner, from);
  const { pool } = world.platform.contexts.sandbox;
  await until(async () => {
    const { rowCount } = await pool.query(
      "select 1 from forks.runs where id = $1 and status = 'queued' and not_before > now() + interval '5 seconds'",
      [held.body.id],
    );
    return rowCount === 1 ? true : undefined;
  });
  expect(await ended((await fork(other, from)).body.id)).toMatchObject({ status: "done" });
  const { body } = await world.call("GET", `/api/v1/forks/${held.body.id}`, { key: admin });
  expect(body).toMatchObject({ status: "queued", copied: 0 });
  expect(await cancel(held.body.id)).toMatchObject({ status: 200, body: { status: "canceled" } });
  const twins = await Promise.all(lives.map((live) => eventsOf(twinOf(partner, live))));
  expect(twins.filter((events) => events.length > 0)).toHaveLength(1);

  await change(partner, { daily_messages: 10, status: "suspended" });
  const { directory } = world.platform;
  await until(async () => (directory.partner(partner)?.status === "suspended" ? true : undefined));
  const refused = await ended((await fork(partner, from)).body.id);
  expect(refused).toMatchObject({
    status: "failed",
    copied: 0,
    error: expect.stringContaining("suspended"),
  });
});
