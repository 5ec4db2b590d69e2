/**
 * How contacts are found by parts of words, on any PostgreSQL: what is stored and what is asked for are folded alike here, so that neither an extension nor the locale of
 * the database decides what matches, and every two and three letters become a number that a GIN index over an array finds. `pg_trgm` knows no words of two letters, and
 * in a database of locale C no letters beyond ASCII.
 */

/** Letters that no decomposition takes apart. */
const letters: Readonly<Record<string, string>> = {
  æ: "ae",
  ð: "d",
  đ: "d",
  ħ: "h",
  ı: "i",
  ł: "l",
  ø: "o",
  œ: "oe",
  ß: "ss",
  ŧ: "t",
  þ: "th",
  ς: "σ",
  "’": "'",
  "‘": "'",
};
const special = new RegExp(`[${Object.keys(letters).join("")}]`, "g");
/** Accents of Latin, Greek and Cyrillic letters and Arabic vowel signs. Marks of other scripts are letters of their own. */
const accents = /[\u0300-\u036f\u064b-\u065f\u0670]/g;

/** A text without case, accents and widths. */
export const folded = (text: string): string =>
  text
    .normalize("NFKD")
    .toLowerCase()
    .replaceAll(accents, "")
    .replaceAll(special, (letter) => letters[letter]!)
    .normalize("NFC");

const separators = /[\s().\-/+\u2010-\u2015\u2212]+/g;
const phoneLike = /^[\d\s().\-/+\u2010-\u2015\u2212]*\d[\d\s().\-/+\u2010-\u2015\u2212]*$/;

/** What of a contact is searched; fifty addresses of the usual length. */
const maxSearchText = 4_000;

/** The searched text of a contact, a word a line. What has a digit is there without its separators too. */
export function searchText(texts: readonly string[]): string {
  const lines = new Set<string>();
  for (const text of texts) {
    const plain = folded(text).trim();
    for (const word of plain.split(/\s+/)) lines.add(word);
    if (/\d/.test(plain)) lines.add(plain.replaceAll(separators, ""));
  }
  lines.delete("");
  return [...lines].join("\n").slice(0, maxSearchText);
}

/** The words of a query, which must all be found. Of numbers the separators are left out. */
export function queryWords(text: string): readonly string[] {
  const plain = folded(text).trim();
  const words = phoneLike.test(plain) ? [plain] : plain.split(/\s+/);
  return [
    ...new Set(
      words.map((word) => (phoneLike.test(word) ? word.replaceAll(separators, "") : word)),
    ),
  ].filter((word) => word !== "");
}

/** Scripts in which one character is a word. */
const ideograph = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}]/u;

/** FNV-1a, on from what it made of the text before. */
function mixed(value: number, text: string): number {
  for (let index = 0; index < text.length; index++)
    value = Math.imul(value ^ text.charCodeAt(index), 16_777_619);
  return value;
}

/** MurmurHash3's last step. */
function finished(value: number): number {
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) | 0;
}

/** 32 bits of a text. Two that meet cost a look at a row, since what the index finds is compared again. */
const number = (seed: number, text: string): number => finished(mixed(seed, text));

/** What a contact is found by, besides words. */
export type Facts = {
  readonly externalIds: readonly { readonly source: string; readonly id: string }[];
  readonly tags: readonly string[];
  readonly attributes: Readonly<Record<string, unknown>>;
};

/** Numbers of one partner's terms: the partner is part of each, so that one with a million contacts slows no other. */
export function termsOf(partner: string) {
  const base = number(0x811c9dc5, partner);
  const term = (kind: string, ...parts: readonly string[]): number =>
    number(base, [kind, ...parts].join("\u001f"));
  // A contact has a hundred of these: their texts are not put together first.
  const gramSeed = mixed(base, "gram\u001f");
  const gramsOf = (characters: readonly string[], size: number, take: (term: number) => void) => {
    for (let at = 0; at + size <= characters.length; at++) {
      let value = gramSeed;
      for (let place = at; place < at + size; place++) value = mixed(value, characters[place]!);
      take(finished(value));
    }
  };
  const terms = {
    source: (source: string) => term("source", source),
    externalId: (id: string) => term("id", id),
    sourced: (source: string, id: string) => term("sourced", source, id),
    tag: (tag: string) => term("tag", tag),
    attribute: (key: string, value: string) => term("attribute", key, value),
    /** What a contact that holds the word must have. */
    word(word: string): readonly number[] {
      const characters = Array.from(word);
      const size = Math.min(3, characters.length);
      if (size === 0 || (size === 1 && !ideograph.test(word))) return [];
      const found: number[] = [];
      gramsOf(characters, size, (each) => found.push(each));
      return found;
    },
    /** All that a contact has. */
    all(text: string, facts: Facts): readonly number[] {
      const found = new Set<number>();
      for (const line of text.split("\n")) {
        const characters = Array.from(line);
        for (const size of [2, 3]) gramsOf(characters, size, (each) => found.add(each));
        if (ideograph.test(line))
          for (const each of characters) if (ideograph.test(each)) found.add(term("gram", each));
      }
      for (const { source, id } of facts.externalIds)
        found.add(terms.source(source)).add(terms.externalId(id)).add(terms.sourced(source, id));
      for (const tag of facts.tags) found.add(terms.tag(tag));
      for (const [key, value] of Object.entries(facts.attributes))
        found.add(terms.attribute(key, String(value)));
      return [...found];
    },
  };
  return terms;
}
