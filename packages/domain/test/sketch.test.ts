import fc from "fast-check";
import { expect, test } from "vitest";
import {
  addTo,
  bucketOf,
  percentileOf,
  readSketch,
  relativeError,
  type Sketch,
  writeSketch,
} from "../src/sketch.ts";

const sketchOf = (latencies: readonly number[]): Sketch => {
  const sketch: Sketch = new Map();
  for (const latency of latencies) addTo(sketch, bucketOf(latency), 1);
  return sketch;
};
const latencies = fc.array(fc.integer({ min: 0, max: 10_000_000_000 }), {
  minLength: 1,
  maxLength: 60,
});

test("A percentile of merged sketches is that of all latencies, within the stated error, and not an average of theirs", () => {
  fc.assert(
    fc.property(
      fc.array(latencies, { minLength: 1, maxLength: 5 }),
      fc.constantFrom(0, 0.5, 0.95, 1),
      (parts, share) => {
        const merged = readSketch(Buffer.concat(parts.map((part) => writeSketch(sketchOf(part)))));
        const all = parts.flat().toSorted((left, right) => left - right);
        const exact = all[Math.floor(share * (all.length - 1))]!;
        expect(Math.abs(percentileOf(merged, share)! - exact)).toBeLessThanOrEqual(
          exact * (relativeError + 0.005),
        );
        expect(writeSketch(merged)).toEqual(writeSketch(sketchOf(all)));
      },
    ),
  );
  // 90 fast ones in one row and 10 slow ones in another: the average of the rows' medians would be 5 s.
  const rows = [Array<number>(90).fill(100), Array<number>(10).fill(10_000)].map(sketchOf);
  expect(percentileOf(readSketch(Buffer.concat(rows.map(writeSketch))), 0.5)).toBeLessThan(106);
});

test("Counts of any size come back, what was taken out is gone, and nothing is no bytes", () => {
  const sketch: Sketch = new Map();
  for (const [bucket, count] of [
    [0, 1],
    [127, 128],
    [128, 70_000],
    [400, 5_000_000_000],
  ] as const)
    addTo(sketch, bucket, count);
  expect(readSketch(writeSketch(sketch))).toEqual(sketch);
  for (const [bucket, count] of sketch) addTo(sketch, bucket, -count);
  expect(writeSketch(sketch)).toHaveLength(0);
  expect(percentileOf(sketch, 0.5)).toBeUndefined();
});
