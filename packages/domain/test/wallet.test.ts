import type { Terms } from "@heliograph/contracts";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  decideWallet,
  emptyWallet,
  evolveWallet,
  type Hold,
  noteHolds,
  startProof,
  type Proof,
  transactionsOf,
  type Wallet,
  type WalletCause,
  type WalletEvent,
  type WalletRecord,
} from "../src/index.ts";

/** A wallet that decides batches and remembers its stream, as the wallet service does. */
function openWallet() {
  let wallet: Wallet = emptyWallet;
  const holds = new Map<string, Hold>();
  const events: WalletRecord[] = [];
  const ignored: string[] = [];
  return {
    holds,
    events,
    ignored,
    balance: () => ({ available: wallet.available, held: wallet.held }),
    decide(causes: readonly WalletCause[]) {
      const decision = decideWallet(wallet, holds, causes);
      for (const event of decision.events) {
        wallet = evolveWallet(wallet, event);
        noteHolds(holds, event);
        const position = BigInt(1_000_000 + events.length);
        const id = `00000000-0000-5000-8000-${String(events.length).padStart(12, "0")}`;
        events.push({ ...event, id, position, metadata: {}, recordedAt: 0 });
      }
      ignored.push(...decision.ignored.map(({ reason }) => reason));
      return decision.events;
    },
  };
}

const currency = "USD";
const messageId = (number: number) => `msg_${String(number).padStart(26, "0")}`;
const topup = (position: bigint, amount: string): WalletCause => ({
  kind: "topup",
  position,
  transaction_id: `wtx_${position}`,
  amount,
  currency,
});
const hold = (position: bigint, number: number, amount: string): WalletCause => ({
  kind: "hold",
  position,
  message_id: messageId(number),
  amount,
  currency,
  on: "2026-05-23",
});
const settle = (kind: "capture" | "return", position: bigint, number: number): WalletCause => ({
  kind,
  position,
  message_id: messageId(number),
});

/** Any story: top-ups, requests, and settlements of messages that may or may not have been requested before. */
const stories = fc
  .array(
    fc.oneof(
      {
        weight: 1,
        arbitrary: fc.record({ kind: fc.constant("topup" as const), amount: fc.nat(50) }),
      },
      {
        weight: 4,
        arbitrary: fc.record({
          kind: fc.constant("hold" as const),
          number: fc.nat(25),
          amount: fc.nat(20),
        }),
      },
      {
        weight: 5,
        arbitrary: fc.record({
          kind: fc.constantFrom("capture" as const, "return" as const),
          number: fc.nat(25),
        }),
      },
    ),
    { maxLength: 80 },
  )
  .map((steps) =>
    steps.map((step, index): WalletCause => {
      const position = BigInt(index + 1);
      if (step.kind === "topup") return topup(position, String(step.amount));
      if (step.kind === "hold") return hold(position, step.number, String(step.amount));
      return settle(step.kind, position, step.number);
    }),
  );

/** What the proof says of all these events, oldest first. */
const proof = (events: Iterable<WalletRecord>): Proof => {
  const proving = startProof();
  for (const event of events) proving.add(event);
  return proving.result();
};

function inBatches<Item>(items: readonly Item[], sizes: readonly number[]): Item[][] {
  const batches: Item[][] = [];
  for (let start = 0, turn = 0; start < items.length; turn++) {
    const size = sizes[turn % sizes.length]!;
    batches.push(items.slice(start, start + size));
    start += size;
  }
  return batches;
}
const sizes = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 });

test("the ledger sums to zero, no balance is ever negative and each hold is resolved once", () => {
  fc.assert(
    fc.property(stories, sizes, (story, batchSizes) => {
      const wallet = openWallet();
      for (const batch of inBatches(story, batchSizes)) {
        wallet.decide(batch);
        const proven = proof(wallet.events);
        expect(proven.mismatch).toBeUndefined();
        expect(proven.matches).toBe(true);
      }
      const resolved = wallet.events
        .filter(({ type }) => type === "FundsReleased" || type === "FundsRefunded")
        .flatMap(({ data }) =>
          "entries" in data
            ? data.entries.map((entry) => ("message_id" in entry ? entry.message_id : ""))
            : [],
        );
      expect(new Set(resolved).size).toBe(resolved.length);
      expect(wallet.events.every(({ data }) => !data.available.startsWith("-"))).toBe(true);
    }),
  );
});

