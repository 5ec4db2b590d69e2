// What the README shows, compiled.
import { percentileOf, readSketch } from "@heliograph/domain";

export function example(eight: Buffer, nine: Buffer, ten: Buffer): number | undefined {
  const morning = readSketch(Buffer.concat([eight, nine, ten])); // sketches laid end to end are their merge
  const p95 = percentileOf(morning, 0.95); // within 5 % of the latency that has this rank
  return p95;
}
