import { hash, randomFillSync } from "node:crypto";

/** Kinds of public identifiers; the prefix tells a reader what an id names. */
export type IdPrefix =
  | "msg"
  | "atp"
  | "cnt"
  | "cnv"
  | "whe"
  | "whd"
  | "whb"
  | "evt"
  | "key"
  | "ptn"
  | "gtw"
  | "tpl"
  | "wtx"
  | "agt"
  | "dev"
  | "sup"
  | "req"
  | "prl"
  | "rpl"
  | "inb"
  | "tea"
  | "ses"
  | "mrg"
  | "ers"
  | "imp"
  | "att"
  | "inv"
  | "con"
  | "not"
  | "evl"
  | "cbk"
  | "brc"
  | "bkt"
  | "frk"
  | "spl";

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]?: Name };
export type MessageId = Branded<"message">;
export type PartnerId = Branded<"partner">;
export type Environment = "live" | "sandbox";
export const environments: readonly Environment[] = ["live", "sandbox"];

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const hexPairs = new Map<number, number>();
for (let code = 0; code < 16; code++) {
  hexPairs.set(code.toString(16).charCodeAt(0), code);
  hexPairs.set(code.toString(16).toUpperCase().charCodeAt(0), code);
}
const hexValue = new Uint8Array(128);
for (const [character, value] of hexPairs) hexValue[character] = value;
const base32Value = new Int8Array(128).fill(-1);
for (let index = 0; index < 32; index++) base32Value[alphabet.charCodeAt(index)] = index;

const digits = Uint8Array.from(alphabet, (digit) => digit.charCodeAt(0));

/** Four hexadecimal digits of a text. */
const quad = (hex: string, at: number): number =>
  (hexValue[hex.charCodeAt(at)]! << 12) |
  (hexValue[hex.charCodeAt(at + 1)]! << 8) |
  (hexValue[hex.charCodeAt(at + 2)]! << 4) |
  hexValue[hex.charCodeAt(at + 3)]!;

/** The digit that the five bits from `shift` on stand for. */
const digitAt = (bits: number, shift: number): number => digits[(bits >>> shift) & 31]!;

/**
 * 26 Crockford base32 characters of a UUID's 128 bits (two leading zero bits), the form ULIDs use. Made at once of four numbers of 32 bits: a text that grows by one character after the other is 744
 * bytes of garbage, and a message has a dozen ids.
 */
export function uuidToBase32(uuid: string): string {
  const first = (quad(uuid, 0) << 16) | quad(uuid, 4);
  const second = (quad(uuid, 9) << 16) | quad(uuid, 14);
  const third = (quad(uuid, 19) << 16) | quad(uuid, 24);
  const fourth = (quad(uuid, 28) << 16) | quad(uuid, 32);
  return String.fromCharCode(
    digits[first >>> 29]!,
    digitAt(first, 24),
    digitAt(first, 19),
    digitAt(first, 14),
    digitAt(first, 9),
    digitAt(first, 4),
    digits[((first << 1) & 31) | (second >>> 31)]!,
    digitAt(second, 26),
    digitAt(second, 21),
    digitAt(second, 16),
    digitAt(second, 11),
    digitAt(second, 6),
    digitAt(second, 1),
    digits[((second << 4) & 31) | (third >>> 28)]!,
    digitAt(third, 23),
    digitAt(third, 18),
    digitAt(third, 13),
    digitAt(third, 8),
    digitAt(third, 3),
    digits[((third << 2) & 31) | (fourth >>> 30)]!,
    digitAt(fourth, 25),
    digitAt(fourth, 20),
    digitAt(fourth, 15),
    digitAt(fourth, 10),
    digitAt(fourth, 5),
    digitAt(fourth, 0),
  );
}

