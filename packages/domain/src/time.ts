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
