import { readFileSync } from "node:fs";
import fc from "fast-check";
import parsePhoneNumber from "libphonenumber-js/min";
import metadata from "libphonenumber-js/min/metadata";
import { describe, expect, it } from "vitest";
import {
  channelModule,
  magicOutcomes,
  parseEmail,
  parseMailbox,
  storedRecipient,
} from "@heliograph/channels";
import { parsePhone } from "../src/phone.ts";

describe("a phone number", () => {
  it.each([
    ["+15551234567", "US", "1"],
    ["+15550000001", "US", "1"],
    ["+15551230003", "US", "1"],
    ["+12045550001", "CA", "1"],
    ["+8801712345678", "BD", "880"],
    ["+80012345678", "001", "800"],
  ])("%s is accepted", (text, country, callingCode) => {
    const phone = { e164: text, country, callingCode, digits: text.slice(1) };
    expect(parsePhone(text)).toEqual(phone);
    expect(parsePhone(text), "the second time too").toEqual(phone);
  });

  it("loses the 0 of national notation after the calling code, and Italy's 0 is none", () => {
    for (const _ of [1, 2]) expect(parsePhone("+4407911123456")?.e164).toBe("+447911123456");
    expect(parsePhone("+390612345678")?.e164).toBe("+390612345678");
  });

  it.each([
    ["an old Argentine mobile", "+5422851589822", "AR"],
    ["its neighbour", "+5422851245923", "AR"],
    ["an old Mexican mobile", "+5215512345678", "MX"],
  ])("keeps its digits: %s", (_, text, country) => {
    expect(parsePhone(text)).toMatchObject({ e164: text, country });
  });

  // What the library says of a number that it does not rewrite is the oracle: for every calling code, in any order.
  it("is read as the reference library reads it, whatever was read before", () => {
    const codes = Object.keys(metadata.country_calling_codes);
    const national = fc.string({
      unit: fc.constantFrom(...Array.from("0123456789")),
      minLength: 5,
      maxLength: 12,
    });
    let possible = 0;
    fc.assert(
      fc.property(fc.constantFrom(...codes, "1", "44", "7", "262"), national, (code, rest) => {
        const text = `+${code}${rest}`;
        const known = parsePhoneNumber(text);
        // Rewritten ones keep their digits here, and 0 is looked at by itself.
        if (
          text.length > 16 ||
          rest.startsWith("0") ||
          (known !== undefined && known.number !== text)
        )
          return;
        if (/^\+521\d{10}$/.test(text)) return;
        const main = metadata.country_calling_codes[code as "44"]?.[0];
        const expected =
          known?.isPossible() === true
            ? { e164: text, country: known.country ?? main, callingCode: code }
            : undefined;
        if (expected === undefined) expect(parsePhone(text), text).toBeUndefined();
        else {
          possible++;
          expect(parsePhone(text), text).toMatchObject(expected);
        }
      }),
      { numRuns: 5_000 },
    );
    expect(possible).toBeGreaterThan(200);
  });

  it.each([
    "15551234567",
    "+0155512345",
    "+1555",
    "+1555123",
    "+999123456789",
    "+1555123456789012",
    "+1 555 123 4567",
    "+1555123456a",
    "+15551234567\n",
    // Short by the 0549 that the library would add.
    "+378886377",
    "\n+15551234567",
    "+1555١٢٣٤٥٦٧",
    "",
    "+",
  ])("%j is refused", (text) => {
    expect(parsePhone(text)).toBeUndefined();
  });
});

