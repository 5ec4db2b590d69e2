/** Everything before the milliseconds, for the seconds in use: `toISOString` costs ten times as much, and times come in bursts. */
const seconds = new Map<number, string>();
const maxSeconds = 64;

/** RFC 3339 in UTC with milliseconds: `2026-05-23T14:22:17.042Z`. Takes epoch milliseconds. */
export function formatTime(epochMs: number): string {
  const second = Math.floor(epochMs / 1000);
  let prefix = seconds.get(second);
  if (prefix === undefined) {
    prefix = new Date(second * 1000).toISOString().slice(0, -4);
    if (seconds.size >= maxSeconds) seconds.clear();
    seconds.set(second, prefix);
  }
  const ms = Math.floor(epochMs - second * 1000);
  return `${prefix}${ms < 10 ? "00" : ms < 100 ? "0" : ""}${ms}Z`;
}

const form =
  /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,18}))?(?:Z|([+-])(\d{2}):(\d{2}))$/i;
const minuteMs = 60_000;

/**
 * The epoch milliseconds of an RFC 3339 time, undefined for any other text. The engine's own parser is not asked: it reads much that is no
 * time, and makes 2 March of 30 February. A leap second is taken where one can be, at the end of a month in UTC, and is the first second
 * of the next day, as POSIX clocks count it. What is finer than a millisecond is dropped.
 */
export function parseTime(text: string): number | undefined {
  const match = form.exec(text);
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const [offsetHour, offsetMinute] = [Number(match[9] ?? 0), Number(match[10] ?? 0)];
  if (hour > 23 || minute > 59 || second > 60 || offsetHour > 23 || offsetMinute > 59)
    return undefined;
  const date = new Date(0);
  // Unlike `Date.UTC`, this does not take year 50 for 1950.
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  const offsetMs = (match[8] === "-" ? -1 : 1) * (offsetHour * 60 + offsetMinute) * minuteMs;
  const at = date.getTime() + (hour * 60 + minute) * minuteMs + second * 1000 - offsetMs;
  if (second === 60) {
    const next = new Date(at);
    if (next.getUTCDate() !== 1 || at % (24 * 60 * minuteMs) !== 0) return undefined;
  }
  return at + Number(`${match[7] ?? ""}000`.slice(0, 3));
}

/** When an event happened, epoch milliseconds: when it was recorded, or what it says itself in a sandbox whose clock is ahead. */
export const timeOfEvent = ({
  metadata: { at },
  recordedAt,
}: {
  readonly metadata: { readonly at?: string };
  readonly recordedAt: number;
}): number => (at === undefined ? recordedAt : Date.parse(at));
