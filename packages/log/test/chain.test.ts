import { testDatabase, type TestDatabase } from "@heliograph/testkit";
import pg from "pg";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  copyLog,
  openPostgresCopySource,
  openPostgresCopyTarget,
  openPostgresLog,
  verifyPostgresLog,
  type EventLog,
  type VerifyLogOptions,
} from "../src/index.ts";
import { calm } from "./copy-support.ts";
import { event, newStream } from "./support.ts";

let database: TestDatabase;
let client: pg.Client;
let logs: EventLog[];
beforeEach(async () => {
  database = await testDatabase();
  client = new pg.Client(database.config);
  await client.connect();
  logs = [];
});
afterEach(async () => {
  for (const log of logs) await log.close();
  await client.end();
  await database.drop();
});

async function open(options: { database?: TestDatabase } = {}): Promise<EventLog> {
  const { config } = options.database ?? database;
  const log = await openPostgresLog({ connection: config, namespace: "test" });
  logs.push(log);
  return log;
}
const verify = (options: Partial<VerifyLogOptions> = {}, of = database) =>
  verifyPostgresLog(of.config, { flawOf: () => undefined, signal: calm, ...options });
/** As the owner of the tables can. */
const force = (sql: string) =>
  client.query(
    `alter table log.events disable trigger user; ${sql}; alter table log.events enable trigger user`,
  );

/** Streams of one, of several and of many events, alone and together, with refusals, by two processes. */
async function fill(): Promise<void> {
  const [log, other] = await Promise.all([open(), open()]);
  const first = newStream();
  await log.append([first]);
  await log.append([{ ...first, expected: 0, events: [event()] }]);
  await log.append([first, newStream(), { ...first, expected: 9 }, newStream()]);
  await log.append([first]);
  await Promise.all(
    Array.from({ length: 60 }, (_, index) =>
      (index % 2 === 0 ? log : other).append([
        index % 7 === 0
          ? {
              ...newStream(),
              events: Array.from({ length: 40 }, () => event({ data: { text: "ü\\n" } })),
            }
          : { stream: `shared-${index % 5}`, expected: "any", events: [event(), event()] },
        newStream(),
      ]),
    ),
  );
}

/** What the database was before there was a chain. */
const BEFORE = `drop table log.archives, log.archive_identity; drop trigger no_update on log.events; drop trigger no_delete on log.events; drop trigger no_truncate on log.events;
  drop function log.refuse_change; drop function log.seal_next; alter table log.events drop column chain;
  alter table log.head drop column chain, drop column sealed, drop column recorded_at; delete from log.migrations where number >= 3`;

