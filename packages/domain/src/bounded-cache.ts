/** A map that forgets: at most `capacity` entries that were used lately, at most twice that while one generation replaces the other. */
export type BoundedCache<Key, Value> = {
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): void;
  delete(key: Key): void;
  readonly size: number;
};

/**
 * Two generations instead of a linked list: a hit in the old one moves the entry to the new one, and a full new one
 * becomes the old one. Costs one map operation per hit where a strict LRU costs two.
 */
export function boundedCache<Key, Value>(capacity: number): BoundedCache<Key, Value> {
  let young = new Map<Key, Value>();
  let old = new Map<Key, Value>();
  function set(key: Key, value: Value): void {
    young.set(key, value);
    if (young.size < capacity) return;
    old = young;
    young = new Map();
  }
  return {
    get(key) {
      const value = young.get(key);
      if (value !== undefined) return value;
      const aged = old.get(key);
      if (aged !== undefined) set(key, aged);
      return aged;
    },
    set,
    delete(key) {
      young.delete(key);
      old.delete(key);
    },
    get size() {
      return young.size + old.size;
    },
  };
}
