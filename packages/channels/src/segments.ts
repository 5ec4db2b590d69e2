import type { Segments } from "@heliograph/contracts";
import { countCharacters, isPair } from "@heliograph/domain";

/**
 * How many SMS a text needs (3GPP TS 23.038 and 23.040). GSM-7: 160 septets alone, 153 in each part of several, characters of the
 * extension table take two and are never split. UCS-2: 70 code units alone, 67 in each part, surrogate pairs are never split.
 */
const basic =
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";
const extension = "\f^{}\\[~]|€";

/** Septets per code unit: 0 when GSM-7 has no such character. Indexed up to the euro sign, the highest character GSM-7 knows. */
const septets = new Uint8Array(0x20ad);
for (const character of basic) septets[character.charCodeAt(0)] = 1;
for (const character of extension) septets[character.charCodeAt(0)] = 2;

/** The GSM-7 length in septets, or -1 when the text needs UCS-2. */
function gsmLength(text: string): number {
  let length = 0;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    const size = code < septets.length ? septets[code]! : 0;
    if (size === 0) return -1;
    length += size;
  }
  return length;
}

/** Parts of `capacity` units when units of `size(index)` must not be torn. */
function parts(
  text: string,
  capacity: number,
  size: (index: number) => number,
  step: (index: number) => number,
): number {
  let count = 1;
  let used = 0;
  for (let index = 0; index < text.length; index += step(index)) {
    const needed = size(index);
    if (used + needed > capacity) {
      count++;
      used = 0;
    }
    used += needed;
  }
  return count;
}

/** Segments of an SMS text; `characters` counts Unicode code points. An empty text is one segment. */
export function segmentSms(text: string): Segments {
  const length = gsmLength(text);
  if (length >= 0) {
    const unit = (index: number): number => septets[text.charCodeAt(index)]!;
    const count =
      length <= 160
        ? 1
        : length === text.length
          ? Math.ceil(length / 153)
          : parts(text, 153, unit, () => 1);
    return { count, encoding: "GSM-7", characters: text.length };
  }
  const characters = countCharacters(text);
  if (text.length <= 70) return { count: 1, encoding: "UCS-2", characters };
  const pair = (index: number): number => (isPair(text, index) ? 2 : 1);
  return { count: parts(text, 67, pair, pair), encoding: "UCS-2", characters };
}

/** Everything but SMS is one message however long. */
export const oneMessage = (text: string): Segments => ({
  count: 1,
  encoding: "none",
  characters: countCharacters(text),
});
