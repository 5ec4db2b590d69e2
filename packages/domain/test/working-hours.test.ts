import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isWithinHours, isZone } from "../src/working-hours.ts";

const week = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
const everyDay = (zone: string, from: string, to: string) => ({
  zone,
  days: week.map((day) => ({ day, from, to })),
});
const at = (text: string): number => Date.parse(text);

describe("hours are those of the IANA zone at that instant", () => {
  const berlin = everyDay("Europe/Berlin", "09:00", "17:00");

  it.each([
    // 29 March 2026: the clocks go from 02:00 to 03:00.
    ["2026-03-28T07:59:59Z", false],
    ["2026-03-28T08:00:00Z", true],
    ["2026-03-29T06:59:59Z", false],
    ["2026-03-29T07:00:00Z", true],
    ["2026-03-29T15:00:59Z", true],
    ["2026-03-29T15:01:00Z", false],
    // 25 October 2026: back again.
    ["2026-10-24T07:00:00Z", true],
    ["2026-10-25T07:30:00Z", false],
    ["2026-10-25T08:00:00Z", true],
  ])("09:00 to 17:00 in Berlin at %s: %s", (instant, within) => {
    expect(isWithinHours(berlin, at(instant))).toBe(within);
  });

  it("a fixed offset is no zone", () => {
    expect(["Europe/Berlin", "UTC", "America/St_Johns"].map(isZone)).toEqual([true, true, true]);
    expect(["+01:00", "-05:00", "Mars/Olympus", "", "GMT+1"].map(isZone)).toEqual(
      Array(5).fill(false),
    );
  });
});

it("the last minute belongs: 00:00 to 23:59 is always", () => {
  const always = everyDay("America/Sao_Paulo", "00:00", "23:59");
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 4e12 }), (instant) => isWithinHours(always, instant)),
  );
});

it("hours over midnight work, and belong to the day on which they begin", () => {
  const friday = { zone: "UTC", days: [{ day: "fri" as const, from: "21:00", to: "02:00" }] };
  const within = (text: string): boolean => isWithinHours(friday, at(text));
  // 27 November 2026 is a Friday.
  expect(within("2026-11-27T20:59:59Z")).toBe(false);
  expect(within("2026-11-27T21:00:00Z")).toBe(true);
  expect(within("2026-11-28T02:00:59Z")).toBe(true);
  expect(within("2026-11-28T02:01:00Z")).toBe(false);
  expect(within("2026-11-27T01:00:00Z")).toBe(false);
  expect(within("2026-11-28T21:00:00Z")).toBe(false);
});

it("a week without days has no hours, and no hours at all is always", () => {
  expect(isWithinHours({ zone: "UTC", days: [] }, 0)).toBe(false);
  expect(isWithinHours(null, 0)).toBe(true);
});