test("a declined amount does not fit into the balance written beside it", () => {
  fc.assert(
    fc.property(stories, sizes, (story, batchSizes) => {
      const wallet = openWallet();
      for (const batch of inBatches(story, batchSizes)) wallet.decide(batch);
      for (const { type, data } of wallet.events)
        if (type === "FundsDeclined")
          for (const { amount } of data.entries)
            expect(Number(amount)).toBeGreaterThan(Number(data.available));
    }),
  );
});

test("delivering any suffix of the causes again changes nothing", () => {
  fc.assert(
    fc.property(stories, sizes, fc.nat(80), (story, batchSizes, from) => {
      const wallet = openWallet();
      for (const batch of inBatches(story, batchSizes)) wallet.decide(batch);
      const before = wallet.events.length;
      const balance = wallet.balance();
      // Causes that were all ignored leave no mark to skip them by; they must be ignored again.
      for (const batch of inBatches(story.slice(from), [7])) wallet.decide(batch);
      expect(wallet.balance()).toEqual(balance);
      expect(wallet.events.length).toBe(before);
    }),
  );
});

test("the order in which holds are settled does not change the sums", () => {
  const outcomes = fc.array(
    fc.constantFrom("capture" as const, "return" as const, "both" as const),
    {
      minLength: 1,
      maxLength: 20,
    },
  );
  fc.assert(
    fc.property(outcomes, fc.infiniteStream(fc.nat()), sizes, (fates, random, batchSizes) => {
      const requests = fates.map((_, number) =>
        hold(BigInt(number + 2), number, String(number + 1)),
      );
      const settlements = fates.flatMap((fate, number): ["capture" | "return", number][] =>
        fate === "both"
          ? [
              ["capture", number],
              ["return", number],
            ]
          : [[fate, number]],
      );
      const run = (order: typeof settlements) => {
        const wallet = openWallet();
        wallet.decide([topup(1n, "1000"), ...requests]);
        const causes = order.map(([kind, number], index) =>
          settle(kind, BigInt(index + 100), number),
        );
        for (const batch of inBatches(causes, batchSizes)) wallet.decide(batch);
        return wallet.balance();
      };
      // A shuffle that keeps a capture before the return of the same message: in the log they have that order.
      const shuffled = settlements
        .map((settlement) => ({ settlement, key: random.next().value as number }))
        .toSorted((a, b) => a.key - b.key)
        .map(({ settlement }) => settlement);
      const seen = new Set<number>();
      const ordered = shuffled.map(([kind, number]): ["capture" | "return", number] => {
        if (fates[number] !== "both") return [kind, number];
        const first = !seen.has(number);
        seen.add(number);
        return [first ? "capture" : "return", number];
      });
      expect(run(ordered)).toEqual(run(settlements));
    }),
  );
});

test("100 requests on funds for 50 hold exactly 50, in one batch or in many", () => {
  for (const size of [1, 7, 100]) {
    const wallet = openWallet();
    wallet.decide([topup(1n, "0.6")]);
    const requests = Array.from({ length: 100 }, (_, n) => hold(BigInt(n + 2), n, "0.012"));
    for (const batch of inBatches(requests, [size])) wallet.decide(batch);
    const held = [...wallet.holds.values()].filter(({ status }) => status === "held");
    expect(held.length).toBe(50);
    expect(wallet.balance()).toEqual({ available: 0n, held: 600_000n });
  }
});

test("a smaller request may fit after a larger one was declined", () => {
  const wallet = openWallet();
  const types = wallet
    .decide([topup(1n, "10"), hold(2n, 1, "11"), hold(3n, 2, "10"), hold(4n, 3, "0.01")])
    .map(({ type }) => type);
  expect(types).toEqual(["FundsToppedUp", "FundsHeld", "FundsDeclined"]);
  expect(wallet.holds.get(messageId(2))?.status).toBe("held");
  expect(wallet.holds.get(messageId(3))?.status).toBe("declined");
});

