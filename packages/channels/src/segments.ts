import type { Segments } from "@heliograph/contracts";
import { countCharacters, isPair } from "@heliograph/domain";
import { septetsOf } from "./gsm.ts";

/**
 * How many SMS a text needs (3GPP TS 23.038 and 23.040), and where it is cut. GSM-7: 160 septets alone, 153 in each part of several, characters of the
 * extension table take two and are never split. UCS-2: 70 code units alone, 67 in each part, surrogate pairs are never split.
 */
type Capacity = { readonly alone: number; readonly part: number };
const capacities: Readonly<Record<"GSM-7" | "UCS-2", Capacity>> = {
  "GSM-7": { alone: 160, part: 153 },
  "UCS-2": { alone: 70, part: 67 },
};

/** The GSM-7 length in septets, or -1 when the text needs UCS-2. */
function gsmLength(text: string): number {
  let length = 0;
  for (let index = 0; index < text.length; index++) {
    const size = septetsOf(text.charCodeAt(index));
    if (size === 0) return -1;
    length += size;
  }
  return length;
}

/** Where the parts behind the first begin, when each has room for `capacity` units of the encoding. */
function cutsOf(text: string, encoding: "GSM-7" | "UCS-2", capacity: number): number[] {
  const cuts: number[] = [];
  let used = 0;
  for (let index = 0; index < text.length;) {
    const step = encoding === "UCS-2" && isPair(text, index) ? 2 : 1;
    const needed = encoding === "UCS-2" ? step : septetsOf(text.charCodeAt(index));
    if (used + needed > capacity) {
      cuts.push(index);
      used = 0;
    }
    used += needed;
    index += step;
  }
  return cuts;
}

function layOut(text: string, wide = false): { encoding: "GSM-7" | "UCS-2"; cuts: number[] } {
  const septets = wide ? -1 : gsmLength(text);
  const encoding = septets >= 0 ? "GSM-7" : "UCS-2";
  const { alone, part } = capacities[encoding];
  const length = septets >= 0 ? septets : text.length;
  return { encoding, cuts: length <= alone ? [] : cutsOf(text, encoding, part) };
}

/** Segments of an SMS text; `characters` counts Unicode code points. An empty text is one segment. */
export function segmentSms(text: string): Segments {
  const { encoding, cuts } = layOut(text);
  const characters = encoding === "GSM-7" ? text.length : countCharacters(text);
  return { count: cuts.length + 1, encoding, characters };
}

/** The texts of these segments, which are the whole one together; `wide` where a gateway cannot send GSM-7 that it would do in. */
export function splitSms(
  text: string,
  { wide = false }: { readonly wide?: boolean } = {},
): { readonly encoding: "GSM-7" | "UCS-2"; readonly parts: readonly string[] } {
  const { encoding, cuts } = layOut(text, wide);
  const ends = [...cuts, text.length];
  return { encoding, parts: ends.map((end, index) => text.slice(ends[index - 1] ?? 0, end)) };
}

/** Everything but SMS is one message however long. */
export const oneMessage = (text: string): Segments => ({
  count: 1,
  encoding: "none",
  characters: countCharacters(text),
});
