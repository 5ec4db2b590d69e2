/** The letters from which one is drawn. All of them weigh the same in an SMS, whichever encoding it has. */
export type Alphabet = readonly string[];

const between = (first: number, last: number): Alphabet =>
  Array.from({ length: last - first + 1 }, (_, index) => String.fromCodePoint(first + index));
const fromTo = (first: string, last: string): Alphabet =>
  between(first.codePointAt(0)!, last.codePointAt(0)!);

const digits = fromTo("0", "9");
const capitals = fromTo("A", "Z");
const smalls = fromTo("a", "z");
/** The Greek of the basic alphabet of SMS, and the capitals that it lacks, for which it has Latin ones of the same look. */
const basicGreek = Array.from("ΔΦΓΛΩΠΨΣΘΞ");
const otherGreek = Array.from("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ");
const basicLetters = new Map<string, Alphabet>([
  ...Array.from("ÇØÅÆÉÄÖÑÜ", (letter) => [letter, capitals] as const),
  ...Array.from("èéùìòøåæäöñüàß", (letter) => [letter, smalls] as const),
  ...basicGreek.map((letter) => [letter, basicGreek] as const),
]);

/** Of what the basic alphabet lacks, by script: the first that fits. Each is of one unit of UTF-16. */
const scripts: readonly (readonly [is: RegExp, alphabet: Alphabet])[] = [
  // No mark that joins with the letter before it into one.
  [/\p{M}/u, between(0x363, 0x36f)],
  [/\p{N}/u, fromTo("٠", "٩")],
  [/(?=\p{Lu})\p{Script=Latin}/u, Array.from("ÁÂÃÊËÍÎÏÓÔÕÚÛÝ")],
  [/\p{Script=Latin}/u, Array.from("áâãçêëíîïóôõúûý")],
  [/(?=\p{Lu})\p{Script=Greek}/u, otherGreek],
  [/\p{Script=Greek}/u, fromTo("α", "ω")],
  [/(?=\p{Lu})\p{Script=Cyrillic}/u, fromTo("А", "Я")],
  [/\p{Script=Hangul}/u, fromTo("가", "힣")],
  [/\p{Script=Han}/u, between(0x4e00, 0x9fa5)],
  [/\p{Script=Hiragana}/u, fromTo("ぁ", "ん")],
  [/\p{Script_Extensions=Katakana}/u, fromTo("ァ", "ン")],
  [/\p{Script=Arabic}/u, [...fromTo("ا", "غ"), ...fromTo("ف", "ي")]],
  [/\p{Script=Hebrew}/u, fromTo("א", "ת")],
  [/\p{Script=Devanagari}/u, fromTo("क", "ह")],
  [/\p{Script=Thai}/u, fromTo("ก", "ฮ")],
];
/** Of every other script, and of what nobody knows. */
const anyScript = fromTo("а", "я");
/** Of what has two units of UTF-16: common letters have one. */
const pairs = between(0x2_00_00, 0x2_0f_ff);

/** What says nothing by itself. Some letters are signs by their category, such as those in circles; the others of these make emoji of signs. */
const isSign = /^[\p{P}\p{S}\p{Z}\p{Cc}\p{Cf}\ufe0f\u20e3]$/u;
const isLetter = /^[\p{Alphabetic}\p{Script=Braille}]$/u;
/** Invisible ones that spell a text. */
const isTag = /^[\u{e0000}-\u{e007f}]$/u;

function alphabetOf(letter: string): Alphabet | string {
  if (letter >= "a" && letter <= "z") return smalls;
  if (letter >= "A" && letter <= "Z") return capitals;
  if (letter >= "0" && letter <= "9") return digits;
  const basic = basicLetters.get(letter);
  if (basic !== undefined) return basic;
  if (isSign.test(letter) && !isLetter.test(letter) && !isTag.test(letter)) return letter;
  if (letter.length > 1) return pairs;
  return scripts.find(([is]) => is.test(letter))?.[1] ?? anyScript;
}

/** What of a text may be known: its signs as they are, and in the place of each letter and digit those that may stand there. These do not depend on which one it is, only on its kind. */
export const shapeOf = (text: string): readonly (Alphabet | string)[] =>
  Array.from(text, alphabetOf);
