import { PublicError } from "@heliograph/contracts";

const maxDepth = 32;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const refuse = (detail: string): PublicError => new PublicError("malformed_json", detail);

/**
 * Parses a JSON body and refuses what parsers disagree on: as `malformed_json` invalid UTF-8, a byte order mark, duplicate keys, nesting
 * below 32 levels and numbers that a double does not hold exactly (9007199254740993 would be stored as another number, 1e400 as null); as
 * `invalid_request`, with the path, what is JSON but cannot be kept: NUL and lone surrogates (PostgreSQL and others cannot store them), and
 * `__proto__` as a key: it is never one of ours, and code that copies it would change a prototype.
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
  if (count(value, []) !== pairs) throw refuse("The body has the same key twice in one object.");
  // A lone surrogate or a NUL can only come from a \u escape, since the bytes are UTF-8 and JSON forbids raw control characters.
  if (text.includes("\\u")) checkText(value, []);
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

/**
 * Counts the colons outside strings, which in valid JSON are the key-value pairs as written, and refuses deep nesting and numbers that
 * lose digits before they are parsed.
 */
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
    else if (isDigit(byte)) index = scanNumber(bytes, index);
  }
  return pairs;
}

const isDigit = (byte: number | undefined): boolean =>
  byte !== undefined && byte >= 0x30 && byte <= 0x39;
/** Every decimal of so many digits comes back from a double as it was (IEEE 754: 15.95 digits). */
const exactDigits = 15;

/** Gives the index of a number's last byte. */
function scanNumber(bytes: Uint8Array, start: number): number {
  let end = start + 1;
  let isPlain = true;
  for (; end < bytes.length; end++) {
    const byte = bytes[end]!;
    if (isDigit(byte) || byte === 0x2e) continue;
    // e, E, + and -
    if (byte !== 0x65 && byte !== 0x45 && byte !== 0x2b && byte !== 0x2d) break;
    isPlain = false;
  }
  if (!isPlain || end - start > exactDigits) {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString(
      "latin1",
    );
    const number = Number(text);
    if (!Number.isFinite(number)) throw refuse("The body has a number that is too large.");
    if (decimalOf(text) !== decimalOf(String(number)))
      throw refuse("The body has a number with more digits than are kept: send it as text.");
  }
  return end - 1;
}

/** A decimal without sign in one form: its digits without zeros at either end, and the power of ten of the last one. */
function decimalOf(text: string): string {
  const [mantissa = "", exponent = "0"] = text.toLowerCase().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  const digits = whole + fraction;
  let from = 0;
  let to = digits.length;
  while (from < to && digits[from] === "0") from++;
  while (to > from && digits[to - 1] === "0") to--;
  if (from === to) return "0";
  return `${digits.slice(from, to)}e${Number(exponent) - fraction.length + (digits.length - to)}`;
}

type Path = readonly (string | number)[];
const invalid = (path: Path, message: string): PublicError => {
  const name = path.join(".");
  return new PublicError("invalid_request", `The body is not valid: ${name}: ${message}`, {
    errors: [{ path: name, code: "invalid_value", message }],
  });
};

/** The key-value pairs that parsing left: fewer than were written when a later duplicate replaced an earlier one. */
function count(value: unknown, path: (string | number)[]): number {
  if (typeof value !== "object" || value === null) return 0;
  let total = 0;
  if (Array.isArray(value))
    for (let index = 0; index < value.length; index++) {
      path.push(index);
      total += count(value[index], path);
      path.pop();
    }
  else
    for (const key in value) {
      path.push(key);
      if (key === "__proto__") throw invalid(path, "is not accepted as a name");
      total += 1 + count((value as Record<string, unknown>)[key], path);
      path.pop();
    }
  return total;
}

const unkept = "a NUL character or half of a surrogate pair";
const isKept = (text: string): boolean => text.isWellFormed() && !text.includes("\0");

function checkText(value: unknown, path: Path): void {
  if (typeof value === "string") {
    if (!isKept(value)) throw invalid(path, `has ${unkept}`);
  } else if (Array.isArray(value))
    for (const [index, item] of value.entries()) checkText(item, [...path, index]);
  else if (typeof value === "object" && value !== null)
    for (const [key, item] of Object.entries(value)) {
      // Its name is what is wrong: it cannot be repeated.
      if (!isKept(key)) throw invalid(path, `has a name with ${unkept}`);
      checkText(item, [...path, key]);
    }
}
