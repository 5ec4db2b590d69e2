import { expect, test } from "vitest";
import { acceptedTraceparent, sampledPlace, unsampled } from "../src/traceparent.ts";

const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
const span = "00f067aa0ba902b7";
const good = `00-${trace}-${span}-01`;

test("a traceparent of this version is kept as it came", () => {
  for (const flags of ["00", "01", "02", "03", "ff"])
    expect(acceptedTraceparent(`00-${trace}-${span}-${flags}`)).toBe(
      `00-${trace}-${span}-${flags}`,
    );
});

test("one of a version to come is kept for what this one knows of it", () => {
  expect(acceptedTraceparent(`cc-${trace}-${span}-01-what the future holds`)).toBe(good);
  expect(acceptedTraceparent(`01-${trace}-${span}-00`)).toBe(`00-${trace}-${span}-00`);
});

test("anything else is as if it had not been sent", () => {
  const wrong = [
    undefined,
    "",
    [good, good],
    `${good}, ${good}`,
    `ff-${trace}-${span}-01`,
    `00-${trace}-${span}-01-more`,
    `00-${trace.toUpperCase()}-${span}-01`,
    `00-${"0".repeat(32)}-${span}-01`,
    `00-${trace}-${"0".repeat(16)}-01`,
    `00-${trace}-${span}`,
    `00-${trace}-${span}-1`,
    ` ${good}`,
    `${good}\n`,
    `cc-${trace}-${span}-01-${"x".repeat(100)}`,
    `00-${"g".repeat(32)}-${span}-01`,
  ];
  for (const header of wrong) expect(acceptedTraceparent(header), String(header)).toBeUndefined();
});

test("only what is sampled has a place to tell of", () => {
  expect(sampledPlace(good)).toEqual({ traceId: trace, spanId: span, isSampled: true });
  for (const other of [undefined, "", unsampled(good), "no traceparent 1"])
    expect(sampledPlace(other)).toBeUndefined();
});
