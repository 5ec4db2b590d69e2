import fc from "fast-check";
import { SegmentedMessage } from "sms-segments-calculator";
import { describe, expect, it } from "vitest";
import { segmentsOf, segmentSms } from "@heliograph/domain";

const oracle = (text: string) => {
  const message = new SegmentedMessage(text, "auto", false);
  return { count: message.segmentsCount, encoding: message.encodingName };
};
const gsm = fc.constantFrom(...Array.from("abcXYZ 019@£$Ø_ΔΩÆßÉ!¤%&ÄÖÑÜ§¿äöñüà^{}\\[~]|€\n"));
// The oracle keeps graphemes whole, networks keep code points whole: the two agree where each is one of the other.
const wide = fc.constantFrom(...Array.from("абвгд漢字ñ日本語abc😀🚀🙂🎉"));

describe("segments of an SMS", () => {
  it("agree with the reference calculator for GSM-7", () => {
    fc.assert(
      fc.property(fc.string({ unit: gsm, minLength: 1, maxLength: 700 }), (text) => {
        expect(segmentSms(text)).toMatchObject(oracle(text));
      }),
      { numRuns: 300 },
    );
  });

  it("agree with the reference calculator for UCS-2", () => {
    fc.assert(
      fc.property(fc.string({ unit: wide, minLength: 1, maxLength: 300 }), (text) => {
        expect(segmentSms(text)).toMatchObject(oracle(text));
      }),
      { numRuns: 300 },
    );
  });

  it.each([
    ["a".repeat(160), 1],
    ["a".repeat(161), 2],
    ["a".repeat(306), 2],
    ["a".repeat(307), 3],
    ["€".repeat(80), 1],
    [`${"a".repeat(152)}€${"a".repeat(10)}`, 2],
    [`${"a".repeat(152)}€${"a".repeat(152)}`, 3],
  ])("count GSM-7 septets (%#)", (text, count) => {
    expect(segmentSms(text)).toMatchObject({ count, encoding: "GSM-7" });
  });

  it("count UCS-2 code units and never split a surrogate pair", () => {
    expect(segmentSms("я".repeat(70)).count).toBe(1);
    expect(segmentSms("я".repeat(71)).count).toBe(2);
    expect(segmentSms("😀".repeat(66))).toEqual({ count: 2, encoding: "UCS-2", characters: 66 });
    expect(segmentSms("😀".repeat(67)).count).toBe(3);
  });

  it("survive halves of surrogate pairs and empty texts", () => {
    expect(segmentSms("\ud800".repeat(80)).count).toBe(2);
    expect(segmentSms("")).toEqual({ count: 1, encoding: "GSM-7", characters: 0 });
  });

  it("are one on every other channel", () => {
    expect(segmentsOf("whatsapp", "x".repeat(1000))).toEqual({
      count: 1,
      encoding: "none",
      characters: 1000,
    });
  });
});
