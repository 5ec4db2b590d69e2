import { describe, expect, it } from "vitest";
import {
  externalIdName,
  knownExternalId,
  normalExternalId,
  soughtExternalId,
} from "../src/index.ts";

const normal = (source: string, id: string) => {
  const read = normalExternalId(source, id);
  return read.kind === "read" ? read.value.id : read.code;
};

describe("an external id", () => {
  it("ignores the case of a mail domain and keeps that of the local part: Letter case makes two people, or one of two", () => {
    expect(normal("email", "ann@EXAMPLE.com")).toBe("ann@example.com");
    expect(normal("email", "Ann@example.com")).toBe("Ann@example.com");
  });

  it("is the number as it came: 'Normalising' changes who is written to", () => {
    for (const number of ["+551133334444", "+5215512345678", "+525512345678"])
      for (const source of ["sms", "whatsapp"]) expect(normal(source, number)).toBe(number);
  });

  it("of another system is as it is, without blanks around it", () => {
    expect(normal("crm", "  C-204821 ")).toBe("C-204821");
    expect(normal("crm.eu_2-b", "a/b c%")).toBe("a/b c%");
    expect(normal("telegram", "88112233")).toBe("88112233");
  });

  it.each([
    ["CRM", "C-1", "invalid_source"],
    ["", "C-1", "invalid_source"],
    ["x".repeat(65), "C-1", "invalid_source"],
    ["crm", " ", "required"],
    ["crm", "x".repeat(321), "too_long"],
    ["crm", "a\u001fb", "invalid_value"],
    ["crm", "\ud800", "invalid_value"],
    ["sms", "0444123456", "invalid_phone"],
    ["sms", "4.4791E+11", "invalid_phone"],
    ["email", "nobody", "invalid_email"],
  ])("is refused by the name of the fault: %s %s", (source, id, code) => {
    expect(normal(source, id)).toBe(code);
  });

  it.each([
    ["email", "Ann@EXAMPLE.com", "Ann@example.com"],
    ["email", "john doe@example.com", '"john doe"@example.com'],
    ["email", '"john doe"@Example.com', '"john doe"@example.com'],
    ["email", '"john\\ doe"@example.com', '"john doe"@example.com'],
    ["email", '"jo\\"hn\\\\"@example.com', '"jo\\"hn\\\\"@example.com'],
    ["email", '"ann"@example.com', "ann@example.com"],
    ["email", "x@evil.example y@good.example", '"x@evil.example y"@good.example'],
    // Composed or not, it is one address.
    ["email", "jo\u0308rg@exa\u0308mple.com", "jörg@xn--exmple-cua.com"],
    ["email", "root@LocalHost", "root@localhost"],
    ["email", "nobody", "nobody"],
    ["sms", "+15551234567", "+15551234567"],
    ["sms", "12345", "12345"],
    ["sms", "Vodafone", "Vodafone"],
    ["whatsapp", "x".repeat(400), "x".repeat(320)],
  ] as const)("of who wrote is known whatever its shape: %s %s", (source, id, known) => {
    expect(knownExternalId(source, id).id).toBe(known);
    expect(knownExternalId(source, known).id, "once more").toBe(known);
    expect(soughtExternalId(source, id)?.id, "looked for").toBe(known);
  });

  it("of who wrote without an address is one that nobody finds by blanks", () => {
    expect(knownExternalId("sms", " \u0000").id).toBe("unknown");
    for (const source of ["sms", "email", "whatsapp", "crm"])
      for (const blank of ["", " ", " \u0000"])
        expect(soughtExternalId(source, blank), JSON.stringify(blank)).toBeUndefined();
    expect(soughtExternalId("sms", "unknown")?.id).toBe("unknown");
    expect(soughtExternalId("crm", " C-1")?.id).toBe("C-1");
  });

  it("has a name of its own for each partner and source", () => {
    const vault = { name: (...parts: readonly string[]) => parts.join("|") };
    const named = externalIdName(vault, "ptn_1", { source: "crm", id: "C-1" });
    expect(named).toBe("external-id|ptn_1|crm|C-1");
  });
});
