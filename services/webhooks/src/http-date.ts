import { parseTime } from "@heliograph/domain";

const months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const day = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)";
const longDay = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day";
const month = `(?<month>${months.join("|")})`;
const time = String.raw`(?<time>\d\d:\d\d:\d\d)`;
/** RFC 9110, section 5.6.7: the form that is sent today, and the two that are obsolete but have to be read. All of them are UTC. */
const forms = [
  new RegExp(String.raw`^${day}, (?<day>\d\d) ${month} (?<year>\d{4}) ${time} GMT$`),
  new RegExp(String.raw`^${longDay}, (?<day>\d\d)-${month}-(?<short>\d\d) ${time} GMT$`),
  new RegExp(String.raw`^${day} ${month} (?<day>\d\d| \d) ${time} (?<year>\d{4})$`),
];

/** A year of two digits that seems more than this ahead is the last one that ended so (RFC 9110, section 5.6.7). */
const mostYearsAhead = 50;

/** The epoch milliseconds of an HTTP date; undefined for any other text, also where an engine's own parser would guess. `now` in epoch ms. */
export function parseHttpDate(text: string, now: number): number | undefined {
  for (const form of forms) {
    const parts = form.exec(text)?.groups;
    if (parts === undefined) continue;
    const year = parts["year"] ?? yearOf(Number(parts["short"]), new Date(now).getUTCFullYear());
    const number = String(months.indexOf(parts["month"]!) + 1).padStart(2, "0");
    return parseTime(`${year}-${number}-${parts["day"]!.replace(" ", "0")}T${parts["time"]!}Z`);
  }
  return undefined;
}

function yearOf(short: number, thisYear: number): string {
  const year = thisYear - (thisYear % 100) + short;
  return String(year > thisYear + mostYearsAhead ? year - 100 : year);
}
