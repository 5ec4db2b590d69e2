import { expect, test } from "vitest";
import { quietUntil, zonesOf } from "../src/quiet-hours.ts";

const berlin = ["Europe/Berlin"];
const night = { from: "21:00", to: "07:00" };

test.each([
  ["before the window", berlin, night, "2026-01-10T19:59:59Z", undefined],
  ["at its first minute", berlin, night, "2026-01-10T20:00:00Z", "2026-01-11T06:00:00Z"],
  ["past midnight", berlin, night, "2026-01-10T23:30:00Z", "2026-01-11T06:00:00Z"],
  ["in its last minute", berlin, night, "2026-01-11T05:59:30Z", "2026-01-11T06:00:00Z"],
  ["at its end", berlin, night, "2026-01-11T06:00:00Z", undefined],
  ["in summer", berlin, night, "2026-07-10T22:30:00Z", "2026-07-11T05:00:00Z"],
  [
    "of one day",
    berlin,
    { from: "12:00", to: "13:30" },
    "2026-01-10T11:10:00Z",
    "2026-01-10T12:30:00Z",
  ],
  [
    "over the night in which the clocks go forward",
    berlin,
    night,
    "2026-03-28T22:00:00Z",
    "2026-03-29T05:00:00Z",
  ],
  [
    "over the night in which they go back",
    berlin,
    night,
    "2026-10-24T21:00:00Z",
    "2026-10-25T06:00:00Z",
  ],
  // 02:30 is not on that day's clocks.
  [
    "that ends within what is left out",
    berlin,
    { from: "22:00", to: "02:30" },
    "2026-03-28T22:00:00Z",
    "2026-03-29T01:00:00Z",
  ],
  [
    "that begins again within the hour that is left out of the day",
    berlin,
    { from: "03:10", to: "02:50" },
    "2026-03-28T12:00:00Z",
    "2026-03-29T01:00:00Z",
  ],
  [
    "that begins again soon, of the day on which they go forward",
    ["America/Santiago"],
    { from: "05:45", to: "05:00" },
    "2026-09-05T14:56:13Z",
    "2026-09-06T08:00:00Z",
  ],
  // 02:30 comes twice: the second is as quiet as the first was.
  [
    "that ends within what comes twice",
    berlin,
    { from: "22:00", to: "02:30" },
    "2026-10-24T22:00:00Z",
    "2026-10-25T00:30:00Z",
  ],
  [
    "of two zones, while the second is quiet",
    ["America/New_York", "America/Los_Angeles"],
    night,
    "2026-01-10T12:30:00Z",
    "2026-01-10T15:00:00Z",
  ],
  [
    "of two zones, in none of them",
    ["America/New_York", "America/Los_Angeles"],
    night,
    "2026-01-10T15:00:00Z",
    undefined,
  ],
  [
    "of zones that leave no time",
    ["Asia/Tokyo", "Europe/London", "America/Los_Angeles"],
    { from: "20:00", to: "10:00" },
    "2026-01-10T12:00:00Z",
    "never",
  ],
  [
    "with a half hour's offset",
    ["Asia/Kolkata"],
    night,
    "2026-01-10T16:00:00Z",
    "2026-01-11T01:30:00Z",
  ],
] as const)("A time %s", (_, zones, hours, at, until) => {
  const found = quietUntil({ ...hours, zones }, Date.parse(at));
  expect(typeof found === "number" ? new Date(found).toISOString() : found).toBe(
    until?.replace("Z", ".000Z").replace("never", "never"),
  );
});

test("A country has all of its zones, and one that is not known none", () => {
  expect(zonesOf("DE")).toContain("Europe/Berlin");
  expect(zonesOf("US")).toEqual(expect.arrayContaining(["America/New_York", "Pacific/Honolulu"]));
  expect([zonesOf("001"), zonesOf(""), zonesOf("XK")]).toEqual([[], [], []]);
});
