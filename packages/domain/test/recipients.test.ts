import { describe, expect, it } from "vitest";
import { parseEmail, parsePhone } from "@heliograph/domain";

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
    expect(parsePhone(text), "the second time from the cache").toEqual(phone);
  });

  it("loses a trunk prefix written after the calling code, every time", () => {
    for (const _ of [1, 2]) expect(parsePhone("+4407911123456")?.e164).toBe("+447911123456");
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
    "a@-b.de",
    "a@b-.de",
    "a@b..de",
    "a@1.2.3.4",
    "a@[127.0.0.1]",
    "ä@b.de",
    `${"a".repeat(65)}@b.de`,
    `a@${"b".repeat(64)}.de`,
    `a@${"b.".repeat(126)}de`,
  ])("%j is refused", (text) => {
    expect(parseEmail(text)).toBeUndefined();
  });
});
