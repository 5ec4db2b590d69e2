import { streamOf, uuid7 } from "@heliograph/contracts";
import { type EventLog, ofType } from "@heliograph/log";
import { runConsumer } from "@heliograph/runtime";
import { until } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { service } from "../src/index.ts";
import { openLapses } from "../src/lapses.ts";
import { walletProjector } from "../src/projector.ts";
import { walletLedger } from "../src/reactor.ts";
import { count, partnerOn, range } from "./harness.ts";

let world: World;
beforeAll(async () => {
  world = await openWorld({ services: [service] });
});
afterAll(() => world.close());

/** Sets the sandbox's clock of a partner forward, as POST /sandbox/clock/advance does. */
async function advance(partner: string, seconds: number): Promise<void> {
  const from = Date.now();
  await world.appendPlatform(streamOf("clock", partner), "any", "SandboxClockAdvanced", {
    partner_id: partner,
    seconds,
    ahead_seconds: seconds,
    from: new Date(from).toISOString(),
    to: new Date(from + seconds * 1_000).toISOString(),
  });
}

test("holds of messages that came to nothing lapse by the partner's clock, once, and what comes later has an entry of its own", async () => {
  const { sandbox: context } = world.platform.contexts;
  const { log } = context;
  const run = () =>
    Promise.all([walletProjector, walletLedger].map((each) => runConsumer(each, context)));
  let running = await run();
  const one = partnerOn(log);
  const soon = new Date(Date.now() + 3_600_000).toISOString();
  await one.topUp("0.06");
  await Promise.all(range(4).map((number) => one.request(number, soon)));
  const ofWallet = async (type: string): Promise<number> => count(await one.events(), type);
  await until(async () => (await ofWallet("FundsHeld")) === 4);
  // One was sent: its hold is settled, and does not lapse.
  await one.sent(3);
  await until(async () => (await ofWallet("FundsCaptured")) === 1);
  await running[0]!.caughtUp(await log.head());
  // Just short of the message's end and the hours after it nothing has lapsed.
  await advance(one.partner, 3_600 + 23 * 3_600);
  const noted = await until(async () => {
    const { rows } = await context.pool.query<{ due_at: Date }>(
      "select due_at from wallet_ledger.open_holds where partner = $1",
      [one.partner],
    );
    return rows.length === 3 && rows;
  });
  const due = Date.parse(soon) + 24 * 3_600_000;
  expect(noted.map(({ due_at }) => due_at.getTime())).toEqual([due, due, due]);
  expect(await ofWallet("FundsExpired")).toBe(0);
  for (const consumer of running) await consumer.stop();
  running = await run();
  await advance(one.partner, 3_600 + 25 * 3_600);
  await until(async () => (await ofWallet("FundsExpired")) === 3, { timeoutMs: 30_000 });
  expect(await one.proof()).toMatchObject({ balance: "0.048", held: "0", matches: true });

  // The provider's yes, a failure and the same lapse again, all at once.
  await Promise.all([one.sent(0), one.exhausted(1), one.sent(2)]);
  await one.undelivered(2);
  await log.append([
    {
      stream: `hold-again${uuid7()}`,
      expected: "any",
      events: [
        {
          id: uuid7(),
          type: "HoldLapsed",
          data: { message_id: one.idOf(0), currency: "USD" },
          metadata: { partner: one.partner },
        },
      ],
    },
  ]);
  await running[1]!.caughtUp(await log.head());
  const types = (await one.events()).slice(-10).map(({ type }) => type);
  expect(await one.proof()).toMatchObject({ balance: "0.036", held: "0", matches: true });
  expect([
    await ofWallet("FundsChargedLate"),
    await ofWallet("FundsReturnedBefore"),
    await ofWallet("FundsRefunded"),
    await ofWallet("FundsExpired"),
  ]).toEqual([2, 1, 1, 3]);
  expect(types).not.toContain("FundsReleased");
  const asked = await log.readStream(streamOf("hold", one.idOf(0)));
  expect(asked.filter(ofType("HoldLapsed"))).toHaveLength(1);
  // In which day each hold counts is kept: a refund is taken off that one.
  await running[0]!.caughtUp(await log.head());
  const counted = new Map<string, string>();
  for (const event of await one.events())
    if (event.type === "FundsHeld" || event.type === "FundsChargedLate")
      for (const { message_id } of event.data.entries)
        counted.set(message_id, event.data.spent!.on);
  const { rows } = await context.pool.query<{ message_id: string; spent_on: string }>(
    "select message_id, spent_on from wallet.holds where partner = $1",
    [one.partner],
  );
  expect(new Map(rows.map((row) => [row.message_id, row.spent_on]))).toEqual(counted);

  for (const consumer of running) await consumer.stop();
}, 60_000);

