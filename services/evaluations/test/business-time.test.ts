import { newId } from "@heliograph/contracts";
import type { BusinessCalendar, Settings } from "@heliograph/runtime";
import fc from "fast-check";
import { expect, test } from "vitest";
import { afterBusinessTime, businessDayMs } from "../src/business-time.ts";
import { noticesOf } from "../src/notices.ts";

const berlin: BusinessCalendar = {
  zone: "Europe/Berlin",
  days: ["mon", "tue", "wed", "thu", "fri"],
  fromMinute: 9 * 60,
  toMinute: 17 * 60,
  holidays: ["2026-12-25"],
};
const day = businessDayMs(berlin);
const after = (calendar: BusinessCalendar, from: string, spanMs = day): string =>
  new Date(afterBusinessTime(calendar, Date.parse(from), spanMs)).toISOString();

test.each([
  ["within a day", "2026-11-24T10:00:00+01:00", "2026-11-25T10:00:00+01:00"],
  ["before the doors open", "2026-11-24T03:00:00+01:00", "2026-11-24T17:00:00+01:00"],
  ["after they close", "2026-11-24T17:00:00+01:00", "2026-11-25T17:00:00+01:00"],
  ["over a weekend", "2026-11-27T16:00:00+01:00", "2026-11-30T16:00:00+01:00"],
  ["on a Saturday", "2026-11-28T12:00:00+01:00", "2026-11-30T17:00:00+01:00"],
  ["over a holiday and a weekend", "2026-12-24T16:30:00+01:00", "2026-12-28T16:30:00+01:00"],
  ["over the start of summer time", "2026-03-27T12:00:00+01:00", "2026-03-30T12:00:00+02:00"],
  ["over its end", "2026-10-23T12:00:00+02:00", "2026-10-26T12:00:00+01:00"],
])("a business day %s", (_name, from, to) => {
  expect(after(berlin, from)).toBe(new Date(to).toISOString());
});

test("the clocks are the zone's, whatever day it is in UTC", () => {
  const auckland = { ...berlin, zone: "Pacific/Auckland" };
  // Monday morning there, Sunday here.
  expect(after(auckland, "2026-11-29T21:00:00Z", 3_600_000)).toBe("2026-11-29T22:00:00.000Z");
  const around = { ...berlin, zone: "America/New_York", fromMinute: 0, toMinute: 24 * 60 };
  // The day of 25 hours: all of them are business time there.
  const everyDay = { ...around, days: [...berlin.days, "sat", "sun"] };
  expect(after(everyDay, "2026-11-01T04:00:00Z", 25 * 3_600_000)).toBe("2026-11-02T05:00:00.000Z");
});

test("more time ends later, what comes later ends no earlier, and every end lies in business hours", () => {
  const instants = fc.date({
    min: new Date("2026-01-01"),
    max: new Date("2027-12-31"),
    noInvalidDate: true,
  });
  const spans = fc.integer({ min: 1, max: 5 * day });
  fc.assert(
    fc.property(instants, spans, spans, (from, left, right) => {
      const fromMs = from.getTime();
      const end = afterBusinessTime(berlin, fromMs, left);
      expect(end).toBeGreaterThanOrEqual(fromMs + left);
      expect(afterBusinessTime(berlin, fromMs, left + right)).toBe(
        afterBusinessTime(berlin, end, right),
      );
      expect(afterBusinessTime(berlin, fromMs + right, left)).toBeGreaterThanOrEqual(end);
      const shown = new Date(end).toLocaleString("en-GB", {
        timeZone: "Europe/Berlin",
        weekday: "short",
        hour: "2-digit",
        minute: "2-digit",
      });
      expect(shown).toMatch(/^(Mon|Tue|Wed|Thu|Fri),? (09|1[0-6]|17:00)/);
    }),
    { numRuns: 60 },
  );
});

/** When the team is told of a request, by the kind of the notice. */
function noticesAt(business: BusinessCalendar, requested: string): Record<string, Date> {
  const settings = { business, slackWebhookUrl: "https://hooks.example/x" } as Settings;
  const request = { evaluation_id: newId("evl"), requested_at: requested };
  const [part] = noticesOf(settings, request as Parameters<typeof noticesOf>[1]);
  const [, , kinds, dues] = part!.values as [unknown, unknown, string[], Date[]];
  return Object.fromEntries(kinds.map((kind, index) => [kind, dues[index]!]));
}

test("the team is reminded when half of the business day is gone and when an hour is left, within business hours, before the promise breaks", () => {
  const friday = noticesAt(berlin, "2026-11-27T15:00:00+01:00");
  expect(friday).toEqual({
    requested: new Date("2026-11-27T15:00:00+01:00"),
    half: new Date("2026-11-30T11:00:00+01:00"),
    last_hour: new Date("2026-11-30T14:00:00+01:00"),
  });
  expect(after(berlin, "2026-11-27T15:00:00+01:00")).toBe("2026-11-30T14:00:00.000Z");
  const instants = fc.date({
    min: new Date("2026-01-01"),
    max: new Date("2027-12-31"),
    noInvalidDate: true,
  });
  fc.assert(
    fc.property(instants, (from) => {
      const { half, last_hour: last } = noticesAt(berlin, from.toISOString());
      const promised = Date.parse(after(berlin, from.toISOString()));
      expect(half!.getTime()).toBeGreaterThan(from.getTime());
      expect(half!.getTime()).toBeLessThan(last!.getTime());
      expect(last!.getTime()).toBeLessThanOrEqual(promised - 3_600_000);
    }),
    { numRuns: 60 },
  );
  // Where a business day is hardly more than an hour, the last one is no news.
  const short = { ...berlin, toMinute: berlin.fromMinute + 90 };
  expect(Object.keys(noticesAt(short, "2026-11-27T15:00:00+01:00"))).toEqual(["requested", "half"]);
});

test("a calendar that never opens says so", () => {
  expect(() => after({ ...berlin, days: [] }, "2026-11-24T10:00:00Z")).toThrow("no working day");
});