test("an unknown wallet declines, and its later rejection is expected", () => {
  const wallet = openWallet();
  wallet.decide([hold(1n, 1, "0.012")]);
  wallet.decide([settle("return", 5n, 1)]);
  expect(wallet.events.map(({ type }) => type)).toEqual(["FundsDeclined"]);
  expect(wallet.ignored).toEqual(["declined"]);
});

test("a request and its cancellation in one batch are written as hold, then release", () => {
  const wallet = openWallet();
  const events = wallet.decide([
    topup(1n, "1"),
    hold(2n, 1, "1"),
    settle("return", 3n, 1),
    hold(4n, 2, "1"),
  ]);
  expect(events.map(({ type, data }) => [type, data.available, data.held])).toEqual([
    ["FundsToppedUp", "1", "0"],
    ["FundsHeld", "0", "1"],
    ["FundsReleased", "1", "0"],
    ["FundsHeld", "0", "1"],
  ]);
});

test("a captured hold is refunded once, a released one never again", () => {
  const wallet = openWallet();
  wallet.decide([topup(1n, "1"), hold(2n, 1, "0.4"), hold(3n, 2, "0.4")]);
  wallet.decide([settle("capture", 4n, 1), settle("return", 5n, 1), settle("return", 6n, 2)]);
  wallet.decide([settle("return", 7n, 1), settle("return", 8n, 2), settle("capture", 9n, 2)]);
  wallet.decide([settle("capture", 10n, 99)]);
  expect(wallet.balance()).toEqual({ available: 1_000_000n, held: 0n });
  expect(wallet.ignored).toEqual([
    "already_resolved",
    "already_resolved",
    "already_resolved",
    "no_hold",
  ]);
});

test("another currency and an unreadable amount move nothing", () => {
  const wallet = openWallet();
  wallet.decide([
    topup(1n, "1"),
    { ...hold(2n, 1, "0.1"), currency: "EUR" } as WalletCause,
    hold(3n, 2, "-1"),
    hold(4n, 3, "much"),
  ]);
  expect(wallet.balance()).toEqual({ available: 1_000_000n, held: 0n });
  expect(wallet.ignored).toEqual(["currency_mismatch", "invalid_amount", "invalid_amount"]);
});

test("public transactions run to the balance that the event records", () => {
  const wallet = openWallet();
  wallet.decide([topup(1n, "1"), topup(2n, "2"), hold(3n, 1, "0.5"), hold(4n, 2, "0.25")]);
  wallet.decide([settle("capture", 5n, 1), settle("return", 6n, 2)]);
  const transactions = wallet.events.flatMap(transactionsOf);
  expect(
    transactions.map(({ kind, amount, balance_after }) => [kind, amount, balance_after]),
  ).toEqual([
    ["topup", "1", "1"],
    ["topup", "2", "3"],
    ["hold", "0.5", "2.5"],
    ["hold", "0.25", "2.25"],
    ["release", "0.25", "2.5"],
    ["capture", "0.5", "2.5"],
  ]);
  expect(new Set(transactions.map(({ id }) => id)).size).toBe(transactions.length);
});

test("the proof finds a forged balance and a hold resolved twice", () => {
  const wallet = openWallet();
  wallet.decide([topup(1n, "1"), hold(2n, 1, "0.5")]);
  wallet.decide([settle("capture", 3n, 1)]);
  const [first, second, third] = wallet.events as [WalletRecord, WalletRecord, WalletRecord];
  expect(proof(wallet.events)).toMatchObject({
    entries: 6,
    balance: "0.5",
    holds_open: 0,
    matches: true,
  });
  const forged = { ...second, data: { ...second.data, available: "0.6" } } as WalletRecord;
  expect(proof([first, forged, third])).toMatchObject({ matches: false });
  expect(proof([first, second, third, { ...third, position: 9n }]).mismatch).toContain("capture");
});

