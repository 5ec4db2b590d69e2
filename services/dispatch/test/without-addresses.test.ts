import type { Failure } from "@heliograph/contracts";
import { expect, test } from "vitest";
import { withoutAddresses } from "../src/without-addresses.ts";

const sealed = `sealed:v1.${"A".repeat(22)}.${"A".repeat(40)}`;
const saying = (text: string): Failure => ({
  code: "recipient_unreachable",
  class: "recipient",
  permanent: true,
  provider: { name: "p", code: "550", text },
});
const said = (text: string, to = sealed) => withoutAddresses(saying(text), to).provider?.text;

test("what a provider says of a sealed recipient is kept without the recipient", () => {
  expect(said("550 5.1.1 <ada.l+x@mail.example.org>: no such user (id 4711)")).toBe(
    "550 5.1.1 <[address]>: no such user (id 4711)",
  );
  expect(said("to=+15551234567 is not on WhatsApp; 15551234567, error 131026")).toBe(
    "to=[address] is not on WhatsApp; [address], error 131026",
  );
  expect(said("+1 555 123 4567 and (555) 123-4567 are busy, code 408-22")).toBe(
    "[address] and [address] are busy, code 408-22",
  );
  expect(withoutAddresses(saying("x +15551234567"), sealed)).toMatchObject({
    code: "recipient_unreachable",
    provider: { name: "p", code: "550" },
  });
});

test("of an open recipient it is kept but for keys of ours, and without words there is nothing to do", () => {
  const text = "550 <ada@example.org>";
  expect(said(text, "ada@example.org")).toBe(text);
  const key = `ak_live_${"Ab1".repeat(12)}`;
  expect(said(`${text} ${key}`, "ada@example.org")).toBe(`${text} ak_live_Ab1A…`);
  const { provider: _, ...bare } = saying("");
  expect(withoutAddresses(bare, sealed)).toEqual(bare);
});
