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

test("depth, bad UTF-8 and a byte order mark are refused", () => {
  expect(refusal(Buffer.from("[".repeat(33) + "]".repeat(33)))).toContain("deeper");
  expect(parse("[".repeat(32) + "]".repeat(32))).toBeDefined();
  // A million brackets must not reach a recursive parser.
  expect(refusal(Buffer.from("[".repeat(1_000_000)))).toContain("deeper");
  for (const bytes of [
    [0x22, 0xff, 0x22],
    [0x22, 0xc0, 0x80, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
  ])
    expect(refusal(Buffer.from(bytes))).toContain("UTF-8");
  expect(refusal(Buffer.from("\ufeff{}"))).toContain("malformed_json");
});

test("NUL, lone surrogates and __proto__ are well-formed JSON: they are refused with the path", () => {
  for (const [text, path] of [
    ['"\\u0000"', ""],
    ['{"text":"a\\u0000b"}', "text"],
    ['{"a":[1,{"b":"\\ud800"}]}', "a.1.b"],
    ['{"a":{"\\udfff":1}}', "a"],
    ['{"a":[{"__proto__":{"b":1}}]}', "a.0.__proto__"],
  ] as const) {
    let error: unknown;
    try {
      parse(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: "invalid_request", status: 422, errors: [{ path }] });
  }
  expect(parse('"\\ud83d\\ude00"')).toBe("😀");
});

test("a number that no double holds exactly is refused, not stored as another", () => {
  for (const text of ["1e999", '{"a":[-1e999]}', `[${"9".repeat(400)}]`])
    expect(refusal(Buffer.from(text))).toContain(
      "malformed_json: The body has a number that is too large",
    );
  for (const text of [
    "9007199254740993",
    '{"n":-9007199254740993}',
    "1610521604143693827",
    "0.12345678901234567890",
    "1e-400",
    "[1,2,12345678901234567890]",
    "9.007199254740993e15",
    "0.1000000000000000055511151231257827",
  ])
    expect(refusal(Buffer.from(text))).toContain(
      "malformed_json: The body has a number with more digits",
    );
  for (const text of [
    "1e308",
    "9007199254740992",
    "-9007199254740991",
    "0.1",
    "1.10",
    "-0",
    "0e5",
    "100000000000000000000000",
    "1.7976931348623157e308",
    "5e-324",
    "0.000001",
    "1E+2",
    "123456.789012345",
    '{"text":"9007199254740993 is text"}',
  ])
    expect(parse(text)).toEqual(JSON.parse(text));
});

test("a long run of digits is looked at once", () => {
  const started = performance.now();
  expect(refusal(Buffer.from(`0.${"0".repeat(5_000_000)}1`))).toContain("malformed_json");
  expect(refusal(Buffer.from(`[1${"0".repeat(5_000_000)}1]`))).toContain("too large");
  expect(performance.now() - started).toBeLessThan(2_000);
});

test("a refusal says where, and quotes nothing of the body", () => {
  const message = refusal(Buffer.from('{"secret":"hunter2",}'));
  expect(message).toMatch(/position \d+/);
  expect(message).not.toContain("hunter2");
});
