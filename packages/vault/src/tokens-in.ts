import { isSealed, packedIdOf, type Sealed } from "./token.ts";

/** The packed ids of the keys that a value's tokens need, however deep they stand. */
export function collectKeys(value: unknown, ids: Set<string>): void {
  if (typeof value === "string") {
    if (isSealed(value)) ids.add(packedIdOf(value));
  } else if (Array.isArray(value)) for (const each of value) collectKeys(each, ids);
  else if (typeof value === "object" && value !== null)
    for (const each of Object.values(value)) collectKeys(each, ids);
}

/** The value with its tokens replaced. What holds none is given back as it is, not copied. */
export function mapTokens<Value>(value: Value, open: (token: Sealed) => string): Value;
export function mapTokens(value: unknown, open: (token: Sealed) => string): unknown {
  if (typeof value === "string") return isSealed(value) ? open(value) : value;
  if (Array.isArray(value)) {
    const mapped = value.map((each: unknown) => mapTokens(each, open));
    return mapped.some((each, index) => each !== value[index]) ? mapped : value;
  }
  if (typeof value !== "object" || value === null) return value;
  if (Object.getPrototypeOf(value) !== Object.prototype) return value;
  let changed = false;
  const entries = Object.entries(value).map(([key, each]) => {
    const opened: unknown = mapTokens(each, open);
    changed ||= opened !== each;
    return [key, opened] as const;
  });
  return changed ? Object.fromEntries(entries) : value;
}
