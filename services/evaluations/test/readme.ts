// What the README shows, compiled.
import type { BusinessCalendar } from "@heliograph/runtime";
import { afterBusinessTime, businessDayMs } from "../src/business-time.ts";

declare const calendar: BusinessCalendar;
declare const requestedMs: number;

export function example(): number {
  const promised = afterBusinessTime(calendar, requestedMs, businessDayMs(calendar)); // Friday 18:30 → Monday 17:00
  return promised;
}
