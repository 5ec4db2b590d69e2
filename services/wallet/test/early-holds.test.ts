import { newId, uuid7 } from "@heliograph/contracts";
import { loosely, tcpProxy, until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { openPostgresLog, type EventLog } from "@heliograph/log";
import type { ServiceContext } from "@heliograph/runtime";
import pg from "pg";
import pino from "pino";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { service } from "../src/index.ts";
import { openLedger, partnerOn, range } from "./harness.ts";

/** Ledgers that decide with who accepts, on one database, and what may go wrong between deciding a hold and knowing that it is stored. */
let world: World;
let connection: pg.ClientConfig;
let admin: pg.Client;
let partner: string;
const closing: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  world = await openWorld({ services: [service] });
  const database = `${new URL(world.databaseUrl).pathname.slice(1)}_sandbox`;
  connection = { ...world.serverConfig, database };
  admin = new pg.Client(connection);
  await admin.connect();
});
beforeEach(async () => {
  partner = (await world.addPartner({ funds })).id;
});
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});
afterAll(async () => {
  await admin.end();
  await world.close();
});
const funds = "1";
const costMicros = 12_000n;

/** A process that accepts and keeps the ledger, which knows the partner's wallet. */
async function openSide({ through = connection, warmedBy = 100 } = {}) {
  const log = await openPostgresLog({ connection: through, namespace: "early" });
  const ended = new AbortController();
  const lines: string[] = [];
  const logger = pino({ level: "info" }, { write: (line: string) => void lines.push(line) });
  const context: ServiceContext = { ...world.platform.contexts.sandbox, log, logger };
  let position = await log.head();
  const following = follow(log, position, ended.signal);
  const ledger = await openLedger(context);
  closing.push(async () => {
    ended.abort();
    await ledger.instance.stop(0);
    await following;
    await log.close();
  });
  const side = {
    log,
    /** What the ledger reports. */
    lines,
    warmedBy: [warmedBy, warmedBy + 1],
    ...partnerOn(log, partner),
    settle: async (): Promise<void> => void (position = await ledger.read(position)),
  };
  // What a start finds it cannot know, nor the wallet: from here on it can.
  await side.request(warmedBy);
  await side.settle();
  await side.request(warmedBy + 1);
  expect(await heldOf(side)).toContain(side.idOf(warmedBy + 1));
  await side.settle();
  return side;
}
type Side = Awaited<ReturnType<typeof openSide>>;

/** Whoever subscribes has the log tell what it stores. */
async function follow(log: EventLog, after: bigint, signal: AbortSignal): Promise<void> {
  for await (const batch of log.subscribe({ after, signal })) void batch;
}

const heldOf = async (side: Side): Promise<readonly string[]> =>
  (await side.events()).flatMap(({ type, data }) =>
    type === "FundsHeld" ? loosely(data).entries.map(({ message_id }: never) => message_id) : [],
  );

/** Everything read: each of these messages has one hold, and funds agree with that. */
async function expectAtRest(sides: readonly Side[], numbers: readonly number[], captured = 0) {
  for (const each of sides) await each.settle();
  const [side] = sides;
  const wanted = [...sides.flatMap(({ warmedBy }) => warmedBy), ...numbers].map((number) =>
    side!.idOf(number),
  );
  expect((await heldOf(side!)).toSorted()).toEqual(wanted.toSorted());
  const spent = costMicros * BigInt(wanted.length);
  const { matches, balance, held } = await side!.proof();
  expect(matches).toBe(true);
  const micros = (amount: string): bigint => BigInt(Math.round(Number(amount) * 1_000_000));
  expect(micros(balance)).toBe(1_000_000n - spent);
  expect(micros(held)).toBe(spent - costMicros * BigInt(captured));
}

/** Keeps every append under way until `done` is called. */
async function blockAppends() {
  await admin.query("begin; select from log.head for update");
  return { done: () => admin.query("rollback") };
}
const waiting = `from pg_stat_activity where datname = current_database() and application_name like '%heliograph log early' and wait_event_type = 'Lock'`;
const untilUnderWay = () =>
  until(async () => (await admin.query(`select ${waiting}`)).rowCount === 1);

test("the answer to a request that was stored with its hold is lost", async () => {
  const proxy = await tcpProxy(connection);
  const side = await openSide({ through: proxy.config });
  const lost = proxy.loseAnswerTo("log_append_exact");
  await side.request(1);
  await lost;
  expect(await heldOf(side)).toContain(side.idOf(1));
  await side.request(2);
  await expectAtRest([side], [1, 2]);
  await proxy.close();
});

