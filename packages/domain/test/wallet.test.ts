import fc from "fast-check";
import { expect, test } from "vitest";
import { transactionsOf, type WalletCause, type WalletRecord } from "../src/index.ts";
import {
  hold,
  inBatches,
  keep,
  messageId,
  openWallet,
  proof,
  settle,
  sizes,
  stories,
  topup,
} from "./wallets.ts";

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
        .filter(({ type }) => ["FundsReleased", "FundsRefunded", "FundsKept"].includes(type))
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

test("what failed and is charged nevertheless costs its price once, held or captured before, and nothing of it comes back", () => {
  const wallet = openWallet();
  wallet.decide([topup(1n, "1"), hold(2n, 1, "0.4"), hold(3n, 2, "0.3"), hold(4n, 3, "0.2")]);
  wallet.decide([keep(5n, 1, "0.1"), settle("capture", 6n, 2), keep(7n, 2, "0.1")]);
  wallet.decide([keep(8n, 1, "0.1"), settle("return", 9n, 2), settle("capture", 10n, 1)]);
  wallet.decide([settle("return", 11n, 3), keep(12n, 3, "0.2")]);
  expect(wallet.balance()).toEqual({ available: 800_000n, held: 0n });
  expect(wallet.holds.get(messageId(1))).toMatchObject({ status: "kept", amount: "0.1" });
  expect(wallet.events.map(({ type }) => type).slice(2)).toEqual([
    "FundsReduced",
    "FundsCaptured",
    "FundsKept",
    "FundsRebated",
    "FundsKept",
    "FundsReleased",
  ]);
  expect(proof(wallet.events)).toMatchObject({ matches: true, balance: "0.8" });
  expect(wallet.ignored).toHaveLength(4);
});

test("what was kept comes back once, by a correction alone", () => {
  const wallet = openWallet();
  wallet.decide([topup(1n, "1"), hold(2n, 1, "0.4"), keep(3n, 1, "0.4")]);
  wallet.decide([settle("return", 4n, 1)]);
  expect(wallet.balance()).toEqual({ available: 600_000n, held: 0n });
  const corrected = { ...settle("return", 5n, 1), corrects: true } as WalletCause;
  wallet.decide([corrected, { ...corrected, position: 6n }]);
  wallet.decide([{ ...corrected, position: 7n }, keep(8n, 1, "0.4")]);
  expect(wallet.balance()).toEqual({ available: 1_000_000n, held: 0n });
  expect(wallet.holds.get(messageId(1))).toMatchObject({ status: "refunded" });
  expect(proof(wallet.events)).toMatchObject({ matches: true, balance: "1" });
  expect(wallet.ignored).toEqual(Array(4).fill("already_resolved"));
});

test("what a batch keeps is one event, however many messages they are", () => {
  const wallet = openWallet();
  const numbers = Array.from({ length: 50 }, (_, number) => number);
  wallet.decide([topup(1n, "10"), ...numbers.map((n) => hold(BigInt(n + 2), n, "0.1"))]);
  wallet.decide(numbers.map((n) => settle("capture", BigInt(n + 100), n)));
  wallet.decide(numbers.map((n) => keep(BigInt(n + 200), n, "0.1")));
  const kept = wallet.events.filter(({ type }) => type === "FundsKept");
  expect(kept.map(({ data }) => "entries" in data && data.entries.length)).toEqual([50]);
  expect(proof(wallet.events)).toMatchObject({ matches: true, balance: "5" });
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

test("a batch of 500 causes takes less than 3 ms of the processor", () => {
  const wallet = openWallet();
  wallet.decide([topup(1n, "100000")]);
  const spentUs: number[] = [];
  for (let round = 0; round < 60; round++) {
    const start = BigInt(round * 500 + 2);
    const causes = Array.from({ length: 500 }, (_, n): WalletCause => {
      const number = round * 250 + (n >> 1);
      return n % 2 === 0
        ? hold(start + BigInt(n), number, "0.012")
        : settle("capture", start + BigInt(n), number - 250);
    });
    const before = process.cpuUsage();
    wallet.decide(causes);
    spentUs.push(process.cpuUsage(before).user);
  }
  // The best of them, since others share the processor and its caches; it takes a few tenths of that.
  expect(Math.min(...spentUs)).toBeLessThan(3_000);
});