test("a late success that what is available does not cover is written off, and says so", async () => {
  const { sandbox: context } = world.platform.contexts;
  const running = await Promise.all(
    [walletProjector, walletLedger].map((each) => runConsumer(each, context)),
  );
  const one = partnerOn(context.log);
  await one.topUp("0.012");
  await one.request(0, "2026-01-01T00:00:00.000Z");
  await advance(one.partner, 1);
  await until(async () => count(await one.events(), "FundsExpired") === 1);
  await one.request(1);
  await until(async () => count(await one.events(), "FundsHeld") === 2);
  await one.sent(0);
  await until(async () => count(await one.events(), "FundsWrittenOff") === 1);
  expect(await one.proof()).toMatchObject({ balance: "0", held: "0.012", matches: true });
  for (const consumer of running) await consumer.stop();
});

test("a timer that was killed before it forgot a hold asks for it once all the same, and for none that was settled meanwhile", async () => {
  const { sandbox: context } = world.platform.contexts;
  const { log, pool } = context;
  const running = await Promise.all(
    [walletProjector, walletLedger].map((each) => runConsumer(each, context)),
  );
  const one = partnerOn(log);
  const soon = new Date(Date.now() + 3_600_000).toISOString();
  await one.topUp("1");
  await Promise.all(range(2).map((number) => one.request(number, soon)));
  await until(async () => count(await one.events(), "FundsHeld") > 0);
  await running[1]!.caughtUp(await log.head());
  await running[0]!.caughtUp(await log.head());
  await advance(one.partner, 1);
  const noted = async () =>
    (await pool.query("select * from wallet_ledger.open_holds where partner = $1", [one.partner]))
      .rows;
  const before = await until(async () => {
    const rows = await noted();
    return rows.length === 2 && rows;
  });
  await one.sent(1);
  await until(async () => count(await one.events(), "FundsCaptured") === 1);
  await running[0]!.caughtUp(await log.head());
  // From here on nobody decides: the hold of the first message stays open, and the timer may ask for it again.
  for (const consumer of running) await consumer.stop();
  for (let round = 0; round < 2; round++) {
    await pool.query(
      "insert into wallet_ledger.open_holds select * from jsonb_populate_recordset(null::wallet_ledger.open_holds, $1) on conflict do nothing",
      [JSON.stringify(before)],
    );
    const { logger } = context;
    const { signal } = new AbortController();
    // A moment after the clock was set forward, and at once.
    const lapses = openLapses({ context, logger, signal }, () => Date.now() + 60_000);
    await advance(one.partner, 27 * 3_600 + round);
    await until(async () => (await noted()).length === 0);
    await lapses.stop();
    expect(await log.readStream(streamOf("hold", one.idOf(0)))).toHaveLength(1);
    expect(await log.readStream(streamOf("hold", one.idOf(1)))).toHaveLength(0);
  }
});

test("what is damaged lapses for nobody and holds up nobody else's: a hold that cannot be read, a request that cannot, and a row that the log refuses", async () => {
  const { sandbox: context } = world.platform.contexts;
  const { log, pool } = context;
  const from = await log.head();
  const running = await Promise.all(
    [walletProjector, walletLedger].map((each) => runConsumer(each, context)),
  );
  const [unread, doubtful, sound] = [partnerOn(log), partnerOn(log), partnerOn(log)];
  for (const one of [unread, doubtful, sound]) {
    await one.topUp("1");
    await one.request(0, new Date(Date.now() + 3_600_000).toISOString());
    await until(async () => count(await one.events(), "FundsHeld") === 1);
    await advance(one.partner, 27 * 3_600);
  }
  for (const consumer of running) {
    await consumer.caughtUp(await log.head());
    await consumer.stop();
  }
  await pool.query("update wallet_ledger.marks set position = $1", [from]);
  await pool.query("delete from wallet_ledger.open_holds");
  await pool.query(
    "insert into wallet_ledger.open_holds values ('nonsense', $1, $1, 'none', '2000-01-01')",
    [sound.partner],
  );
  const damaged: EventLog = {
    ...log,
    readAll: async (options) => {
      const page = await log.readAll(options);
      const damage = (event: (typeof page.events)[number]) =>
        event.metadata.partner === unread.partner ? { ...event, data: null as never } : event;
      return { ...page, events: page.events.map(damage) };
    },
    readStreams: async (streams, options) => {
      const read = await log.readStreams(streams, options);
      const of = streams.find((stream) => stream === streamOf("message", doubtful.idOf(0)));
      return of === undefined
        ? read
        : new Map([...read, [of, read.get(of)!.map((event) => ({ ...event, data: {} as never }))]]);
    },
  };
  const { logger } = context;
  const { signal } = new AbortController();
  const lapses = openLapses(
    { context: { ...context, log: damaged }, logger, signal },
    () => Date.now() + 60_000,
  );
  const lapsed = async (one: typeof sound) =>
    (await log.readStream(streamOf("hold", one.idOf(0)))).length;
  await until(async () => (await lapsed(sound)) === 1);
  await lapses.stop();
  expect([await lapsed(unread), await lapsed(doubtful)]).toEqual([0, 0]);
  const { rows } = await pool.query(
    "select message_id, due_at > now() as later from wallet_ledger.open_holds order by message_id",
  );
  // The one whose request cannot be read waits for some days; the other is tried again.
  expect(rows).toEqual([
    { message_id: doubtful.idOf(0), later: true },
    { message_id: "nonsense", later: true },
  ]);
});