test("the connection ends while a request is under way with its hold, and neither is stored", async () => {
  const side = await openSide();
  await side.sent(100);
  const block = await blockAppends();
  const requested = side.request(1);
  await untilUnderWay();
  await admin.query(`select pg_terminate_backend(pid) ${waiting}`);
  // Decided meanwhile, on a wallet that has no such hold.
  const settled = side.settle();
  await block.done();
  await Promise.all([requested, settled]);
  await side.request(2);
  await expectAtRest([side], [1, 2], 1);
});

test("the wallet is another than the ledger knows it: what was decided early is refused, and the request stands", async () => {
  const side = await openSide();
  // As who decides again what was set aside: nothing that the ledger reads goes before it.
  const data = { covers: "0", available: "0", held: "0", currency: "USD", threshold: "1" };
  const last = (await side.events()).at(-1)!;
  const { available, held } = last.data;
  const low = { ...data, covers: last.data.covers, available, held, spent: last.data.spent };
  const metadata = { partner, actor: "test" };
  const unseen = { id: uuid7(), type: "BalanceLow", data: low, metadata };
  const other = world.platform.contexts.sandbox.log;
  await other.append([{ stream: last.stream, expected: last.revision, events: [unseen] }]);
  // The log's head is known again, and everything up to it is decided.
  await side.log.append([nobodys()]);
  await side.settle();
  await side.request(1);
  expect(await heldOf(side)).not.toContain(side.idOf(1));
  await expectAtRest([side], [1]);
});

test("another process has accepted meanwhile: nothing is decided early, since its request comes before", async () => {
  const side = await openSide();
  await partnerOn(world.platform.contexts.sandbox.log, partner).request(1);
  await side.request(2);
  expect(await heldOf(side)).not.toContain(side.idOf(2));
  await expectAtRest([side], [1, 2]);
});

test("two ledgers that accept at once", async () => {
  const sides = [await openSide(), await openSide({ warmedBy: 200 })];
  const numbers = range(40);
  for (const some of [numbers.slice(0, 20), numbers.slice(20)]) {
    await Promise.all([
      ...some.map((number) => sides[number % 2]!.request(number)),
      ...sides.map((side) => side.settle()),
    ]);
    await Promise.all(sides.map((side) => side.settle()));
  }
  await expectAtRest(sides, numbers);
});
test("the ledger settles while what it decided early is under way: it waits, and decides behind it", async () => {
  const side = await openSide();
  await side.sent(100);
  const block = await blockAppends();
  const requested = side.request(1);
  await untilUnderWay();
  const settled = side.settle();
  await block.done();
  await Promise.all([requested, settled]);
  expect(side.lines.filter((line) => line.includes("another writer"))).toEqual([]);
  await expectAtRest([side], [1], 1);
});

test("what is charged late counts in the day in which the log stored that it was sent, whatever the clock of who sent it", async () => {
  const side = await openSide();
  const lapsed = { message_id: side.idOf(100), currency: "USD" };
  const event = { id: uuid7(), type: "HoldLapsed", data: lapsed, metadata: { partner } };
  const stream = `hold-${side.idOf(100).slice(4)}`;
  await side.log.append([{ stream, expected: "no_stream", events: [event] }]);
  await side.settle();
  const { now } = Date;
  const ahead = vi.spyOn(Date, "now").mockImplementation(() => now() + 86_400_000);
  // In one flush: company for the one would be company for both.
  await Promise.all([side.sent(100, 0), side.request(1)]).finally(() => ahead.mockRestore());
  await side.settle();
  const charged = (await side.events()).find(({ type }) => type === "FundsChargedLate");
  const sent = (await side.log.readStream(`message-${side.idOf(100).slice(4)}`)).at(-1)!;
  const day = new Date(sent.recordedAt).toISOString().slice(0, 10);
  expect(charged!.data.spent!.on).toBe(day);
  await expectAtRest([side], [1], 1);
});

test("requests that PostgreSQL refuses in company are sent without it, then each alone", async () => {
  const side = await openSide();
  const check = "alter table log.events add constraint poison check";
  await admin.query(`${check} (stream <> 'message-${side.idOf(3).slice(4)}') not valid`);
  const [first, refused, third] = await Promise.allSettled([
    side.request(1),
    side.request(3),
    side.request(2),
  ]);
  await admin.query("alter table log.events drop constraint poison");
  expect([first.status, refused.status, third.status]).toEqual([
    "fulfilled",
    "rejected",
    "fulfilled",
  ]);
  await expectAtRest([side], [1, 2]);
});

const nobodys = () => ({
  stream: `contact-${newId("con").slice(4)}`,
  expected: "no_stream" as const,
  events: [{ id: uuid7(), type: "Nothing", data: {}, metadata: { partner } }],
});
