/**
 * How many characters a text has, wherever this platform speaks of characters: Unicode code points, as JSON Schema's `maxLength` and
 * `segments.characters` count them. `length` counts a 😀 twice.
 */
export function countCharacters(text: string): number {
  let count = text.length;
  for (let index = 0; index < text.length - 1; index++) if (isPair(text, index)) count--;
  return count;
}

/** Whether a surrogate pair, two code units that are one character, begins here. */
export function isPair(text: string, index: number): boolean {
  const high = text.charCodeAt(index);
  if (high < 0xd800 || high > 0xdbff) return false;
  const low = text.charCodeAt(index + 1);
  return low >= 0xdc00 && low <= 0xdfff;
}

/** Whether a text has more characters than `most`. */
export const isLongerThan = (text: string, most: number): boolean =>
  text.length > most && countCharacters(text) > most;
