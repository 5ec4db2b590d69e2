import fc from "fast-check";
import { SegmentedMessage } from "sms-segments-calculator";
import { describe, expect, it } from "vitest";
import { channelModule } from "@heliograph/channels";
import { fromGsm, toGsm } from "../src/gsm.ts";
import { segmentSms, splitSms } from "../src/segments.ts";

const oracle = (text: string) => {
  const message = new SegmentedMessage(text, "auto", false);
  return { count: message.segmentsCount, encoding: message.encodingName };
};
const gsm = fc.constantFrom(...Array.from("abcXYZ 019@£$Ø_ΔΩÆßÉ!¤%&ÄÖÑÜ§¿äöñüà^{}\\[~]|€\n"));
// The oracle keeps graphemes whole, networks keep code points whole: the two agree where each is one of the other.
const wide = fc.constantFrom(...Array.from("абвгд漢字ñ日本語abc😀🚀🙂🎉"));

describe("segments of an SMS", () => {
  // fast-check prefers short strings and these limits are at 153 and 67: most texts have to be longer than one part.
  const long = (unit: fc.Arbitrary<string>, most: number) =>
    fc.string({ unit, minLength: 1, maxLength: most, size: "max" });

  // Shrinking a long text against the slow calculator would take minutes.
  const options = { numRuns: 300, endOnFailure: true };

  it("agree with the reference calculator for GSM-7", () => {
    let longest = 0;
    fc.assert(
      fc.property(long(gsm, 700), (text) => {
        longest = Math.max(longest, segmentSms(text).count);
        expect(segmentSms(text)).toMatchObject(oracle(text));
      }),
      options,
    );
    expect(longest, "texts of many parts were among them").toBeGreaterThan(3);
  });

  it("agree with the reference calculator for UCS-2", () => {
    let longest = 0;
    fc.assert(
      fc.property(long(wide, 300), (text) => {
        longest = Math.max(longest, segmentSms(text).count);
        expect(segmentSms(text)).toMatchObject(oracle(text));
      }),
      options,
    );
    expect(longest, "texts of many parts were among them").toBeGreaterThan(3);
  });

  it("fill a part to its last unit before the next one begins", () => {
    // 152 septets and a character of two: it fits where 151 precede it, and moves to the next part where 152 do.
    const part = (septets: number) => `${"a".repeat(septets)}€`;
    expect(segmentSms(part(151) + part(151)).count).toBe(2);
    expect(segmentSms(`${part(151)}${part(151)}a`).count).toBe(3);
    expect(segmentSms("я".repeat(134)).count).toBe(2);
    expect(segmentSms("я".repeat(135)).count).toBe(3);
    expect(segmentSms(`${"я".repeat(65)}😀${"я".repeat(67)}`).count).toBe(2);
    expect(segmentSms(`${"я".repeat(66)}😀${"я".repeat(65)}`).count).toBe(2);
    expect(segmentSms(`${"я".repeat(66)}😀${"я".repeat(66)}`).count).toBe(3);
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
    const segmentsOf = (text: string) => channelModule("whatsapp").segments({ text });
    expect(segmentsOf("😀".repeat(1000))).toEqual({
      count: 1,
      encoding: "none",
      characters: 1000,
    });
  });

  it("are the texts that a gateway sends: as many, whole together, none too long and no pair torn", () => {
    fc.assert(
      fc.property(long(fc.oneof(gsm, wide), 400), fc.boolean(), (text, forced) => {
        const { encoding, parts } = splitSms(text, { wide: forced });
        expect(parts.join("")).toBe(text);
        if (!forced)
          expect([parts.length, encoding]).toEqual([
            segmentSms(text).count,
            segmentSms(text).encoding,
          ]);
        for (const part of parts) {
          const most = parts.length === 1 ? [160, 70] : [153, 67];
          if (encoding === "GSM-7") expect(toGsm(part).length).toBeLessThanOrEqual(most[0]!);
          else expect(part.length).toBeLessThanOrEqual(most[1]!);
          expect(part.isWellFormed()).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
    expect(splitSms(`${"a".repeat(159)}\\`).parts.map((part) => toGsm(part).length)).toEqual([
      153, 8,
    ]);
    expect(splitSms(`${"{".repeat(68)}∞`)).toEqual({
      encoding: "UCS-2",
      parts: [`${"{".repeat(68)}∞`],
    });
  });

  it("count what nobody sees as it is sent", () => {
    for (const [text, encoding, units] of [
      ["a\u00a0b", "UCS-2", 3],
      ["a\u200cb", "UCS-2", 3],
      ["“a”", "UCS-2", 3],
      ["e\u0301", "UCS-2", 2],
      ["a\r\nb", "GSM-7", 4],
    ] as const) {
      const { parts, ...seen } = splitSms(text);
      expect([text, seen.encoding]).toEqual([text, encoding]);
      expect(encoding === "GSM-7" ? toGsm(parts[0]!).length : parts[0]!.length).toBe(units);
    }
  });
});

describe("the GSM alphabet", () => {
  it("reads what it writes, and has the codes of the standard", () => {
    fc.assert(
      fc.property(fc.string({ unit: gsm }), (text) => {
        expect(fromGsm(toGsm(text))).toBe(text);
      }),
    );
    expect(toGsm("@_$£").toString("hex")).toBe("00110201");
    expect(toGsm("€[à").toString("hex")).toBe("1b651b3c7f");
    expect(() => toGsm("я")).toThrow(RangeError);
  });

  it("shows what a table lacks as a phone does", () => {
    expect(fromGsm(Buffer.from("1b411b1b1b", "hex"))).toBe("A ");
  });

  it("reads the national tables, by escape and in place of the default one", () => {
    const escaped = Buffer.from("1b471b491b531b631b671b691b73", "hex");
    expect(fromGsm(escaped, { single: 1 })).toBe("ĞİŞçğış");
    expect(fromGsm(Buffer.from("070b0c1c1d40", "hex"), { locking: 1 })).toBe("ıĞğŞşİ");
    expect(fromGsm(Buffer.from("1b091b411b75", "hex"), { single: 2 })).toBe("çÁú");
    expect(fromGsm(Buffer.from("5b7b411b05", "hex"), { locking: 3, single: 3 })).toBe("ÃãAê");
    expect(fromGsm(Buffer.from("41", "hex"), { locking: 9, single: 9 })).toBe("A");
  });
});