describe("an e-mail address", () => {
  it.each([
    ["delivered@example.com", "delivered@example.com"],
    ["First.Last+tag@Sub.Example.CO.uk", "First.Last+tag@sub.example.co.uk"],
    ["x@münchen.de", "x@xn--mnchen-3ya.de"],
    ["x@xn--mnchen-3ya.de", "x@xn--mnchen-3ya.de"],
    ["x@例え.テスト", "x@xn--r8jz45g.xn--zckzah"],
    ["x@हिन्दी.com", "x@xn--j2bd4cyah0f.com"],
    // RFC 5321: a path of 256 octets, brackets included; labels of 61.
    [
      `a@${Array(3).fill("b".repeat(61)).join(".")}.com`,
      `a@${Array(3).fill("b".repeat(61)).join(".")}.com`,
    ],
  ])("%s is accepted", (text, address) => {
    expect(parseEmail(text)?.address).toBe(address);
  });

  it.each([
    "",
    "a",
    "@b.de",
    "a@",
    "a@b",
    "a@b@c.de",
    "a b@c.de",
    "a@b.de\r\nBcc: x@y.de",
    "a@b.de\u0000",
    "a\u0085@b.de",
    ".a@b.de",
    "a..b@c.de",
    '"a"@b.de',
    '"x@evil.example y"@good.example',
    "ö@x.example",
    "a@-b.de",
    "a@b-.de",
    "a@b..de",
    "a@1.2.3.4",
    "user@example.com/path",
    "user@example.com?x=1",
    "user@example.com#frag",
    "user@example.com\\x",
    "user@exa%6Dple.com",
    "user@example.com\u200b",
    "user@exam\u00adple.com",
    "user@example.com:25",
    "user@exam_ple.com",
    "user@example.com.",
    "user@ex\tample.com",
    "a@[127.0.0.1]",
    "ä@b.de",
    `${"a".repeat(65)}@b.de`,
    `a@${"b".repeat(64)}.de`,
    `a@${"b.".repeat(126)}de`,
  ])("%j is refused", (text) => {
    expect(parseEmail(text)).toBeUndefined();
  });
});

describe("a sender of mail", () => {
  it.each([
    ["shop@example.org", "", "shop@example.org", "shop@example.org"],
    ["<shop@example.org>", "", "shop@example.org", "shop@example.org"],
    [
      "Heliograph <shop@example.org>",
      "Heliograph",
      "shop@example.org",
      "Heliograph <shop@example.org>",
    ],
    ["Müller <me@münchen.example>", "Müller", "me@xn--mnchen-3ya.example", undefined],
    ['"Shop, Berlin" <shop@Example.org>', "Shop, Berlin", "shop@example.org", undefined],
    ['"The \\"Shop\\"" <shop@example.org>', 'The "Shop"', "shop@example.org", undefined],
    ["Dr. No <no@example.org>", "Dr. No", "no@example.org", "Dr. No <no@example.org>"],
  ])("%s is read and written in one form", (text, name, address, stored) => {
    const mailbox = parseMailbox(text);
    expect(mailbox).toMatchObject({ name, email: { address } });
    const written = channelModule("email").sender(text);
    if (written.kind === "fault") throw new Error(written.message);
    if (stored !== undefined) expect(written.value).toBe(stored);
    expect(parseMailbox(written.value)).toEqual(mailbox);
    expect(channelModule("email").sender(written.value)).toEqual(written);
  });

  it.each([
    "Heliograph",
    "Heliograph <shop>",
    "Heliograph shop@example.org",
    "Heliograph <shop@example.org> x",
    "a@b.example, c@d.example",
    "Shop, Berlin <shop@example.org>",
    "a <b@c.example>, d <e@f.example>",
    "Eve\r\nBcc: all@example.com <eve@example.com>",
    '"Eve\nBcc" <eve@example.com>',
    `${"x".repeat(129)} <shop@example.org>`,
    "me@example.com/x",
  ])("%j is refused", (text) => {
    expect(channelModule("email").sender(text)).toMatchObject({
      kind: "fault",
      code: "invalid_sender",
    });
  });

  it("takes unsubscribe addresses that fit a header and cannot end it", () => {
    const { unsubscribe_url: url } = channelModule("email").mail!;
    expect(url("https://example.org/u?a=1")).toEqual({
      kind: "read",
      value: "https://example.org/u?a=1",
    });
    for (const bad of [
      "http://example.org/",
      "https:example.org",
      "https://example.org/a b",
      "https://example.org/\r\nBcc: x",
      "https://me:secret@example.org/",
      `https://example.org/${"x".repeat(900)}`,
      "mailto:a@b.example",
    ])
      expect(url(bad), bad).toMatchObject({ kind: "fault", code: "invalid_url" });
    for (const odd of ["https://example.org/>,<mailto:x@y.example", "https://example.org/\u2028"]) {
      const found = url(odd);
      if (found.kind === "read") expect(found.value).not.toMatch(/[<>\s]/);
    }
  });
});

