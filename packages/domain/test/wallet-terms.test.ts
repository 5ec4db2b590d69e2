import type { Terms } from "@heliograph/contracts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { transactionsOf, type WalletCause, type WalletEvent } from "../src/index.ts";
import {
  currency,
  hold,
  inBatches,
  messageId,
  openWallet,
  proof,
  settle,
  sizes,
  topup,
} from "./wallets.ts";

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
