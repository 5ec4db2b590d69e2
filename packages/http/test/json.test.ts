import { PublicError } from "@heliograph/contracts";
import { expect, test } from "vitest";
import { parseJson } from "../src/json.ts";

const parse = (text: string) => parseJson(Buffer.from(text));
const refusal = (bytes: Uint8Array): string => {
  try {
    parseJson(bytes);
  } catch (error) {
    if (error instanceof PublicError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return "accepted";
};

test("what JSON.parse gives is given", () => {
  for (const text of [
    '{"a":"b:c,{}[]\\"","c":[{"a":1},{"a":2}]}',
    "[]",
    "1",
    '"x"',
    "null",
    '{"\\u0061":"\\ud83d\\ude00"}',
    '{"":1}',
    " {} ",
  ])
    expect(parse(text)).toEqual(JSON.parse(text));
});

test("duplicate keys are found at any depth and however they are written", () => {
  for (const text of [
    '{"a":1,"a":1}',
    '{"x":[{"a":1,"b":2,"a":3}]}',
    '{"a":1,"\\u0061":2}',
    '{"a":{"a":1},"a":2}',
  ])
    expect(refusal(Buffer.from(text))).toContain("same key twice");
});

test("depth, NUL, lone surrogates, bad UTF-8, a byte order mark and __proto__ are refused", () => {
  expect(refusal(Buffer.from("[".repeat(33) + "]".repeat(33)))).toContain("deeper");
  expect(parse("[".repeat(32) + "]".repeat(32))).toBeDefined();
  // A million brackets must not reach a recursive parser.
  expect(refusal(Buffer.from("[".repeat(1_000_000)))).toContain("deeper");
  for (const text of ['"\\u0000"', '{"\\u0000":1}', '"\\ud800"', '["\\udc00x"]', '{"\\udfff":1}'])
    expect(refusal(Buffer.from(text))).toContain("surrogate");
  for (const bytes of [
    [0x22, 0xff, 0x22],
    [0x22, 0xc0, 0x80, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
  ])
    expect(refusal(Buffer.from(bytes))).toContain("UTF-8");
  expect(refusal(Buffer.from("\ufeff{}"))).toContain("malformed_json");
  expect(refusal(Buffer.from('{"a":{"__proto__":{"b":1}}}'))).toContain("__proto__");
});

test("a number that no double holds is refused, not stored as null", () => {
  for (const text of ["1e999", '{"a":[-1e999]}'])
    expect(refusal(Buffer.from(text))).toContain("too large");
  expect(parse("1e308")).toBe(1e308);
});

test("a refusal says where, and quotes nothing of the body", () => {
  const message = refusal(Buffer.from('{"secret":"hunter2",}'));
  expect(message).toMatch(/position \d+/);
  expect(message).not.toContain("hunter2");
});
