/** A seeded source of chance (mulberry32): the same seed gives the same sends and the same order of faults. */
export type Random = {
  /** From 0 up to 1. */
  next(): number;
  /** A whole number from 0 up to `below`. */
  below(below: number): number;
  pick<T>(items: readonly T[]): T;
  chance(share: number): boolean;
  /** A source of its own for one part of the program, so that the parts do not disturb each other. */
  fork(name: string): Random;
};

export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const random: Random = {
    next,
    below: (below) => Math.floor(next() * below),
    pick: (items) => items[random.below(items.length)]!,
    chance: (share) => next() < share,
    fork(name) {
      let hash = seed;
      for (const character of name) hash = Math.imul(hash, 31) + character.codePointAt(0)!;
      return seededRandom(hash);
    },
  };
  return random;
}