/** The UUID (lower case, dashed) printed as 26 base32 characters; undefined when the text is not one. */
export function base32ToUuid(text: string): string | undefined {
  if (text.length !== 26) return undefined;
  let value = 0n;
  for (let index = 0; index < 26; index++) {
    const code = text.charCodeAt(index);
    const digit = code < 128 ? base32Value[code]! : -1;
    if (digit < 0) return undefined;
    value = (value << 5n) | BigInt(digit);
  }
  if (value >> 128n) return undefined;
  const hex = value.toString(16).padStart(32, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

const namespace = Buffer.from("6ba7b8149dad11d180b400c04fd430c8", "hex"); // RFC 9562's X.500 namespace: ours is the name's own prefix.

/** Longer names than ids and types make are written into a buffer of their own. */
const longestName = 1_024;
const scratch = Buffer.concat([namespace, Buffer.alloc(longestName)]);
/** The first bytes of it, by how many. */
const beginnings: Buffer[] = [];

/** The namespace and the name behind it, until the next call. */
function named(name: string): Buffer {
  if (name.length * 3 > longestName) return Buffer.concat([namespace, Buffer.from(name)]);
  const length = namespace.length + scratch.write(name, namespace.length);
  return (beginnings[length] ??= scratch.subarray(0, length));
}

/** UUIDv5 (RFC 9562) of the parts joined by a unit separator; the same parts always give the same id. */
export function uuid5(...parts: readonly string[]): string {
  let name = "";
  for (let index = 0; index < parts.length; index++)
    name += index === 0 ? parts[0]! : `\u001f${parts[index]!}`;
  const hex = hash("sha1", named(name), "hex");
  const variant = "89ab"[hexValue[hex.charCodeAt(16)]! & 3]!;
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

// One call to the random source for 256 ids: on its own it costs more than everything else in an id.
const randomPool = new Uint8Array(16 * 256);
let randomUsed = randomPool.length;

/** A UUID is written here and read at once: put together of its parts it is garbage of four times its size. */
const written = Buffer.alloc(36);
const hexDigits = Uint8Array.from("0123456789abcdef", (digit) => digit.charCodeAt(0));
const dash = "-".charCodeAt(0);

/** A new UUID (v7 of RFC 9562), ordered by its millisecond. */
export function uuid7(): string {
  if (randomUsed === randomPool.length) {
    randomFillSync(randomPool);
    randomUsed = 0;
  }
  const bytes = randomPool;
  const from = randomUsed;
  randomUsed += 16;
  for (let index = 5, rest = Date.now(); index >= 0; index--, rest = Math.floor(rest / 256))
    bytes[from + index] = rest % 256;
  bytes[from + 6] = 0x70 | (bytes[from + 6]! & 0x0f);
  bytes[from + 8] = 0x80 | (bytes[from + 8]! & 0x3f);
  for (let index = 0, at = 0; index < 16; index++) {
    if (index === 4 || index === 6 || index === 8 || index === 10) written[at++] = dash;
    const byte = bytes[from + index]!;
    written[at++] = hexDigits[byte >> 4]!;
    written[at++] = hexDigits[byte & 15]!;
  }
  return written.toString("latin1", 0, 36);
}

/** A new public id, ordered by time. */
export const newId = (prefix: IdPrefix): string => `${prefix}_${uuidToBase32(uuid7())}`;

/** A public id derived from its parts: the same parts always give the same id. */
export const deterministicId = (prefix: IdPrefix, ...parts: readonly string[]): string =>
  `${prefix}_${uuidToBase32(uuid5(...parts))}`;

/** Whether the text is a well-formed public id of that kind. */
export const isId = (prefix: IdPrefix, text: string): boolean =>
  text.length === prefix.length + 27 &&
  text.startsWith(prefix) &&
  text[prefix.length] === "_" &&
  base32ToUuid(text.slice(prefix.length + 1)) !== undefined;

/** `evt_…` for the UUID of an event in the log. */
export const eventPublicId = (uuid: string): string => `evt_${uuidToBase32(uuid)}`;

/** What the stream of an aggregate is called by. */
export const streamCategories = [
  "message",
  "receipts",
  "wallet",
  "topup",
  "terms",
  "hold",
  "template",
  "endpoint",
  "feed",
  "partner",
  "key",
  "gateway",
  "prices",
  "inbound",
  "external",
  "contact",
  "import",
  "conversation",
  "thread",
  "team",
  "presence",
  "session",
  "suppression",
  "agent",
  "login",
  "routing",
  "sender",
  "pool",
  "senderrules",
  "affinity",
  "clock",
  "sandbox",
  "audit",
  "evaluation",
  "rota",
  "callback",
  "unmatched",
  "broadcast",
  "moved",
  "file",
] as const;
export type Category = (typeof streamCategories)[number];

/** The stream of an aggregate: `category-<26 characters of its id>`. */
export const streamOf = <Name extends Category>(category: Name, id: string): StreamOf<Name> =>
  `${category}-${id.slice(id.indexOf("_") + 1)}`;
/** Names of streams of one category: what is read from such a stream is known by it. */
export type StreamOf<Name extends Category> = `${Name}-${string}`;
