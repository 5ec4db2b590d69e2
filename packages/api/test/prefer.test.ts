import { expect, test } from "vitest";
import { waitSeconds } from "../src/prefer.ts";

test.each([
  [undefined, 0],
  ["", 0],
  ["wait=2", 2],
  ["WAIT=2", 2],
  ["Wait = 5", 5],
  ['wait="7"', 7],
  ["respond-async, wait=10", 10],
  ["wait=10;x=1, wait=3", 10],
  ['foo="a, wait=9", wait=4', 4],
  ["wait=99999999999999999999", 30],
  ["wait", 0],
  ["wait=", 0],
  ["wait=-1", 0],
  ["wait=1e1", 0],
  ["await=5", 0],
  ["respond-async; wait=5", 0],
])("Prefer: %s waits %i seconds", (header, seconds) =>
  expect(waitSeconds(header, 30)).toBe(seconds),
);
