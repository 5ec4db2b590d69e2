/** What differs from run to run: ids by their kind and order of appearance, times, and what is drawn or counted by the whole installation. */
export function normaliser() {
  const ids = new Map<string, string>();
  const idOf = (id: string, kind: string): string => {
    let name = ids.get(id);
    if (name === undefined) {
      const number = [...ids.values()].filter((known) => known.startsWith(`${kind}#`)).length;
      ids.set(id, (name = `${kind}#${number}`));
    }
    return name;
  };
  const texts: readonly (readonly [RegExp, (found: string) => string])[] = [
    [/\b[a-z]{3}_[0-9A-HJKMNP-TV-Z]{26}\b/g, (id) => idOf(id, id.slice(0, 3))],
    [/\breq_[0-9a-f]{32}\b/g, () => "req"],
    [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, () => "uuid"],
    [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, () => "time"],
    [/whsec_[\w+/=-]+/g, () => "secret"],
    [/\bak_(test|live)_\w+/g, () => "key"],
    [/"(live|sandbox)"/g, () => '"environment"'],
    [/\b(live|sandbox)\b/g, () => "environment"],
    [/"position":"\d{16}"/g, () => '"position":"n"'],
    // Written as text wherever it stands: a number of sixteen digits is something else.
    [/(?<![:-])\b\d{16}\b/g, () => "position"],
    [/127\.0\.0\.1:\d+/g, () => "host"],
    [/"(next_cursor|prev_cursor|etag)":"[^"]+"/g, () => '"cursor":"n"'],
    [/"(latency_ms|duration_ms)":\d+/g, () => '"ms":0'],
  ];
  return (value: unknown): unknown => {
    let text = JSON.stringify(value) ?? "null";
    for (const [form, replace] of texts) text = text.replace(form, replace);
    return JSON.parse(text);
  };
}

/** Headers whose values the run draws, by what they are; the others are compared to the letter. */
const drawn = new Set([
  "date",
  "x-request-id",
  "request-id",
  "log-position",
  "projection-lag",
  "etag",
  "content-length",
  "ratelimit",
  "webhook-id",
  "webhook-timestamp",
  "webhook-signature",
  "host",
  "location",
  "link",
  "retry-after",
]);
export const headersOf = (headers: Iterable<readonly [string, unknown]>): Record<string, unknown> =>
  Object.fromEntries(
    [...headers]
      .map(([name, value]) => [name, drawn.has(name) ? "drawn" : value] as const)
      .toSorted(([one], [other]) => (one < other ? -1 : 1)),
  );
