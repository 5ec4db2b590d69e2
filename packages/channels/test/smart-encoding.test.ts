import fc from "fast-check";
import { SegmentedMessage } from "sms-segments-calculator";
import { describe, expect, it } from "vitest";
import { segmentSms, splitSms } from "../src/segments.ts";
import { smartEncoding } from "../src/smart-encoding.ts";

const gsm = Array.from("abcXYZ 019@£$ØΔÆßÉ!%ÄÖñü^{}[~]|€\n");
/** Those that the calculator replaces by as many septets. It makes two blanks of one that does not break, which looks otherwise. */
const marks = Array.from(
  "\u201c\u201d\u201e\u2018\u2019\u2013\u2014\u2026\u200b\u2039\uff01\uff21\u00bd",
);
const texts = (...units: readonly string[]) =>
  fc.string({ unit: fc.constantFrom(...units), minLength: 1, maxLength: 400, size: "max" });

describe("smart encoding", () => {
  it("needs the segments that the reference calculator counts, and no boundary splits a pair", () => {
    fc.assert(
      fc.property(texts(...gsm, ...marks), (text) => {
        const { text: encoded, replaced } = smartEncoding(text);
        const oracle = new SegmentedMessage(text, "auto", true);
        expect(segmentSms(encoded)).toMatchObject({
          count: oracle.segmentsCount,
          encoding: "GSM-7",
        });
        const { parts } = splitSms(encoded);
        expect(parts.join("")).toBe(encoded);
        for (const part of parts) expect(segmentSms(part).count).toBe(1);
        // What is told, done to the text, gives what is sent.
        let again = text;
        for (const { from, to } of replaced) again = again.replaceAll(from, to);
        expect(again).toBe(encoded);
        const told = replaced.reduce((sum, { count }) => sum + count, 0);
        expect(told).toBe(Array.from(text).filter((each) => marks.includes(each)).length);
      }),
      { numRuns: 60, endOnFailure: true },
    );
  });

  it("changes nothing where the text stays UCS-2, or is GSM-7 already", () => {
    fc.assert(
      fc.property(texts(...gsm, ...marks), fc.constantFrom("я", "漢", "😀", "á"), (text, other) => {
        expect(smartEncoding(text + other)).toEqual({ text: text + other, replaced: [] });
      }),
      { numRuns: 50 },
    );
    expect(smartEncoding("It's 5 € \r\n")).toEqual({ text: "It's 5 € \r\n", replaced: [] });
  });

  it("lists each change, composes accents that GSM-7 has, and leaves out what nobody sees", () => {
    expect(smartEncoding("\u201cCafe\u0301\u201d\u00a0\u2013 it\u2019s\u200b open\u2026")).toEqual({
      text: '"Café" - it\'s open...',
      replaced: [
        { from: "\u201c", to: '"', count: 1 },
        { from: "e\u0301", to: "é", count: 1 },
        { from: "\u201d", to: '"', count: 1 },
        { from: "\u00a0", to: " ", count: 1 },
        { from: "\u2013", to: "-", count: 1 },
        { from: "\u2019", to: "'", count: 1 },
        { from: "\u200b", to: "", count: 1 },
        { from: "\u2026", to: "...", count: 1 },
      ],
    });
  });
});