test("a batch of 500 causes takes less than 3 ms", () => {
  const wallet = openWallet();
  wallet.decide([topup(1n, "100000")]);
  const elapsed: number[] = [];
  for (let round = 0; round < 60; round++) {
    const start = BigInt(round * 500 + 2);
    const causes = Array.from({ length: 500 }, (_, n): WalletCause => {
      const number = round * 250 + (n >> 1);
      return n % 2 === 0
        ? hold(start + BigInt(n), number, "0.012")
        : settle("capture", start + BigInt(n), number - 250);
    });
    const began = performance.now();
    wallet.decide(causes);
    elapsed.push(performance.now() - began);
  }
  // The bound leaves room for a cold and busy machine; warm it takes a few tenths of that.
  expect(elapsed.toSorted((a, b) => a - b)[30]).toBeLessThan(3);
});

const termsAt = (position: bigint, terms: Terms): WalletCause => ({
  kind: "terms",
  position,
  currency,
  terms,
});
const adjust = (position: bigint, amount: string): WalletCause => ({
  kind: "adjustment",
  position,
  transaction_id: `wtx_${position}`,
  amount,
  currency,
  reason: "a correction",
  author: "key_1",
});
const typesOf = (events: readonly WalletEvent[]): readonly string[] =>
  events.map(({ type }) => type);

test("the low balance is told once per crossing downwards, however the causes are batched", () => {
  // Threshold 1.00: 1.01, 0.99, 0.50, a top-up to 2.00, 0.90.
  const causes = [
    termsAt(1n, { low_balance_threshold: "1" }),
    topup(2n, "1.01"),
    hold(3n, 1, "0.02"),
    hold(4n, 2, "0.49"),
    topup(5n, "1.5"),
    hold(6n, 3, "1.1"),
  ];
  const wallet = openWallet();
  for (const batch of inBatches(causes, [1])) wallet.decide(batch);
  const low = wallet.events.filter(({ type }) => type === "BalanceLow");
  expect(low.map(({ data }) => data.available)).toEqual(["0.99", "0.9"]);
  // Nothing is said again when it all comes again.
  for (const batch of inBatches(causes, [2])) wallet.decide(batch);
  expect(wallet.events.filter(({ type }) => type === "BalanceLow")).toHaveLength(2);
});

test("available goes as far below zero as is lent, and no further", () => {
  const wallet = openWallet();
  wallet.decide([termsAt(1n, { credit_limit: "1" }), hold(2n, 1, "0.6"), hold(3n, 2, "0.5")]);
  expect(wallet.holds.get(messageId(2))?.status).toBe("declined");
  wallet.decide([hold(4n, 3, "0.4")]);
  expect(wallet.balance()).toEqual({ available: -1_000_000n, held: 1_000_000n });
  // Less is lent from here on: what is out stays out, nothing more goes, and what comes back is booked.
  wallet.decide([termsAt(5n, { credit_limit: "0.1" }), hold(6n, 4, "0.01"), adjust(7n, "-0.01")]);
  expect(typesOf(wallet.events).slice(-3)).toEqual([
    "WalletTermsApplied",
    "FundsDeclined",
    "AdjustmentDeclined",
  ]);
  wallet.decide([settle("return", 8n, 3), adjust(9n, "0.2")]);
  expect(wallet.balance()).toEqual({ available: -400_000n, held: 600_000n });
  expect(proof(wallet.events).matches).toBe(true);
});

