import { PublicError } from "@heliograph/contracts";

const maxDepth = 32;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const refuse = (detail: string): PublicError => new PublicError("malformed_json", detail);

/**
 * Parses a JSON body and refuses what parsers disagree on: invalid UTF-8, a byte order mark, duplicate keys, nesting below 32
 * levels, NUL and lone surrogates (PostgreSQL and others cannot store them), numbers beyond 1.8e308 (they would be stored as null). `__proto__` is refused as a key: it is never one of ours,
 * and code that copies it would change a prototype.
 */
export function parseJson(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    throw refuse("The body is not valid UTF-8.");
  }
  const pairs = scan(bytes);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refuse(`The body is not valid JSON: ${reason(error)}`);
  }
  if (count(value) !== pairs) throw refuse("The body has the same key twice in one object.");
  // A lone surrogate or a NUL can only come from a \u escape, since the bytes are UTF-8 and JSON forbids raw control characters.
  if (text.includes("\\u") && !wellFormed(value))
    throw refuse("The body has a NUL character or half of a surrogate pair.");
  return value;
}

// The engine's message quotes the body; only its position is repeated.
function reason(error: unknown): string {
  const match = /position \d+(?: \(line \d+ column \d+\))?/.exec(
    error instanceof Error ? error.message : "",
  );
  return match === null
    ? "it ends too early or has an unexpected character."
    : `unexpected character at ${match[0]}.`;
}

/** Counts the colons outside strings, which in valid JSON are the key-value pairs as written, and refuses deep nesting before it is parsed. */
function scan(bytes: Uint8Array): number {
  let pairs = 0;
  let depth = 0;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index]!;
    if (byte === 0x22) {
      for (index++; index < bytes.length; index++) {
        const inner = bytes[index]!;
        if (inner === 0x5c) index++;
        else if (inner === 0x22) break;
      }
    } else if (byte === 0x3a) pairs++;
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > maxDepth) throw refuse(`The body is nested deeper than ${maxDepth} levels.`);
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return pairs;
}

/** The key-value pairs that parsing left: fewer than were written when a later duplicate replaced an earlier one. */
function count(value: unknown): number {
  if (typeof value === "number" && !Number.isFinite(value))
    throw refuse("The body has a number that is too large.");
  if (typeof value !== "object" || value === null) return 0;
  let total = 0;
  if (Array.isArray(value)) for (const item of value) total += count(item);
  else
    for (const key in value) {
      if (key === "__proto__") throw refuse("The key __proto__ is not accepted.");
      total += 1 + count((value as Record<string, unknown>)[key]);
    }
  return total;
}

function wellFormed(value: unknown): boolean {
  if (typeof value === "string") return value.isWellFormed() && !value.includes("\0");
  if (typeof value !== "object" || value === null) return true;
  if (Array.isArray(value)) return value.every(wellFormed);
  return Object.entries(value).every(([key, item]) => wellFormed(key) && wellFormed(item));
}
