import { expect, test } from "vitest";
import { afterRunningAgain, filesToRunAgain } from "./again.ts";

const one = { passed: 99, failed: 1, skipped: 3, failedFiles: ["a.test.ts"] };

test("a file or two are run again, not more, and nothing for a fault of no file", () => {
  expect(filesToRunAgain(one)).toEqual(["a.test.ts"]);
  expect(filesToRunAgain({ ...one, failedFiles: ["a", "b", "c"] })).toEqual([]);
  expect(filesToRunAgain({ ...one, failedFiles: [] })).toEqual([]);
  expect(filesToRunAgain({ ...one, failed: 0 })).toEqual([]);
});

test("what passes by itself counts as passed, what fails twice or does not run has failed", () => {
  const passed = { passed: 9, failed: 0, skipped: 0, failedFiles: [] };
  expect(afterRunningAgain(one, passed)).toMatchObject({ passed: 100, failed: 0, skipped: 3 });
  expect(afterRunningAgain(one, { ...passed, failed: 1 })).toBe(one);
  expect(afterRunningAgain(one, { ...passed, passed: 0 })).toBe(one);
});
