import { expect, test } from "vitest";
import type { Life } from "../src/life.ts";
import { addSum, count, isNothing, keysOf, nameOf, newRow, newSum, placeOf } from "../src/rows.ts";

const life: Life = {
  partner: "ptn_1",
  hour: 495_000,
  channel: "sms",
  country: "CH",
  template: "order",
  tags: ["a", "b"],
  currency: "USD",
  segments: 2,
  steps: [],
  price: 12_000n,
  hold: "captured",
  isWrittenOff: false,
  status: "delivered",
  gateway: "main",
  readyAt: 0,
  acceptedToSentMs: 40,
  sentAt: 40,
  sentToDeliveredMs: 900,
};

test("Messages are summed together where they count in the same rows, and only there", () => {
  const others: Partial<Life>[] = [
    { partner: "ptn_2" },
    { hour: life.hour + 1 },
    { channel: "email" },
    { country: "DE" },
    { template: "" },
    { tags: ["a"] },
    { tags: [] },
    { tags: ["b", "a"] },
    { tags: ['a","b'] },
    { tags: ["a\u001fb"] },
    { currency: "CHF" },
    { status: "sent" },
    { gateway: "spare" },
  ];
  const places = [life, ...others.map((other) => ({ ...life, ...other }))].map(placeOf);
  expect(new Set(places).size).toBe(places.length);
  const same: Life = { ...life, segments: 1, price: 1n, readyAt: 5, acceptedToSentMs: undefined };
  expect(placeOf(same)).toBe(placeOf(life));
  expect(keysOf(same).map(nameOf)).toEqual(keysOf(life).map(nameOf));
});

test("What is summed first and added then is what each message adds, and what comes and goes is nothing", () => {
  const sum = newSum();
  count(sum, life, 1);
  count(sum, { ...life, sentToDeliveredMs: 40_000 }, 1);
  const row = newRow(keysOf(life)[0]!);
  addSum(row, sum);
  addSum(row, sum);
  expect(row).toMatchObject({ messages: 4, segments: 8, costMicros: 48_000n });
  expect([...row.toSent.values()]).toEqual([4]);
  expect([...row.toDelivered.values()]).toEqual([2, 2]);
  count(sum, life, -1);
  expect(isNothing(sum)).toBe(false);
  count(sum, { ...life, sentToDeliveredMs: 40_000 }, -1);
  expect(isNothing(sum)).toBe(true);
});