test("spending stops at the limit of the day and of the month, and nothing is charged for what is declined", () => {
  const wallet = openWallet();
  const on = (day: string, cause: WalletCause): WalletCause => ({ ...cause, on: day }) as never;
  wallet.decide([
    topup(1n, "100"),
    termsAt(2n, { spend_limit_day: "1", spend_limit_month: "1.5" }),
    on("2026-05-30", hold(3n, 1, "0.7")),
    on("2026-05-30", hold(4n, 2, "0.4")),
    on("2026-05-30", hold(5n, 3, "0.3")),
  ]);
  const declined = wallet.events.find(({ type }) => type === "FundsDeclined");
  expect(declined?.data).toMatchObject({
    reason: "spend_limit_reached",
    entries: [{ message_id: messageId(2), amount: "0.4" }],
    available: "99",
  });
  // What comes back was not spent; a new day begins anew, but for the month.
  wallet.decide([settle("return", 6n, 3), on("2026-05-30", hold(7n, 4, "0.3"))]);
  wallet.decide([on("2026-05-31", hold(8n, 5, "0.6")), on("2026-05-31", hold(9n, 6, "0.5"))]);
  // The clock of another process is a little behind: its request counts with the newest day.
  wallet.decide([on("2026-06-01", hold(10n, 7, "1")), on("2026-05-31", hold(11n, 8, "0.1"))]);
  const states = [4, 5, 6, 7, 8].map((number) => wallet.holds.get(messageId(number))?.status);
  expect(states).toEqual(["held", "declined", "held", "held", "declined"]);
  expect(proof(wallet.events).matches).toBe(true);
});

test("a correction moves its amount either way, with its reason and its author", () => {
  const wallet = openWallet();
  wallet.decide([topup(1n, "1"), adjust(2n, "0.25"), adjust(3n, "-1.25"), adjust(4n, "-0.000001")]);
  expect(wallet.balance()).toEqual({ available: 0n, held: 0n });
  const shown = wallet.events.flatMap(transactionsOf).map((each) => [each.kind, each.amount]);
  expect(shown).toEqual([
    ["topup", "1"],
    ["adjustment", "0.25"],
    ["adjustment", "-1.25"],
  ]);
  expect(wallet.events.flatMap(transactionsOf)[2]).toMatchObject({
    reason: "a correction",
    author: "key_1",
    balance_after: "0",
  });
  expect(typesOf(wallet.events).at(-1)).toBe("AdjustmentDeclined");
  expect(proof(wallet.events)).toMatchObject({ matches: true, balance: "0" });
});

test("a hold that expired is settled once, whatever comes first, and the sums stay zero", () => {
  const kinds = ["capture", "return", "expire"] as const;
  const orders = fc.shuffledSubarray([...kinds, ...kinds], { minLength: 1 });
  fc.assert(
    fc.property(orders, fc.boolean(), sizes, (order, isPoor, batchSizes) => {
      const wallet = openWallet();
      wallet.decide([topup(1n, "1"), hold(2n, 1, "1")]);
      const causes: WalletCause[] = order.map((kind, index) => ({
        kind,
        position: BigInt(index + 10),
        message_id: messageId(1),
      }));
      // Who is poor has spent meanwhile what came back.
      const spends = order.map((_, index) => hold(BigInt(index * 2 + 11), 100 + index, "1"));
      const all = isPoor
        ? causes.flatMap((cause, index) => [
            { ...cause, position: BigInt(index * 2 + 10) },
            spends[index]!,
          ])
        : causes;
      for (const batch of inBatches(all, batchSizes)) wallet.decide(batch);
      expect(proof(wallet.events).mismatch).toBeUndefined();
      const about = wallet.events
        .filter(({ data }) => "entries" in data)
        .flatMap(({ type, data }) =>
          (data as { entries: { message_id?: string }[] }).entries
            .filter(({ message_id }) => message_id === messageId(1))
            .map(() => type),
        );
      const times = (...types: string[]) => about.filter((type) => types.includes(type)).length;
      // The hold itself has one end.
      expect(times("FundsCaptured", "FundsReleased", "FundsExpired")).toBe(1);
      // Nobody is charged twice, nor given back more than was taken.
      const taken = times("FundsHeld", "FundsChargedLate");
      const back = times("FundsReleased", "FundsExpired", "FundsRefunded");
      expect(taken - back).toBeGreaterThanOrEqual(0);
      expect(taken - back).toBeLessThanOrEqual(1);
      // A success after the end is in the ledger, charged or written off.
      const expired = order.indexOf("expire");
      const sent = order.indexOf("capture");
      const returned = order.indexOf("return");
      if (about.includes("FundsExpired") && sent > expired && (returned < 0 || returned > sent))
        expect(times("FundsChargedLate", "FundsWrittenOff")).toBeGreaterThanOrEqual(1);
    }),
  );
});
