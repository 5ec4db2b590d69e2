import { formatMoney } from "@heliograph/contracts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { moneyOf, type WalletCause, type WalletEvent } from "../src/index.ts";
import {
  currency,
  hold,
  inBatches,
  messageId,
  openWallet,
  proof,
  sizes,
  topup,
} from "./wallets.ts";

const limitDay = 30n;
const limitMonth = 55n;
/** Around the end of a month. */
const days = ["2026-05-29", "2026-05-30", "2026-05-31", "2026-06-01", "2026-06-02"];

/** Sends, refunds, lapses and late captures in any order, while the days go by; some clocks are a day behind. */
const stories = fc
  .array(
    fc.record({
      kind: fc.constantFrom("hold", "hold", "capture", "return", "expire"),
      number: fc.nat(14),
      amount: fc.integer({ min: 1, max: 20 }),
      isNextDay: fc.nat(5).map((turn) => turn === 0),
      isBehind: fc.nat(4).map((turn) => turn === 0),
    }),
    { maxLength: 60 },
  )
  .map((steps) => {
    let day = 0;
    return steps.map(({ kind, number, amount, isNextDay, isBehind }, index): WalletCause => {
      if (isNextDay && day < days.length - 1) day++;
      const on = days[isBehind && day > 0 ? day - 1 : day]!;
      const position = BigInt(index + 10);
      if (kind === "hold") return { ...hold(position, number, String(amount)), on } as WalletCause;
      const settled = { kind: kind as "capture", position, message_id: messageId(number) };
      return kind === "capture" ? { ...settled, on } : settled;
    });
  });

/** What was spent on each day by the wallet's own events: what was set aside on it, less what came back of that. */
function openDays() {
  const spent = new Map<string, bigint>();
  const dayOf = new Map<string, string>();
  const add = (on: string, amount: bigint) => spent.set(on, (spent.get(on) ?? 0n) + amount);
  const inMonth = (month: string): bigint =>
    [...spent].reduce((sum, [on, each]) => (on.startsWith(month) ? sum + each : sum), 0n);
  return {
    spent,
    inMonth,
    add({ type, data }: WalletEvent) {
      if (!("entries" in data)) return;
      for (const entry of data.entries) {
        const amount = moneyOf(entry.amount)!;
        const id = "message_id" in entry ? entry.message_id : "";
        if (type === "FundsHeld" || type === "FundsChargedLate") {
          dayOf.set(id, data.spent!.on);
          add(data.spent!.on, amount);
        } else if (type === "FundsReleased" || type === "FundsRefunded" || type === "FundsExpired")
          add(dayOf.get(id)!, -amount);
      }
    },
  };
}

test("each day and month has spent what was set aside in it less what came back of that, and never more than its limit", () => {
  const micro = 1_000_000n;
  fc.assert(
    fc.property(stories, sizes, (story, batchSizes) => {
      const wallet = openWallet();
      const terms = {
        spend_limit_day: String(limitDay),
        spend_limit_month: String(limitMonth),
      };
      wallet.decide([topup(1n, "10000"), { kind: "terms", position: 2n, currency, terms }]);
      const model = openDays();
      const askedOn = new Map<string, string>();
      let newest = "";
      for (const batch of inBatches(story, batchSizes)) {
        for (const cause of batch)
          if (cause.kind === "hold" && !askedOn.has(cause.message_id))
            askedOn.set(cause.message_id, cause.on);
        for (const event of wallet.decide(batch)) {
          model.add(event);
          const { spent } = event.data;
          if (spent === undefined) continue;
          expect(spent.on >= newest).toBe(true);
          newest = spent.on;
          expect(spent.day).toBe(formatMoney(model.spent.get(spent.on) ?? 0n));
          expect(spent.month).toBe(formatMoney(model.inMonth(spent.on.slice(0, 7))));
          if (event.type === "FundsHeld")
            for (const { message_id } of event.data.entries)
              expect(askedOn.get(message_id)! <= spent.on).toBe(true);
          for (const [on, each] of model.spent) {
            expect(each).toBeLessThanOrEqual(limitDay * micro);
            expect(model.inMonth(on.slice(0, 7))).toBeLessThanOrEqual(limitMonth * micro);
          }
        }
      }
      expect(proof(wallet.events).mismatch).toBeUndefined();
    }),
    { numRuns: 300 },
  );
});

test("a refund makes room in its own month alone, and a late charge counts on the day on which its message was sent", () => {
  const wallet = openWallet();
  const on = (day: string, cause: WalletCause): WalletCause => ({ ...cause, on: day }) as never;
  const terms = { spend_limit_day: "1", spend_limit_month: "1.5" };
  // The last of May, then June: each day in a batch has its own event, and a refund of May's makes no room in June.
  wallet.decide([
    topup(1n, "100"),
    { kind: "terms", position: 2n, currency, terms },
    on("2026-05-31", hold(3n, 1, "0.7")),
    on("2026-06-01", hold(4n, 2, "0.9")),
  ]);
  const held = wallet.events.filter(({ type }) => type === "FundsHeld");
  expect(held.map(({ data }) => data.spent)).toEqual([
    { on: "2026-05-31", day: "0.7", month: "0.7" },
    { on: "2026-06-01", day: "0.9", month: "0.9" },
  ]);
  wallet.decide([
    { kind: "return", position: 5n, message_id: messageId(1) },
    on("2026-06-01", hold(6n, 3, "0.2")),
  ]);
  expect(wallet.holds.get(messageId(3))?.status).toBe("declined");
  // What lapses makes room; charged after all, it is spent again, on the day on which it was sent, if that has room.
  wallet.decide([
    { kind: "expire", position: 7n, message_id: messageId(2) },
    on("2026-06-01", hold(8n, 4, "0.5")),
    { kind: "capture", position: 9n, message_id: messageId(2), on: "2026-06-01" },
  ]);
  expect(wallet.holds.get(messageId(2))?.status).toBe("written_off");
  wallet.decide([
    { kind: "expire", position: 10n, message_id: messageId(4) },
    { kind: "capture", position: 11n, message_id: messageId(4), on: "2026-06-02" },
  ]);
  expect(wallet.events.at(-1)!.data.spent).toEqual({ on: "2026-06-02", day: "0.5", month: "0.5" });
});
