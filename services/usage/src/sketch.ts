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

const entryBytes = 4;
const maxCount = 0xffff;

/** Bucket and count, two bytes each, by ascending bucket; a count that needs more is told in several entries. The same counts always give the same bytes. */
export function writeSketch(sketch: Sketch): Buffer {
  const entries: number[] = [];
  for (const bucket of [...sketch.keys()].toSorted((left, right) => left - right)) {
    let rest = sketch.get(bucket)!;
    for (; rest > maxCount; rest -= maxCount) entries.push(bucket, maxCount);
    if (rest > 0) entries.push(bucket, rest);
  }
  const bytes = Buffer.allocUnsafe(entries.length * 2);
  for (const [index, value] of entries.entries()) bytes.writeUInt16BE(value, index * 2);
  return bytes;
}

/** Takes what `writeSketch` gave, or several of them one after the other: that is their merge. */
export function readSketch(bytes: Buffer): Sketch {
  const sketch: Sketch = new Map();
  for (let at = 0; at < bytes.length; at += entryBytes)
    addTo(sketch, bytes.readUInt16BE(at), bytes.readUInt16BE(at + 2));
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
