import type { Replaced } from "@heliograph/contracts";
import { septetsOf } from "./gsm.ts";

/**
 * What looks alike in GSM-7, or is not seen at all: marks, dashes, spaces and ligatures that word processors and phones put in. Letters of other languages are not among them: another letter is
 * another word.
 */
const alike: readonly (readonly [characters: string, replacement: string])[] = [
  ["\u201c\u201d\u201e\u201f\u2033\u2036\u00ab\u00bb\u02ba\u02ee\u275d\u275e\u301d\u301e", '"'],
  [
    "\u2018\u2019\u201b\u2032\u2035\u0060\u00b4\u02b9\u02bb\u02bc\u02bd\u02c8\u02ca\u02cb\u275b\u275c",
    "'",
  ],
  ["\u201a", ","],
  ["\u2039", "<"],
  ["\u203a", ">"],
  ["\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212\u2022\u00ad", "-"],
  ["\u2017", "_"],
  ["\u2044\u2215\u00f7", "/"],
  ["\u2217\u204e", "*"],
  ["\u2223", "|"],
  ["\u223c\u02dc", "~"],
  ["\u02c6", "^"],
  ["\u2026", "..."],
  ["\u203c", "!!"],
  ["\u00bc", "1/4"],
  ["\u00bd", "1/2"],
  ["\u00be", "3/4"],
  ["\ufb01", "fi"],
  ["\ufb02", "fl"],
  [
    "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\u0009",
    " ",
  ],
  ["\u2028\u2029", "\n"],
  // Seen by nobody. Those that join and order letters are left out: where they matter, the letters are not of GSM-7 either.
  ["\u200b\u200c\u200d\u200e\u200f\u2060\ufeff", ""],
];

/** Forms of ASCII in the width of East Asian letters, in the order of ASCII. */
const wide = { first: 0xff01, last: 0xff5e, behind: 0xfee0 } as const;

const replacements: ReadonlyMap<string, string> = new Map([
  ...alike.flatMap(([characters, replacement]) =>
    Array.from(characters, (character) => [character, replacement] as const),
  ),
  ...Array.from({ length: wide.last - wide.first + 1 }, (_, index) => {
    const code = wide.first + index;
    return [String.fromCharCode(code), String.fromCharCode(code - wide.behind)] as const;
  }),
]);

const isGsm = (text: string): boolean => {
  for (let index = 0; index < text.length; index++)
    if (septetsOf(text.charCodeAt(index)) === 0) return false;
  return true;
};

/** A letter with the accents that are written behind it. */
const accented = /\p{L}\p{M}+|[^]/gu;

/**
 * A text with what keeps it out of GSM-7 replaced by what looks alike there, and what was replaced. Where that is not enough nothing is changed, because nothing would be saved by it. Pure.
 */
export function smartEncoding(text: string): {
  readonly text: string;
  readonly replaced: readonly Replaced[];
} {
  const unchanged = { text, replaced: [] };
  if (isGsm(text)) return unchanged;
  const counts = new Map<string, { readonly to: string; count: number }>();
  let encoded = "";
  for (const [from] of text.matchAll(accented)) {
    const to = isGsm(from) ? from : (replacements.get(from) ?? from.normalize("NFC"));
    if (!isGsm(to)) return unchanged;
    encoded += to;
    if (to === from) continue;
    const known = counts.get(from);
    if (known === undefined) counts.set(from, { to, count: 1 });
    else known.count++;
  }
  const replaced = [...counts].map(([from, { to, count }]) => ({ from, to, count }));
  return { text: encoded, replaced };
}
