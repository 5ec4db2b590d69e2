import { channelModule, type MagicOutcome } from "@heliograph/channels";
import type { MessageState } from "@heliograph/domain";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createFakes } from "../src/forks/fake.ts";
import { shapeOf } from "../src/forks/shape.ts";
import { twinOf } from "../src/forks/twin.ts";

const fakes = createFakes("secret");
const weigh = (text: string) => channelModule("sms").segments({ text });
const isBasic = (text: string): boolean => weigh(text)!.encoding === "GSM-7";

/** Letters of one kind: nobody may tell from a twin which of them it was. */
const kinds = [
  "abcxyzèéùìòøåæäöñüàß",
  "ABCXYZÇØÅÆÉÄÖÑÜ",
  "áễçşłığœªﬁ",
  "ÁỄŞŁİĞŒ",
  "0123456789",
  "²½Ⅷ④٣७",
  "ΔΦΓΛΩΠΨΣΘΞ",
  "ΑΒΈΏ",
  "αςώ",
  "абюяёії",
  "АБЮЯЁІЇ",
  "김각힣ㄱ",
  "王李张雪々〇",
  "あんゟ",
  "アンヴ",
  "مشأي",
  "אבשם",
  "कहअ",
  "กฮะ",
  "ქაஅႠ\ue000ⓐ⠓",
  "\u0301\u0323\u093f\u0e31\u064b",
  "𠀀𝐀𐌰🄰\u{e0061}",
  ...Array.from(" .,–-/:?@{[€]}\n😀❤\ufe0f"),
].map((letters) => Array.from(letters));

test("a fake does not depend on letters: texts of the same shape reach the same fakes, as heavy as they are", () => {
  const place = fc.constantFrom(...kinds).chain((letters) => {
    const letter = fc.constantFrom(...letters);
    return fc.tuple(letter, letter);
  });
  fc.assert(
    fc.property(fc.array(place, { maxLength: 400 }), fc.string(), (places, secret) => {
      const [one, other] = [0, 1].map((side) => places.map((pair) => pair[side]).join(""));
      const shape = shapeOf(one!);
      expect(shapeOf(other!)).toEqual(shape);
      const fake = createFakes(secret).text(one!);
      expect(Array.from(fake).every((letter, at) => shape[at]!.includes(letter))).toBe(true);
      expect([fake.length, weigh(fake)]).toEqual([one!.length, weigh(one!)]);
    }),
    { numRuns: 50 },
  );
});

test("whatever is no sign stands for many, all of its weight, of which it may be one itself", () => {
  const alphabets = new Set<readonly string[]>();
  const wrong: unknown[] = [];
  for (let code = 0; code <= 0xff_ff; code++) {
    const letter = String.fromCharCode(code);
    const [place] = shapeOf(letter);
    if (typeof place === "string") {
      if (place !== letter || /[\p{L}\p{N}\p{Co}\p{Cn}\p{Cs}]/u.test(letter)) wrong.push(letter);
      continue;
    }
    alphabets.add(place!);
    if (place![0]!.length !== 1 || isBasic(place![0]!) !== isBasic(letter)) wrong.push(letter);
  }
  expect(wrong).toEqual([]);
  for (const alphabet of alphabets) {
    expect(alphabet.length).toBeGreaterThanOrEqual(10);
    expect(new Set(alphabet.map((letter) => `${letter.length} ${isBasic(letter)}`)).size).toBe(1);
    for (const letter of alphabet) expect(shapeOf(letter)).toEqual([alphabet]);
  }
  // Of many secrets some leave a letter as it is: that it is not this one would say something, too.
  const came = new Set(Array.from({ length: 500 }, (_, at) => createFakes(`${at}`).text("a")));
  expect(came.size).toBe(26);
});

test("names of every script, short ones too, numbers, addresses and links are gone", () => {
  const text =
    "Dear Anna Nguyễn (María, 김민준, 王小明, Ольга, أحمد محمد, さくら, अनिल), your code 483920 for https://example.test/u/9f3a?id=7781: write to anna@ward.test, +1 415 555 0123";
  const fake = fakes.text(text).toLowerCase();
  expect(createFakes("secret").text(text).toLowerCase()).toBe(fake);
  for (const word of text.toLowerCase().match(/[\p{L}\p{M}\d]{3,}/gu)!)
    expect([word, fake.includes(word)]).toEqual([word, false]);
  expect(fake.replaceAll(/[\p{L}\p{M}\p{N}]/gu, "")).toBe(
    text.replaceAll(/[\p{L}\p{M}\p{N}]/gu, ""),
  );
  expect(createFakes("other").text(text)).not.toBe(fakes.text(text));
});

test("a number's fake has its country, an address none of its own", () => {
  const outcomes: readonly MagicOutcome[] = ["delivered", "sent-only", "unreachable", "expired"];
  const numbers = ["+14155550123", "+491512345678", "+48601234567", "+33612345678", "+6591234567"];
  for (const to of numbers)
    for (const outcome of outcomes) {
      const fake = fakes.address("sms", to, outcome)!;
      expect([fake.slice(0, -7), fake.length]).toEqual([to.slice(0, -7), to.length]);
      const found = channelModule("sms").recipient(fake);
      const own = channelModule("sms").recipient(to);
      expect(found).toMatchObject({
        kind: "read",
        value: { country: own.kind === "read" && own.value.country },
      });
      expect(channelModule("sms").magic(fake)).toBe(outcome);
    }
  expect(fakes.address("email", "Grace.Hopper@navy-yard.mil", "bounced")).toMatch(
    /^bounced\+[0-9a-f]{10}@example\.(?:com|net|org)$/,
  );
  expect(fakes.address("push", "dev_x", "delivered")).toBeUndefined();
});

test("of a user's id at WhatsApp the fake keeps the country alone", () => {
  for (const to of ["US.13491208655302741918", "DE.ENT.aB3491208655302741918"]) {
    const country = to.slice(0, to.lastIndexOf(".") + 1);
    for (const outcome of ["delivered", "unreachable"] as const) {
      const fake = fakes.address("whatsapp", to, outcome)!;
      expect([fake.slice(0, country.length), fake.length]).toEqual([country, to.length]);
      expect(channelModule("whatsapp").recipient(fake)).toMatchObject({ value: { to: fake } });
      expect(channelModule("whatsapp").magic(fake)).toBe(outcome);
      expect(fakes.address("whatsapp", to, outcome), "the same again").toBe(fake);
      const kept = Array.from(fake.slice(country.length, -4)).filter(
        (letter, at) => letter === to[country.length + at],
      );
      // By chance some stay.
      expect(kept.length).toBeLessThan(8);
    }
  }
});

test("of a mail with HTML alone the twin has what a reader sees, in a time that grows with its length", () => {
  const twin = (html: string) => {
    const request = { channel: "email", to: "a@b.test", content: { html, subject: "s" } };
    return twinOf({ request, status: "delivered" } as MessageState, (value) => value, fakes);
  };
  const page =
    "<html><head><style>p{color:red}</style></head><body><p>Hi &amp; bye</p><script>x()</script></body></html>";
  expect(twin(page)).toMatchObject({ text: expect.stringMatching(/^[A-Z][a-z] & [a-z]{3}$/) });
  expect(twin("<style>p{}</style>")).toBe("no_text");
  const began = process.cpuUsage();
  for (const piece of ["<", "<br"]) twin(piece.repeat(180_000 / piece.length));
  expect(process.cpuUsage(began).user / 1_000).toBeLessThan(1_500);
});
