import { streamOf } from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import { loosely } from "@heliograph/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { count, drivers, openLedger, openSandbox, partnerOn, range } from "./harness.ts";

describe.each(drivers)("on the %s log", (driver) => {
  let world: Awaited<ReturnType<typeof openSandbox>>;
  beforeEach(async () => {
    world = await openSandbox(driver);
  });
  afterEach(() => world.close());

  test("100 parallel sends on funds for 50 hold exactly 50 and decline the rest", async () => {
    const one = partnerOn(world.log);
    await one.topUp("0.6");
    await Promise.all(range(100).map((number) => one.request(number)));
    const ledger = await openLedger(world.context);
    await ledger.read();
    await ledger.instance.stop(0);
    const events = await one.events();
    expect(count(events, "FundsHeld")).toBe(50);
    expect(count(events, "FundsDeclined")).toBe(50);
    expect(await one.proof()).toMatchObject({
      balance: "0",
      held: "0.6",
      holds_open: 50,
      matches: true,
    });
  });

  test("a whole batch of several wallets is one event per wallet and type", async () => {
    const partners = [partnerOn(world.log), partnerOn(world.log), partnerOn(world.log)];
    for (const one of partners) await one.topUp("10");
    for (const number of range(20)) await Promise.all(partners.map((one) => one.request(number)));
    const ledger = await openLedger(world.context);
    await ledger.read();
    await ledger.instance.stop(0);
    for (const one of partners) {
      const events = await one.events();
      expect(events.map(({ type }) => type)).toEqual(["FundsToppedUp", "FundsHeld"]);
      expect(count(events, "FundsHeld")).toBe(20);
    }
  });

  test("a crash between append and checkpoint repeats nothing", async () => {
    const one = partnerOn(world.log);
    await one.topUp("1");
    for (const number of range(10)) await one.request(number);
    await (await openLedger(world.context)).read();
    const before = await one.events();

    // Nothing was committed by the first: the second starts from the very beginning, in other batches.
    const second = await openLedger(world.context);
    await second.read(0n, 3);
    expect(await one.events()).toEqual(before);

    await one.sent(3);
    await one.exhausted(4);
    await second.read();
    await (await openLedger(world.context)).read(0n, 1);
    expect(await one.proof()).toMatchObject({
      balance: "0.892",
      held: "0.096",
      holds_open: 8,
      matches: true,
    });
  });

  test("once the ledger has caught up, a request is held in the commit that stores it, and decided once whoever reads it", async () => {
    const one = partnerOn(world.log);
    const ending = new AbortController();
    const others = (async () => {
      for await (const _ of world.log.subscribe({ after: 0n, signal: ending.signal }));
    })();
    try {
      await one.topUp("0.03");
      await one.request(0);
      const partner = () => ({ name: "One", currency: "USD", status: "active" as const });
      const directory = { ...world.context.directory, partner };
      const ledger = await openLedger({ ...world.context, directory });
      const first = await world.log.readAll({ after: 0n, limit: 1 });
      await one.request(9);
      await ledger.instance.handle({ ...first, caughtUp: false });
      // It knows the wallet now, and has not read what else is asked of it.
      await one.exhausted(9);
      // What it has not seen being stored it takes from the feed.
      await one.request(1);
      expect(count(await one.events(), "FundsHeld")).toBe(0);
      await ledger.read();
      expect(count(await one.events(), "FundsHeld")).toBe(3);

      await one.sent(0);
      await one.request(2);
      const [captured, declined] = (await one.events()).slice(-2);
      expect([captured!.type, declined!.type]).toEqual(["FundsCaptured", "FundsDeclined"]);
      const [request] = await world.log.readStream(streamOf("message", one.idOf(2)));
      expect(captured!.position).toBe(request!.position + 1n);
      expect(BigInt(loosely(declined!.data).covers)).toBe(request!.position);

      await one.topUp("1");
      await one.request(3);
      const before = await one.events();
      expect(before.slice(-2).map(({ type }) => type)).toEqual(["FundsToppedUp", "FundsHeld"]);
      await ledger.read();
      await (await openLedger(world.context)).read(0n, 2);
      expect(await one.events()).toEqual(before);
      expect(await one.proof()).toMatchObject({ balance: "0.994", held: "0.024", matches: true });
    } finally {
      ending.abort();
      await others;
    }
  });

  test("holds made before a restart are settled, however far behind the read model is", async () => {
    const one = partnerOn(world.log);
    await one.topUp("1");
    for (const number of range(6)) await one.request(number);
    await (await openLedger(world.context)).read();
    await one.sent(0);
    await one.sent(1);
    const middle = await (await openLedger(world.context)).read();
    await one.undelivered(0);
    await one.canceled(2);
    await one.exhausted(3);
    const last = await openLedger(world.context);
    await last.read(middle);
    await last.instance.stop(0);
    const events = await one.events();
    expect(count(events, "FundsCaptured")).toBe(2);
    expect(count(events, "FundsRefunded")).toBe(1);
    expect(count(events, "FundsReleased")).toBe(2);
    expect(await one.proof()).toMatchObject({
      balance: "0.964",
      held: "0.024",
      holds_open: 2,
      matches: true,
    });
  });

  test("causes that were set aside are decided when they are asked for again, once, however far the wallet has got", async () => {
    const one = partnerOn(world.log);
    await one.topUp("1");
    await one.topUp("2");
    for (const number of range(4)) await one.request(number);
    for (const number of range(3)) await one.sent(number);
    const all = (await world.log.readAll({ after: 0n, limit: 100 })).events;
    const aside = [
      all.filter(({ type }) => type === "TopupRequested")[1]!,
      all.filter(({ type }) => type === "MessageRequested")[3]!,
      all.filter(({ type }) => type === "MessageSent")[0]!,
    ];
    const ledger = await openLedger(world.context);
    await ledger.instance.handle({
      events: all.filter((event) => !aside.includes(event)),
      position: all.at(-1)!.position,
      head: all.at(-1)!.position,
      caughtUp: true,
    });
    expect(await one.proof()).toMatchObject({ balance: "0.964", held: "0.012", matches: true });
    // By the same ledger, and by one that remembers nothing.
    for (const { instance } of [ledger, await openLedger(world.context)])
      for (const event of aside) await instance.retry!(event);
    expect(await one.proof()).toMatchObject({ balance: "2.952", held: "0.012", matches: true });
    expect(count(await one.events(), "FundsCaptured")).toBe(3);
    const covers = (await one.events()).map(({ data }) => BigInt(loosely(data).covers));
    expect(covers).toEqual(covers.toSorted((left, right) => Number(left - right)));
  });

  test("a request that was set aside while its message was canceled leaves nothing held when it is asked for again", async () => {
    const one = partnerOn(world.log);
    await one.topUp("1");
    await one.request(0);
    await one.canceled(0);
    const all = (await world.log.readAll({ after: 0n, limit: 100 })).events;
    const [topup, request, canceled] = all;
    const { instance } = await openLedger(world.context);
    const position = all.at(-1)!.position;
    await instance.handle({
      events: [topup!, canceled!],
      position,
      head: position,
      caughtUp: true,
    });
    await instance.retry!(request!);
    await instance.retry!(request!);
    expect(await one.proof()).toMatchObject({
      balance: "1",
      held: "0",
      holds_open: 0,
      matches: true,
    });
    expect((await one.events()).map(({ type }) => type)).toEqual([
      "FundsToppedUp",
      "FundsHeld",
      "FundsReleased",
    ]);
  });

  test.runIf(driver === "memory")(
    "terms that were set aside do not come back behind newer ones",
    async () => {
      const one = partnerOn(world.log);
      await one.topUp("1");
      await one.setTerms({ spend_limit_day: "5" });
      await one.setTerms({ spend_limit_day: "7" });
      const ledger = await openLedger(world.context);
      await ledger.read();
      const [older] = await world.log.readStream(streamOf("terms", one.partner));
      await ledger.instance.retry!(older!);
      await ledger.instance.stop(0);
      expect((await one.events()).at(-1)!.data.terms).toEqual({ spend_limit_day: "7" });
    },
  );

  test.runIf(driver === "memory")(
    "the wallets of a partner that the directory does not have yet wait for it, and are named by its currency",
    async () => {
      const one = partnerOn(world.log);
      await one.topUp("1");
      let isStalled = true;
      const partner = () =>
        isStalled ? undefined : { name: "New", currency: "EUR", status: "active" as const };
      const knows = async (): Promise<boolean> => ((isStalled = false), true);
      const directory = { ...world.context.directory, partner, knows };
      const ledger = await openLedger({ ...world.context, directory });
      await ledger.read();
      await ledger.instance.stop(0);
      expect(await one.events()).toEqual([]);
      const [first] = await world.log.readStream(streamOf("wallet", `${one.partner}.USD`));
      expect(first).toMatchObject({ type: "FundsToppedUp", data: { currency: "USD" } });
    },
  );

  test("two ledgers at once settle every message once", async () => {
    const one = partnerOn(world.log);
    const two = partnerOn(world.log);
    await one.topUp("0.12");
    await two.topUp("5");
    for (const number of range(30)) await Promise.all([one.request(number), two.request(number)]);
    for (const number of range(10))
      await Promise.all([two.sent(number), two.canceled(10 + number)]);
    await two.undelivered(0);
    const ledgers = await Promise.all([openLedger(world.context), openLedger(world.context)]);
    await Promise.all([ledgers[0].read(0n, 7), ledgers[1].read(0n, 11)]);
    await Promise.all(ledgers.map(({ instance }) => instance.stop(0)));
    expect(count(await one.events(), "FundsHeld")).toBe(10);
    expect(count(await one.events(), "FundsDeclined")).toBe(20);
    expect(await one.proof()).toMatchObject({ balance: "0", held: "0.12", matches: true });
    expect(count(await two.events(), "FundsHeld")).toBe(30);
    expect(await two.proof()).toMatchObject({
      balance: "4.772",
      held: "0.12",
      holds_open: 10,
      matches: true,
    });
  });

  test("the same failure reported again, or after a release, refunds nothing more", async () => {
    const one = partnerOn(world.log);
    await one.topUp("1");
    await one.request(1);
    await one.request(2);
    const ledger = await openLedger(world.context);
    let at = await ledger.read();
    await one.sent(1);
    await one.undelivered(1);
    await one.canceled(2);
    at = await ledger.read(at);
    await one.undelivered(1);
    await one.exhausted(2);
    await one.sent(2);
    await ledger.read(at);
    await (await openLedger(world.context)).read(at);
    expect(await one.proof()).toMatchObject({
      balance: "1",
      held: "0",
      holds_open: 0,
      matches: true,
    });
  });

  test("another partner's cause cannot touch a hold", async () => {
    const one = partnerOn(world.log);
    await one.topUp("1");
    await one.request(1);
    const ledger = await openLedger(world.context);
    const at = await ledger.read();
    const [outcome] = await world.log.append([
      {
        stream: "message-FORGED",
        expected: "no_stream",
        events: [
          {
            id: "00000000-0000-5000-8000-000000000001",
            type: "MessageCanceled",
            data: {
              message_id: one.idOf(1),
              message: { channel: "sms", to: "+1" },
              cost: "0.012",
              currency: "USD",
            },
            metadata: { partner: "ptn_00000000000000000000000001" },
          },
        ],
      },
    ]);
    expect(outcome?.kind).toBe("appended");
    await ledger.read(at);
    expect(await one.proof()).toMatchObject({ held: "0.012", holds_open: 1 });
  });

  test("of two owners that decide the same at once, the second goes on from what the first has stored", async () => {
    const { context, log } = world;
    const one = partnerOn(log);
    await one.topUp("10");
    await one.request(0);
    await one.request(1);
    const first = await openLedger(context);
    const begun = await first.read();
    // The second sees the holds that it did not make once the first has settled them.
    const settled = Promise.withResolvers<void>();
    const scanStream: EventLog["scanStream"] = async function* (...args) {
      await settled.promise;
      yield* log.scanStream(...args);
    };
    const lookups = { scanStream };
    const late = new Proxy(log, {
      get: (target, name) => Reflect.get(name in lookups ? lookups : target, name),
    });
    const second = await openLedger({ ...context, log: late });
    await one.request(2);
    await one.request(3);
    const held = await second.read(begun);
    await first.read(begun);
    for (const number of [0, 2]) await one.sent(number);
    for (const number of [1, 3]) await one.exhausted(number);
    const deciding = second.read(held);
    await first.read(held);
    settled.resolve();
    await deciding;
    const settledAt = await log.head();
    await one.request(4);
    await second.read(settledAt);
    expect(await one.proof()).toMatchObject({ matches: true, held: "0.012", balance: "9.964" });
    expect((await one.events()).map(({ data }) => data.available).at(-1)).toBe("9.964");
  });

  test("the checkpoint follows when the ledger stops", async () => {
    const one = partnerOn(world.log);
    await one.topUp("1");
    const ledger = await openLedger(world.context);
    const head = await ledger.read();
    await ledger.instance.stop(0);
    expect(ledger.committed).toBe(head);
  });
});
