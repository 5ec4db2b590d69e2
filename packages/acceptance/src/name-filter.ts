/**
 * Names that may have been seen: a Bloom filter. A name is 128 bits of an HMAC in base32 already, so five characters of it are 25 random bits, and a filter needs no hash of its
 * own. With 2^25 bits, one name in 20,000 that was never seen looks as if it had been beside a million that were (k = 5), and costs one read of a stream. It has memory of its own for the parts of it
 * that names are in: whoever knows of none, or of a few, does not hold 4 MB.
 */
const bits = 2 ** 25;
const hashes = 5;
/** 4 KB. */
const wordsOfPart = 1_024;
const bitsOfPart = wordsOfPart * 32;

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const valueOf = new Uint8Array(128);
for (let index = 0; index < alphabet.length; index++) valueOf[alphabet.charCodeAt(index)] = index;

export type NameFilter = { add(name: string): void; mayHave(name: string): boolean };

export function nameFilter(): NameFilter {
  const parts: (Uint32Array | undefined)[] = Array.from({ length: bits / bitsOfPart });
  /** The first character holds two zero bits: the others are used. */
  const place = (name: string, hash: number): number => {
    let value = 0;
    const from = 1 + hash * 5;
    for (let index = from; index < from + 5; index++)
      value = (value << 5) | valueOf[name.charCodeAt(index) & 127]!;
    return value;
  };
  return {
    add(name) {
      for (let hash = 0; hash < hashes; hash++) {
        const at = place(name, hash);
        const words = (parts[Math.floor(at / bitsOfPart)] ??= new Uint32Array(wordsOfPart));
        words[(at % bitsOfPart) >>> 5]! |= 1 << (at & 31);
      }
    },
    mayHave(name) {
      for (let hash = 0; hash < hashes; hash++) {
        const at = place(name, hash);
        const words = parts[Math.floor(at / bitsOfPart)];
        if (words === undefined) return false;
        if ((words[(at % bitsOfPart) >>> 5]! & (1 << (at & 31))) === 0) return false;
      }
      return true;
    },
  };
}
