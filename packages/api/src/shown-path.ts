import { maskSecrets } from "@heliograph/contracts";

/** Parameters that are somebody's address or number, not an id of ours. */
const personal: ReadonlySet<string> = new Set([":external_id"]);
/** A public id, a number, a slug, or a month: whatever else stands where an id should may be anything, a key or a telephone number among it. */
const harmless =
  /^(?:[a-z]{2,4}_[0-9A-HJKMNP-TV-Z]{26}|\d{1,6}|\d{4}-\d{2}|(?:live|sandbox)-\d{1,19}|[a-z](?:[a-z_-]|\d(?!\d{6}))*)$/;
const ownSecret = /^a[a-z]_(?:live|test|admin)_/;
const longestSegment = 64;

const isHarmless = (segment: string): boolean =>
  segment.length <= longestSegment && harmless.test(segment) && !ownSecret.test(segment);

/**
 * A path as the audit and the process's own log keep it. No erasure reaches those, so of what names a person, or is no id at all, there is only the parameter's name; the event of the
 * request has the rest. A key that stands where there is no parameter is masked.
 */
export function shownPath(pattern: string | undefined, given: string): string {
  const path = maskSecrets(given);
  if (pattern === undefined || !pattern.includes(":")) return path;
  const names = pattern.split("/");
  const segments = path.split("/");
  const before = segments.length - names.length;
  return segments
    .map((segment, index) => {
      const name = names[index - before] ?? "";
      return name.startsWith(":") && (personal.has(name) || !isHarmless(segment)) ? name : segment;
    })
    .join("/");
}
