import { randomUUID } from "node:crypto";
import { streamOf } from "@heliograph/contracts";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { service, verifyAudit } from "../src/index.ts";
import { writeAudit, type NewRow } from "../src/tables/audit.ts";

/** One test after the other, on an audit that begins empty. */
let world: World;
let operator: string;
beforeAll(async () => {
  world = await openWorld({ services: [service] });
  operator = await world.addKey((await world.addPartner()).id, {
    environment: "live",
    scopes: ["admin"],
  });
});
afterAll(() => world.close());
const verify = (nowMs = Date.now()) => {
  const { pool } = world.platform.contexts.live;
  return verifyAudit(pool, world.platform.platformLog, "live", nowMs);
};
const force = async (sql: string): Promise<void> => {
  const { pool } = world.platform.contexts.live;
  await pool.query(`begin; set local session_replication_role = replica; ${sql}; commit`);
};
const keep = (): Promise<void> =>
  force(
    "create table kept_rows as table control.audit; create table kept_days as table control.audit_days",
  );
const restore = (): Promise<void> =>
  force(`delete from control.audit; delete from control.audit_days;
      insert into control.audit overriding system value select * from kept_rows; insert into control.audit_days select * from kept_days`);

const rowOf = (requestId: string, given: Partial<NewRow> = {}): NewRow => ({
  entry: randomUUID(),
  at: Date.now(),
  environment: "sandbox",
  partner: "",
  actor: "key_1",
  action: "POST /x",
  target: "/x",
  requestId,
  ip: "::1",
  outcome: 201,
  count: 1,
  ...given,
});

test("has no fork with fifty writers on an empty day, and takes only additions", async () => {
  const entry = (index: number): NewRow =>
    rowOf(`req_${index}`, {
      at: Date.now() + index / 7,
      environment: "live",
      actor: "key_\uD800",
      target: "\0",
      changes: { events: ["\uD800"], before: null, after: { name: "\0 é" } },
    });
  const { pool } = world.platform.contexts.live;
  await Promise.all(
    Array.from({ length: 50 }, (_, writer) =>
      writeAudit(pool, [entry(2 * writer), entry(2 * writer + 1)]),
    ),
  );
  expect(await verify()).toMatchObject({ rows: 100, days: 1, anchors: 0 });
  expect((await verify()).flaw).toBeUndefined();
  for (const sql of [
    "update control.audit set actor = 'x'",
    "delete from control.audit",
    "truncate control.audit",
  ])
    await expect(pool.query(sql)).rejects.toThrow("only added to");
});

test("has each row once where the answer of a commit was lost and all of it is written again", async () => {
  const { pool } = world.platform.contexts.sandbox;
  const row = (number: number): NewRow => rowOf(`req_lost${number}`);
  const rows = [row(1), row(2)];
  const client = await pool.connect();
  const query = client.query.bind(client) as (...given: unknown[]) => Promise<unknown>;
  const losing = async (...given: unknown[]): Promise<unknown> => {
    const result = await query(...given);
    if (given[0] !== "commit") return result;
    client.query = query as typeof client.query;
    throw new Error("the answer was lost");
  };
  client.query = losing as typeof client.query;
  vi.spyOn(pool, "connect").mockResolvedValueOnce(client as never);
  await expect(writeAudit(pool, rows)).rejects.toThrow("lost");
  const again = await writeAudit(pool, [...rows, row(3)]);
  expect(await writeAudit(pool, rows)).toEqual(again);
  const { rows: stored } = await pool.query(
    "select request_id from control.audit where request_id like 'req_lost%' order by number",
  );
  expect(stored.map(({ request_id }) => request_id)).toEqual([
    "req_lost1",
    "req_lost2",
    "req_lost3",
  ]);
  const { platformLog } = world.platform;
  expect((await verifyAudit(pool, platformLog, "sandbox", Date.now())).flaw).toBeUndefined();
});

test("finds no flaw in what is written while it reads", async () => {
  const { pool } = world.platform.contexts.sandbox;
  let writing = true;
  const writer = (async () => {
    for (let index = 0; writing; index++) await writeAudit(pool, [rowOf(`req_w${index}`)]);
  })();
  try {
    for (let round = 0; round < 20; round++) {
      const { platformLog } = world.platform;
      expect((await verifyAudit(pool, platformLog, "sandbox", Date.now())).flaw).toBeUndefined();
    }
  } finally {
    writing = false;
    await writer;
  }
});

test("is anchored in the platform's log as the server stops", async () => {
  await world.call("POST", "/api/v1/keys", { key: operator, body: { name: "anchored" } });
  await world.restart();
  // The call, and what the platform's log had come to: the other is empty.
  const verified = await verify();
  expect(verified).toMatchObject({ rows: 102, days: 1, anchors: 1 });
  expect(verified.flaw).toBeUndefined();
  const events = await world.platform.platformLog.readStream(streamOf("audit", "live"));
  expect(events.at(-1)).toMatchObject({ type: "AuditAnchored", data: { rows: 102 } });
  await keep();
});

const shorter = `delete from control.audit where number > 99; update control.audit_days set rows = 99, hash = (select hash from control.audit where number = 99)`;
test.each([
  ["a value was changed", "update control.audit set ip = '::2' where number = 40", 40],
  [
    "a time was changed by a millisecond",
    "update control.audit set at = at + interval '1 ms' where number = 41",
    41,
  ],
  ["a row was taken out", "delete from control.audit where number = 50", 50],
  ["the newest three were taken away", "delete from control.audit where number > 99", 100],
  ["the newest three were taken away, and the head put right", shorter, 100],
  ["all of it was taken away", "delete from control.audit; delete from control.audit_days", 1],
])("names the first row where %s", async (_, sql, number) => {
  await force(sql);
  expect((await verify()).flaw?.number).toBe(number);
  await restore();
  expect((await verify()).flaw).toBeUndefined();
});

test("notices a day that was written anew with sound hashes, and a row that nobody chained", async () => {
  const { pool } = world.platform.contexts.live;
  await force("delete from control.audit; delete from control.audit_days");
  const forged: Omit<NewRow, "entry"> = {
    at: Date.now(),
    environment: "live",
    partner: "",
    actor: "nobody",
    action: "POST /x",
    target: "",
    requestId: "r",
    ip: "",
    outcome: 201,
    count: 1,
  };
  await writeAudit(
    pool,
    Array.from({ length: 102 }, () => ({ ...forged, entry: randomUUID() })),
  );
  expect((await verify()).flaw).toMatchObject({
    number: 102,
    what: expect.stringContaining("anchored"),
  });
  await restore();
  await force(
    "insert into control.audit (at, partner, actor, action, target, request_id, ip, outcome) values (now(), '', 'x', 'x', '', '', '', 1)",
  );
  expect((await verify()).flaw).toMatchObject({ day: "no day" });
});