describe("the chain", () => {
  it("joins every event, whoever appended it and however", async () => {
    await fill();
    const verified = await verify();
    expect(verified).toMatchObject({ hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
    expect(verified.flaw).toBeUndefined();
    expect(verified.position).toBe(await logs[0]!.head());
    expect(BigInt(verified.events)).toBe(verified.position);
    const { position, hash } = verified;
    await fill();
    expect((await verify({ seals: [{ position, hash: hash! }] })).flaw).toBeUndefined();
  });

  it.each([
    ["a text", "update log.events set data = data || ' ' where position = 20", 20n],
    ["metadata", "update log.events set metadata = '{}' where position = 4", 4n],
    ["a time", "update log.events set recorded_at = recorded_at - 1 where position = 9", 9n],
    ["a type", "update log.events set type = 'Other' where position = 9", 9n],
    ["an id", "update log.events set id = gen_random_uuid() where position = 9", 9n],
    ["a stream", "update log.events set stream = 'another' where position = 2", 2n],
    ["a deleted event", "delete from log.events where position = 30", 30n],
    ["the first event", "delete from log.events where position = 1", 1n],
    ["a deleted stream", "delete from log.events where stream = 'shared-1'", undefined],
    ["JSON", "update log.events set data = '{' where position = 11", 11n],
    ["a deleted end", "delete from log.events where position > 40", 41n],
    [
      "a deleted end and head",
      "delete from log.events where position > 40; update log.head set position = 40, sealed = 40",
      undefined,
    ],
    [
      "a hash taken away",
      "update log.events set chain = null where chain is not null and position > 4",
      5n,
    ],
    [
      "two events exchanged",
      "update log.events set position = -1 where position = 12; update log.events set position = 12 where position = 13; update log.events set position = 13 where position = -1",
      undefined,
    ],
    [
      "an event put in at the end",
      "insert into log.events select position + 1, 'forged', 0, gen_random_uuid(), type, version, recorded_at, data, metadata from log.events order by position desc limit 1; update log.head set position = position + 1, sealed = sealed + 1",
      undefined,
    ],
  ])("shows that %s was changed", async (_, damage, position) => {
    await fill();
    await force(damage);
    const { flaw } = await verify();
    expect(flaw).toBeDefined();
    // A link is what is named at the least; it begins at the event or before it.
    if (position !== undefined) expect(flaw!.position).toBeLessThanOrEqual(position);
  });

  it("shows by an earlier hash that it was made anew", async () => {
    await fill();
    const { position, hash } = await verify();
    await force(
      `update log.events set data = data || ' ' where position = 20; update log.events set chain = null;
       update log.head set sealed = 0, chain = ''`,
    );
    expect((await verify()).flaw).toBeUndefined();
    expect((await verify({ seals: [{ position, hash: hash! }] })).flaw).toBeDefined();
  });

  it("shows a gap in the revisions of a stream, also where nothing was sealed yet", async () => {
    const log = await open();
    await log.append([{ ...newStream(), stream: "test-a", events: [event(), event(), event()] }]);
    await force(`update log.events set chain = null; update log.head set sealed = 0, chain = '';
      update log.events set revision = 3 where revision = 2`);
    expect((await verify()).flaw).toEqual({
      position: 1n,
      what: "the revisions of test-a have a gap",
    });
  });

  it("names an event that breaks its schema", async () => {
    await (await open()).append([newStream(), newStream({ type: "Odd" })]);
    const flawOf = ({ type }: { type: string }) => (type === "Odd" ? "data is odd" : undefined);
    expect((await verify({ flawOf })).flaw).toMatchObject({ position: 2n, what: /data is odd/ });
  });
});

it("refuses to change, delete or truncate events", async () => {
  await (await open()).append([newStream(), newStream()]);
  const refused = /events of the log are final/;
  for (const sql of [
    "update log.events set data = '{}' where position = 1",
    "update log.events set data = '{}' where position = 2",
    "update log.events set chain = null where position = 2",
    "delete from log.events where position = 1",
    "truncate log.events",
  ])
    await expect(client.query(sql), sql).rejects.toThrow(refused);
  expect((await verify()).events).toBe(2);
});

it("seals a log from before the chain when it is opened", async () => {
  const log = await open();
  for (let round = 0; round < 5; round++)
    await log.append([
      { ...newStream(), events: Array.from({ length: 700 }, () => event()) },
      newStream(),
    ]);
  await log.close();
  await client.query(BEFORE);
  const upgraded = await open();
  await upgraded.append([newStream()]);
  const verified = await verify();
  expect(verified).toMatchObject({ events: 3_506, position: 3_506n });
  expect(verified.flaw).toBeUndefined();
  await force("update log.events set data = '{}' where position = 1500");
  expect((await verify()).flaw!.position).toBe(1_001n);
});

it("takes in what a process of an older version appends beside it", async () => {
  const log = await open();
  await log.append([newStream()]);
  // Its statement for one event alone.
  const old = (stream: string) =>
    client.query(
      `with taken as (update log.head set position = position + 1 returning position)
       insert into log.events (position, stream, revision, id, type, version, recorded_at, data, metadata)
       select position, $1, 0, gen_random_uuid(), 'Tested', 1, 0, '{}', '{}' from taken`,
      [stream],
    );
  await old("old-1");
  await log.append([newStream()]);
  await old("old-2");
  await old("old-3");
  await log.append([newStream(), newStream()]);
  await old("old-4");
  const verified = await verify();
  expect(verified).toMatchObject({ events: 8, position: 8n });
  expect(verified.flaw).toBeUndefined();
});

it("goes on over a copy, with holes and beyond the source's end", async () => {
  await fill();
  await client.query("alter table log.events disable trigger user");
  await client.query("update log.events set position = position * 1000 + 7");
  await client.query(
    "update log.head set position = position * 1000 + 50, copied = position * 1000 + 50, sealed = 0, chain = ''",
  );
  await client.query("update log.events set chain = null");
  const to = await testDatabase();
  for (const log of logs) await log.close();
  const source = await openPostgresCopySource({ connection: database.config, namespace: "test" });
  const target = await openPostgresCopyTarget({ connection: to.config, namespace: "test" });
  const { head } = await copyLog({ source: source.log, target, signal: calm });
  await Promise.all([source.close(), target.close()]);
  const before = await verify({}, to);
  expect(before.flaw).toBeUndefined();
  const log = await open({ database: to });
  await log.append([newStream()]);
  await log.append([newStream(), newStream()]);
  const after = await verify({}, to);
  expect(after.flaw).toBeUndefined();
  expect(after).toMatchObject({ events: before.events + 3, position: head + 3n });
  await log.close();
  await to.drop();
});
