import type { BusinessCalendar } from "@heliograph/runtime";

const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
const minuteMs = 60_000;
/** A calendar without a working day in a year has none. */
const searchedDays = 400;

/** What a business day holds, in milliseconds. */
export const businessDayMs = ({ fromMinute, toMinute }: BusinessCalendar): number =>
  (toMinute - fromMinute) * minuteMs;

/**
 * The instant at which so much business time has passed since another, by the clocks of the calendar's zone. What comes outside of business hours counts from their next beginning: one
 * business day after Monday 10:00 is Tuesday 10:00, and one after Friday night is Monday's end. Throws where no day is a working one.
 */
export function afterBusinessTime(
  calendar: BusinessCalendar,
  fromMs: number,
  spanMs: number,
): number {
  const clock = clockOf(calendar.zone);
  const shown = new Date(shownAt(clock, fromMs));
  const [year, month, day] = [shown.getUTCFullYear(), shown.getUTCMonth(), shown.getUTCDate()];
  let left = spanMs;
  for (let number = 0; number < searchedDays; number++) {
    // Days of a calendar are counted in UTC, where all of them have 24 hours.
    const midnight = Date.UTC(year, month, day + number);
    if (!isWorking(calendar, midnight)) continue;
    const opens = instantOf(clock, midnight + calendar.fromMinute * minuteMs);
    const closes = instantOf(clock, midnight + calendar.toMinute * minuteMs);
    const begins = Math.max(fromMs, opens);
    if (begins >= closes) continue;
    if (closes - begins >= left) return begins + left;
    left -= closes - begins;
  }
  throw new Error("the business calendar has no working day");
}

function isWorking({ days: working, holidays }: BusinessCalendar, midnight: number): boolean {
  const date = new Date(midnight);
  return (
    working.includes(days[date.getUTCDay()]!) && !holidays.includes(date.toISOString().slice(0, 10))
  );
}

const clockOf = (zone: string): Intl.DateTimeFormat =>
  new Intl.DateTimeFormat("en-US", {
    timeZone: zone,
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });

/** What the zone's clocks show at an instant, written as if it were UTC. */
function shownAt(clock: Intl.DateTimeFormat, atMs: number): number {
  const part = new Map(clock.formatToParts(atMs).map(({ type, value }) => [type, Number(value)]));
  const of = (name: Intl.DateTimeFormatPartTypes): number => part.get(name)!;
  return Date.UTC(of("year"), of("month") - 1, of("day"), of("hour"), of("minute"), of("second"));
}

/** The instant at which the zone's clocks show this. Of an hour that is skipped the one after it, of one that comes twice the second. */
function instantOf(clock: Intl.DateTimeFormat, shown: number): number {
  const guess = shown - (shownAt(clock, shown) - shown);
  return guess - (shownAt(clock, guess) - shown);
}
