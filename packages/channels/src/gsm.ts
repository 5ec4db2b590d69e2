import { national } from "./gsm-national.ts";

/** The GSM 7-bit default alphabet and its extension table (3GPP TS 23.038, 6.2.1). A septet is its index in `basic`; 0x1b is the escape. */
export const gsmBasic =
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u001bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const ESCAPE = 0x1b;
const extension: readonly (readonly [septet: number, character: string])[] = [
  [0x0a, "\f"],
  [0x14, "^"],
  [0x28, "{"],
  [0x29, "}"],
  [0x2f, "\\"],
  [0x3c, "["],
  [0x3d, "~"],
  [0x3e, "]"],
  [0x40, "|"],
  [0x65, "€"],
];

/** What a character is in septets: 0 is none, and above 0x7f it is an escape and the lower seven bits. Indexed up to the euro sign, the highest that there is. */
const codes = new Uint16Array(0x20ad);
const PRESENT = 0x100;
const ESCAPED = 0x80;
for (let septet = 0; septet < gsmBasic.length; septet++)
  if (septet !== ESCAPE) codes[gsmBasic.charCodeAt(septet)] = PRESENT | septet;
for (const [septet, character] of extension)
  codes[character.charCodeAt(0)] = PRESENT | ESCAPED | septet;

/** Septets of a code unit: 0 when GSM-7 has no such character. */
export function septetsOf(code: number): 0 | 1 | 2 {
  const known = code < codes.length ? codes[code]! : 0;
  if (known === 0) return 0;
  return (known & ESCAPED) === 0 ? 1 : 2;
}

/** One septet an octet, as it goes to a message centre. Throws RangeError for what the alphabet lacks. */
export function toGsm(text: string): Buffer {
  const bytes = Buffer.allocUnsafe(text.length * 2);
  let at = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    const known = code < codes.length ? codes[code]! : 0;
    if (known === 0) throw new RangeError("the text is not of the GSM alphabet");
    if ((known & ESCAPED) !== 0) bytes[at++] = ESCAPE;
    bytes[at++] = known & 0x7f;
  }
  return bytes.subarray(0, at);
}

/** Which of the national language tables a text uses: the numbers of TS 23.038, 6.2.1.2.4. */
export type GsmTables = {
  readonly locking?: number | undefined;
  readonly single?: number | undefined;
};

/** What a character is in septets under some tables. */
export type GsmAlphabet = {
  /** 0 when it has no such character. */
  readonly sizeOf: (code: number) => 0 | 1 | 2;
  /** One septet an octet. Throws RangeError for what it lacks. */
  readonly encode: (text: string) => Buffer;
};

const plain: GsmAlphabet = { sizeOf: septetsOf, encode: toGsm };
const alphabets = new Map<string, GsmAlphabet>();

/** The alphabet of the default tables with national ones in their place (TS 23.038, annex A); a table that is not known here counts as the default one. */
export function gsmAlphabet({ locking = 0, single = 0 }: GsmTables = {}): GsmAlphabet {
  if (locking === 0 && single === 0) return plain;
  const key = `${locking} ${single}`;
  let found = alphabets.get(key);
  if (found === undefined) alphabets.set(key, (found = makeAlphabet(locking, single)));
  return found;
}

function makeAlphabet(locking: number, single: number): GsmAlphabet {
  const septets = new Map<number, readonly number[]>();
  for (const [septet, character] of national.single[single] ?? extension)
    septets.set(character.charCodeAt(0), [ESCAPE, septet]);
  const main = national.locking[locking];
  for (let septet = 0; septet < gsmBasic.length; septet++)
    if (septet !== ESCAPE)
      septets.set((main?.get(septet) ?? gsmBasic[septet]!).charCodeAt(0), [septet]);
  return {
    sizeOf: (code) => (septets.get(code)?.length ?? 0) as 0 | 1 | 2,
    encode(text) {
      const bytes: number[] = [];
      for (let index = 0; index < text.length; index++) {
        const found = septets.get(text.charCodeAt(index));
        if (found === undefined) throw new RangeError("the text is not of the GSM alphabet");
        bytes.push(...found);
      }
      return Buffer.from(bytes);
    },
  };
}

/**
 * Text from one septet an octet. An escaped septet that its table lacks is the one of the main table, and an escape behind an escape is a space, as phones show them
 * (6.2.1.1). A table that is not known here counts as the default one.
 */
export function fromGsm(bytes: Buffer, tables: GsmTables = {}): string {
  const locking = national.locking[tables.locking ?? 0];
  const single = national.single[tables.single ?? 0] ?? plainExtension;
  const main = (septet: number): string => locking?.get(septet) ?? gsmBasic[septet]!;
  let text = "";
  for (let at = 0; at < bytes.length; at++) {
    const septet = bytes[at]! & 0x7f;
    if (septet !== ESCAPE) {
      text += main(septet);
      continue;
    }
    const next = bytes[++at];
    if (next === undefined) break;
    const escaped = next & 0x7f;
    text += escaped === ESCAPE ? " " : (single.get(escaped) ?? main(escaped));
  }
  return text;
}
const plainExtension: ReadonlyMap<number, string> = new Map(extension);
