import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { boundsOf, capacityOf, capacityRows, measured } from "./capacity.ts";

const demand = { messagesPerSecond: 10_000, partners: 1_000_000, averageShare: 0.25, use: 0.6 };

test("the page shows what the model computes", () => {
  const page = readFileSync(new URL("../../docs/operating/capacity.md", import.meta.url), "utf8");
  for (const [what, much] of capacityRows(demand)) expect(page).toContain(`| ${what} | ${much} |`);
});

test("the model adds up: by hand, in its sums, and at once and twice", () => {
  const unit = {
    ...measured,
    logEventsPerSecond: 4_010,
    walletStepsPerSecond: 6_000,
    nodeCpuMs: 1.2,
    postgresCpuMs: 0.6,
    logBytes: 1_000,
    readModelBytes: 2_000,
    deliveryBytes: 3_000,
  };
  expect(boundsOf(unit).map(({ messagesPerSecond }) => Math.round(messagesPerSecond))).toEqual([
    1_000, 3_000, 11_851,
  ]);
  const one = capacityOf({ ...demand, messagesPerSecond: 1_000 }, unit);
  expect(one).toMatchObject({ perInstallation: 600, installations: 2, partnersEach: 500_000 });
  expect(one.nodeCores).toBeCloseTo(2, 9);
  expect(one.postgresCores).toBeCloseTo(1, 9);
  // A thousand a second at a quarter for a day, six thousand bytes each.
  expect(one.terabytesPerDay).toBeCloseTo(0.1296, 9);
  const { logTerabytesPerDay, readModelTerabytesPerDay, deliveryTerabytesPerDay } = one;
  expect(logTerabytesPerDay + readModelTerabytesPerDay + deliveryTerabytesPerDay).toBeCloseTo(
    one.terabytesPerDay,
    9,
  );
  const two = capacityOf({ ...demand, messagesPerSecond: 2_000 }, unit);
  for (const name of ["nodeCores", "commitsPerSecond", "terabytesPerDay"] as const)
    expect(two[name], name).toBeCloseTo(2 * one[name], 9);
  expect(two.installations).toBe(4);
  const copied = capacityOf({ ...demand, messagesPerSecond: 3_368, use: 0.5 }, unit);
  expect(copied.webhookCopies).toBe(4);
  expect(capacityOf({ ...demand, messagesPerSecond: 1 }, unit).installations).toBe(1);
});
