import type { WorkingHours } from "@heliograph/contracts";
import { boundedCache } from "./bounded-cache.ts";

const days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;
type Day = (typeof days)[number];

/** There are some 450 zones. */
const clocks = boundedCache<string, Intl.DateTimeFormat>(500);

function clockOf(zone: string): Intl.DateTimeFormat {
  let clock = clocks.get(zone);
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      weekday: "short",
      hour: "2-digit",
      minute: "2-digit",
    });
    clocks.set(zone, clock);
  }
  return clock;
}

/** Whether the text names a zone of the IANA data base. A fixed offset (`+01:00`) is none: it would be wrong for half of the year. */
export function isZone(text: string): boolean {
  if (!/^[A-Za-z]/.test(text)) return false;
  try {
    clockOf(text);
    return true;
  } catch {
    return false;
  }
}

/** What the clocks of a zone show at an instant, whatever offset is in force then. */
function localTime(zone: string, atMs: number): { readonly day: number; readonly minute: number } {
  const parts = new Map(
    clockOf(zone)
      .formatToParts(atMs)
      .map(({ type, value }) => [type, value]),
  );
  return {
    day: days.indexOf(parts.get("weekday")!.toLowerCase() as Day),
    minute: Number(parts.get("hour")) * 60 + Number(parts.get("minute")),
  };
}

/** The last minute of a zone that was asked for: whoever looks at a thousand messages asks for one minute. */
const lastMinutes = boundedCache<string, { readonly at: number; readonly minute: number }>(500);

/** The minute of the day that a zone's clocks show. */
export function localMinute(zone: string, atMs: number): number {
  const at = Math.floor(atMs / 60_000);
  const last = lastMinutes.get(zone);
  if (last?.at === at) return last.minute;
  const { minute } = localTime(zone, atMs);
  lastMinutes.set(zone, { at, minute });
  return minute;
}

/** `08:30` in minutes of the day. */
export const minuteOf = (text: string): number =>
  Number(text.slice(0, 2)) * 60 + Number(text.slice(3));

/**
 * Whether an instant lies within working hours: without any it always does. They are minutes of the zone's own clocks, so that they follow it over summer time; the
 * minute of `to` belongs, and one that lies before `from` is of the next day.
 */
export function isWithinHours(hours: WorkingHours | null, atMs: number): boolean {
  if (hours === null) return true;
  const { day, minute } = localTime(hours.zone, atMs);
  const yesterday = (day + 6) % 7;
  return hours.days.some((entry) => {
    const begins = days.indexOf(entry.day);
    const from = minuteOf(entry.from);
    const to = minuteOf(entry.to);
    if (from <= to) return begins === day && from <= minute && minute <= to;
    return (begins === day && from <= minute) || (begins === yesterday && minute <= to);
  });
}
