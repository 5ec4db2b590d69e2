import { expect, test } from "vitest";
import { clientAddress, inBlocks, isWithin, parseBlock } from "../src/addresses.ts";

const blocks = (...texts: string[]) => texts.map((text) => parseBlock(text)!);

test.each([
  ["203.0.113.7", "203.0.113.7"],
  ["203.0.113.7:5123", "203.0.113.7"],
  ["[2001:db8::1]:443", "2001:db8::1"],
  ["[2001:db8::1]", "2001:db8::1"],
  ["2001:DB8:0::1", "2001:db8::1"],
  ["::ffff:203.0.113.7", "203.0.113.7"],
  ["::ffff:cb00:7107", "203.0.113.7"],
  ["0:0:0:0:0:ffff:cb00:7107", "203.0.113.7"],
  ["[::ffff:203.0.113.7]:80", "203.0.113.7"],
  ["unknown", "unknown"],
  ["", ""],
])("a client behind a proxy that writes %j has the address %j", (written, address) => {
  expect(clientAddress(written)).toBe(address);
});

test.each([
  "10.1",
  "0x7f.0.0.1",
  "10.0.0.0/33",
  "::1/129",
  "10.0.0.0/",
  "10.0.0.0/8/8",
  "example.com",
])("%j is no block", (text) => {
  expect(parseBlock(text)).toBeUndefined();
});

test("a block holds its addresses however they are written, and nothing of the other family", () => {
  const allowed = blocks("::ffff:203.0.113.0/120", "2001:db8::/32");
  for (const written of ["203.0.113.7:5123", "::ffff:cb00:7107", "[2001:db8::1]:443"])
    expect(inBlocks(allowed, clientAddress(written))).toBe(true);
  for (const written of ["203.0.114.7", "2001:db9::1", "unknown", ""])
    expect(inBlocks(allowed, clientAddress(written))).toBe(false);
});

test("a block is within another when all of it is", () => {
  const outer = blocks("10.0.0.0/8", "2001:db8::/32");
  expect(isWithin(parseBlock("10.1.0.0/16")!, outer)).toBe(true);
  expect(isWithin(parseBlock("8.0.0.0/6")!, outer)).toBe(false);
  expect(isWithin(parseBlock("::/0")!, outer)).toBe(false);
});
