import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { refusalOf } from "../src/refusal.ts";

const thrownBy = (work: () => unknown): unknown => {
  try {
    return work();
  } catch (error) {
    return error;
  }
};
const server = (code: string, message: string): Error =>
  Object.assign(new Error(message), { severity: "FATAL", code });

test("what the operating system refuses is one line that names the path and the reason", () => {
  expect(refusalOf(thrownBy(() => writeFileSync("/dev/full", "x")))).toMatch(/^ENOSPC: /);
  expect(refusalOf(thrownBy(() => writeFileSync("/none/x", "x")))).toMatch(/ENOENT.*'\/none\/x'/);
});

test("what a person can change at the server is one line, our own mistakes in SQL are none", () => {
  for (const code of ["28P01", "3D000", "42501", "53100", "57P03", "25006"])
    expect(refusalOf(server(code, "no\n  way"))).toBe("HELIOGRAPH_DATABASE_URL: no; way");
  for (const code of ["42601", "42703", "23505"])
    expect(refusalOf(server(code, "oops"))).toBeUndefined();
});

test("a bug keeps its stack", () => {
  expect(refusalOf(new TypeError("x is not a function"))).toBeUndefined();
  expect(refusalOf("text")).toBeUndefined();
});
