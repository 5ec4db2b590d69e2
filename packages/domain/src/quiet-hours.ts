import { isZone, localMinute, minuteOf } from "./working-hours.ts";

/** Hours in which nothing is sent, by the clocks of each of these zones: quiet in one of them is quiet. */
export type QuietHours = {
  readonly from: string;
  readonly to: string;
  readonly zones: readonly string[];
};

const minuteMs = 60_000;
const minutesOfDay = 1_440;
/** No zone puts its clocks forward by more; two hours are known. */
const mostShiftMinutes = 180;
/** Zones that follow one another, and the clocks that are put forward: within so long there is a time at which none is quiet, or there is none. */
const mostWindows = 100;

/** Whether the clocks of a zone are within the hours: the minute of `to` is not, and one that lies before `from` is of the next day. */
function isQuietIn(zone: string, { from, to }: QuietHours, atMs: number): boolean {
  const minute = localMinute(zone, atMs);
  const [begins, ends] = [minuteOf(from), minuteOf(to)];
  return begins < ends ? begins <= minute && minute < ends : begins <= minute || minute < ends;
}

/** Whether nothing may be sent now. */
export const isQuiet = (hours: QuietHours, atMs: number): boolean =>
  hours.zones.some((zone) => isQuietIn(zone, hours, atMs));

/** When the hours that are quiet in a zone now are over there by today's clocks: if those are put back on the way it is quiet still, and asked again. */
function endIn(zone: string, hours: QuietHours, atMs: number): number {
  const away = (minuteOf(hours.to) - localMinute(zone, atMs) + minutesOfDay) % minutesOfDay;
  const end = Math.floor(atMs / minuteMs) * minuteMs + away * minuteMs;
  if (localMinute(zone, end) === minuteOf(hours.to)) return end;
  // The clocks were put forward: it was sooner, and the hours may have begun again since.
  const first = end - Math.min(away - 1, mostShiftMinutes) * minuteMs;
  for (let sooner = first; sooner < end; sooner += minuteMs)
    if (!isQuietIn(zone, hours, sooner)) return sooner;
  return end;
}

/** When something may be sent that is due now: undefined when it may be at once, "never" where the zones leave no time of the day. */
export function quietUntil(hours: QuietHours, atMs: number): number | "never" | undefined {
  let at = atMs;
  for (let windows = 0; windows < mostWindows; windows++) {
    const ends = hours.zones
      .filter((zone) => isQuietIn(zone, hours, at))
      .map((zone) => endIn(zone, hours, at));
    if (ends.length === 0) return at === atMs ? undefined : at;
    at = Math.max(...ends);
  }
  return "never";
}

/** The zones of a country, all that are in use anywhere in it; none for one that is not known. */
export function zonesOf(country: string): readonly string[] {
  if (!/^[A-Z]{2}$/.test(country)) return [];
  const zones = (new Intl.Locale("und", { region: country }) as Regional).getTimeZones?.() ?? [];
  return zones.filter(isZone);
}
/** What the engine has and its types lack. */
type Regional = Intl.Locale & { readonly getTimeZones?: () => readonly string[] | undefined };
