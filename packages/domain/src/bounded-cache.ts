/** A map that forgets: what was used lately, up to `capacity`, at most twice that while one generation replaces the other. */
export type BoundedCache<Key, Value> = {
  get(key: Key): Value | undefined;
  set(key: Key, value: Value): void;
  delete(key: Key): void;
};

/**
 * Two generations instead of a linked list: a hit in the old one moves the entry to the new one, and a full new one
 * becomes the old one. Costs one map operation per hit where a strict LRU costs two.
 *
 * Without `weigh` the capacity counts entries. Where the size of a value is up to somebody else, `weigh` gives its bytes and the
 * capacity is in bytes; it must be cheap and give the same number for the same value every time. What is heavier than the whole
 * capacity is not kept.
 */
export function boundedCache<Key, Value>(
  capacity: number,
  weigh: (value: Value) => number = () => 1,
): BoundedCache<Key, Value> {
  let young = new Map<Key, Value>();
  let old = new Map<Key, Value>();
  let weight = 0;

  function drop(key: Key): void {
    const value = young.get(key);
    if (value !== undefined && young.delete(key)) weight -= weigh(value);
  }
  function set(key: Key, value: Value): void {
    const added = weigh(value);
    drop(key);
    if (added > capacity) {
      old.delete(key);
      return;
    }
    if (weight + added > capacity) {
      old = young;
      young = new Map();
      weight = 0;
    }
    young.set(key, value);
    weight += added;
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
      drop(key);
      old.delete(key);
    },
  };
}
