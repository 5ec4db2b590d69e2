/** Parameters that are somebody's address or number, not an id of ours. */
const personal: ReadonlySet<string> = new Set([":external_id"]);

/**
 * A path as the audit and the process's own log keep it. No erasure reaches those, so what names a person there is only the parameter's name; the event of the request has the rest.
 */
export function shownPath(pattern: string | undefined, path: string): string {
  const names = pattern?.split("/") ?? [];
  if (!names.some((name) => personal.has(name))) return path;
  const segments = path.split("/");
  const before = segments.length - names.length;
  return segments
    .map((segment, index) => {
      const name = names[index - before] ?? "";
      return personal.has(name) ? name : segment;
    })
    .join("/");
}
