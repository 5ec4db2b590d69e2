/**
 * How often which latency occurred, in buckets whose bounds grow by a factor (DDSketch, arXiv 1908.10693). Two sketches are merged by adding their counts, so
 * a percentile of many rows is that of all their messages, and no average of averages.
 */
export type Sketch = Map<number, number>;

/** A percentile is at most this part off the latency that has its rank. 460 buckets reach from a millisecond to a hundred years; a row of the rollups has some thirty. */
export const relativeError = 0.05;
const growth = (1 + relativeError) / (1 - relativeError);
const perBucket = 1 / Math.log(growth);

/** The bucket of a latency: 0 for none, n for those above growthⁿ⁻² and up to growthⁿ⁻¹ milliseconds. */
export const bucketOf = (latencyMs: number): number =>
  latencyMs < 1 ? 0 : 1 + Math.ceil(Math.log(latencyMs) * perBucket);

const valueOf = (bucket: number): number =>
  bucket === 0 ? 0 : (2 * growth ** (bucket - 1)) / (growth + 1);

/** Seven bits a byte, the lowest first, as protocol buffers have them: most numbers here are small. */
function pushNumber(bytes: number[], value: number): void {
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
}

/** How many buckets, then for each how far it is from the one before and its count. The same counts always give the same bytes; none are no bytes. */
export function writeSketch(sketch: Sketch): Buffer {
  const bytes: number[] = [];
  if (sketch.size > 0) pushNumber(bytes, sketch.size);
  let before = 0;
  for (const bucket of [...sketch.keys()].toSorted((left, right) => left - right)) {
    pushNumber(bytes, bucket - before);
    pushNumber(bytes, sketch.get(bucket)!);
    before = bucket;
  }
  return Buffer.from(bytes);
}

/** Takes what `writeSketch` gave, or several of them one after the other: that is their merge. */
export function readSketch(bytes: Buffer): Sketch {
  const sketch: Sketch = new Map();
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = bytes[at++]!;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    let bucket = 0;
    for (let left = number(); left > 0; left--) {
      bucket += number();
      addTo(sketch, bucket, number());
    }
  }
  return sketch;
}

/** Adds a count, which may be negative. */
export function addTo(sketch: Sketch, bucket: number, count: number): void {
  const sum = (sketch.get(bucket) ?? 0) + count;
  if (sum === 0) sketch.delete(bucket);
  else sketch.set(bucket, sum);
}

/** Milliseconds below which this share of the latencies lies; undefined when there are none. */
export function percentileOf(sketch: Sketch, share: number): number | undefined {
  let total = 0;
  for (const count of sketch.values()) total += count;
  const rank = share * (total - 1);
  let below = 0;
  for (const bucket of [...sketch.keys()].toSorted((left, right) => left - right)) {
    below += sketch.get(bucket)!;
    if (below > rank) return Number(valueOf(bucket).toPrecision(3));
  }
  return undefined;
}
