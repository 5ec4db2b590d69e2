const seed = 0x9747b28c;
const factor = 0x5bd1e995;

/**
 * The number by which Apache Kafka's own clients place a key: murmur2 (`org.apache.kafka.common.utils.Utils`), made positive. A record lands where the Java client would have put it, so
 * that stream processors can join these topics with their own on the same keys.
 */
export function partitionNumber(key: string): number {
  const bytes = Buffer.from(key);
  const whole = bytes.length & ~3;
  let hash = seed ^ bytes.length;
  for (let index = 0; index < whole; index += 4) {
    let part = Math.imul(bytes.readInt32LE(index), factor);
    part = Math.imul(part ^ (part >>> 24), factor);
    hash = Math.imul(hash, factor) ^ part;
  }
  if (bytes.length > whole) {
    for (let index = bytes.length - 1; index >= whole; index--)
      hash ^= bytes[index]! << (8 * (index - whole));
    hash = Math.imul(hash, factor);
  }
  hash = Math.imul(hash ^ (hash >>> 13), factor);
  return (hash ^ (hash >>> 15)) & 0x7fffffff;
}
