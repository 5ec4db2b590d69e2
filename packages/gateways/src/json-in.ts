/** undefined for what is no JSON. A whole number that a double does not hold is its digits: ids of 64 bits are common, and two of them must not become one. */
export function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text, (_, value: unknown, { source }: { source?: string } = {}) =>
      typeof value === "number" && !Number.isSafeInteger(value) && /^-?\d+$/.test(source ?? "")
        ? source
        : value,
    );
  } catch {
    return undefined;
  }
}
