import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { folded, queryWords, searchText, termsOf } from "../src/search.ts";

/** Whether a contact with these texts is found, as the statement decides it: by the terms, and by the words. */
function found(texts: readonly string[], q: string): boolean {
  const terms = termsOf("ptn_1");
  const text = searchText(texts);
  const all = new Set(terms.all(text, { externalIds: [], tags: [], attributes: {} }));
  return queryWords(q).every(
    (word) => text.includes(word) && terms.word(word).every((term) => all.has(term)),
  );
}

describe("search", () => {
  test.each([
    ["Álvaro Núñez", "alvaro"],
    ["Álvaro Núñez", "ÁLVA"],
    ["A\u0301lvaro", "álvaro"],
    ["alvaro", "A\u0301LVA"],
    ["Zażółć Gęślą", "zazolc gesla"],
    ["Straße", "STRASSE"],
    ["Łukasz Ørsted", "lukasz orsted"],
    ["Ελλάδας", "ελλαδασ"],
  ])("accents and case do not matter in either direction: %s is found by %s", (stored, q) => {
    expect(found([stored], q)).toBe(true);
  });

  test.each([
    ["用户身份", "用户"],
    ["用户身份", "份"],
    ["db quick", "db quick"],
    ["Li Wu", "wu"],
    ["Team X", "x"],
  ])("short words and scripts without blanks are found: %s by %s", (stored, q) => {
    expect(found([stored], q)).toBe(true);
  });

  test("a short word beside a long one still restricts", () => {
    expect(found(["quick fox"], "db quick")).toBe(false);
    expect(found(["quick db"], "db quick")).toBe(true);
  });

  test.each([
    ["+15551234567", "(555) 123-4567"],
    ["+15551234567", "555123"],
    ["+15551234567", "+1 555 123 45 67"],
    ["(555) 123-4567", "5551234567"],
    ["555.123.4567", "555-123"],
  ])("separators of numbers are ignored on both sides: %s by %s", (stored, q) => {
    expect(found([stored], q)).toBe(true);
  });

  test.each(["%", "_", "a%b", "\\"])("%s is a letter like any other", (q) => {
    expect(found(["plain text aXb"], q)).toBe(false);
    expect(found([`x ${q} y`], q)).toBe(true);
  });

  test("any part of any text that is stored is found", () => {
    const word = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(word, fc.nat(), fc.nat(), (text, from, size) => {
        const letters = Array.from(folded(text).trim()).filter((letter) => !/\s/.test(letter));
        if (letters.length === 0) return;
        const at = from % letters.length;
        const part = letters.slice(at, at + 1 + (size % letters.length)).join("");
        if (folded(part) !== part || queryWords(part).join() !== part) return;
        expect(found([letters.join("")], part)).toBe(true);
      }),
    );
  });

  test("terms of one partner are not those of another", () => {
    const [one, other] = [termsOf("ptn_1").word("maria"), termsOf("ptn_2").word("maria")];
    expect(one.filter((term) => other.includes(term))).toEqual([]);
  });
});