describe("a filter by recipient", () => {
  it.each([
    ["Filter.Me+x@EXAMPLE.com", undefined, "Filter.Me+x@example.com"],
    ["+4407911123456", undefined, "+447911123456"],
    [" 447911123456", "sms", "+447911123456"],
    ["Filter.Me x@example.com", "email", "Filter.Me+x@example.com"],
    ["+447911123456", "email", undefined],
    ["Ada", undefined, undefined],
    ["Ada", "broadcast", "Ada"],
  ] as const)("%j on %s is %s", (text, channel, stored) => {
    expect(storedRecipient(text, channel)).toBe(stored);
  });
});

describe("the name of a list", () => {
  it("begins with a letter, so that no number and no address is one", () => {
    const { recipient, magic } = channelModule("broadcast");
    expect(recipient("spring-news_2.eu")).toEqual({
      kind: "read",
      value: { to: "spring-news_2.eu", digits: "", country: "" },
    });
    for (const text of [
      "+15551234567",
      "15551234567",
      "ada@example.com",
      "a b",
      "",
      "a".repeat(65),
    ])
      expect(recipient(text)).toMatchObject({ kind: "fault", code: "invalid_list" });
    expect([magic("exhausted"), magic("spring-news")]).toEqual(["exhausted", "delivered"]);
    // As a filter it is one only where the channel is named.
    expect(storedRecipient("spring-news", "broadcast")).toBe("spring-news");
    expect(storedRecipient("spring-news")).toBeUndefined();
  });
});

it("A person of WhatsApp's without a number is one of a country, by the id as Meta writes it", () => {
  const { recipient } = channelModule("whatsapp");
  for (const to of ["US.13491208655302741918", "DE.ENT.11815799212886844830"])
    expect(recipient(to)).toEqual({
      kind: "read",
      value: { to, digits: "", country: to.slice(0, 2) },
    });
  for (const text of ["us.1349", "ZZ.1349", "US.", "US.1 349", `US.${"1".repeat(129)}`, "US.A.1"])
    expect(recipient(text), text).toMatchObject({ kind: "fault", code: "invalid_phone" });
  expect(channelModule("sms").recipient("US.1349")).toMatchObject({ kind: "fault" });
});

describe("a recipient of a push or of Telegram", () => {
  it.each([
    ["push", "dev_0HC2ECXSATASBAN5W9948MRD02"],
    ["push", "fMEP0vJqS0:APA91bHqX_-b"],
    ["push", "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0"],
    ["telegram", "88112233"],
    ["telegram", "-1001234567890"],
  ] as const)("on %s may be %s, which stays as it is", (channel, to) => {
    const { recipient } = channelModule(channel);
    expect(recipient(to)).toEqual({ kind: "read", value: { to, digits: "", country: "" } });
    expect(storedRecipient(to, channel)).toBe(to);
    expect(storedRecipient(to), "without its channel it could be anything").toBeUndefined();
  });

  it.each([
    ["push", "+15551234567", "invalid_device"],
    ["push", "ada@example.com", "invalid_device"],
    ["push", "a b c d", "invalid_device"],
    ["push", "a".repeat(513), "invalid_device"],
    ["telegram", "+15551234567", "invalid_chat"],
    ["telegram", "@ada", "invalid_chat"],
    ["telegram", "0123", "invalid_chat"],
    ["telegram", "", "invalid_chat"],
  ] as const)("on %s is not %j", (channel, to, code) => {
    expect(channelModule(channel).recipient(to)).toMatchObject({ kind: "fault", code });
  });
});

it("The guide of the sandbox has the outcomes that recipients choose, word for word", () => {
  const guide = readFileSync(new URL("../../../docs/guides/sandbox.md", import.meta.url), "utf8");
  const rows = guide.split("\n").filter((line) => /^\| \d{4} /.test(line));
  expect(rows).toEqual(
    magicOutcomes.map(({ digits, name, means }) => `| ${digits} | \`${name}\` | ${means} |`),
  );
});
