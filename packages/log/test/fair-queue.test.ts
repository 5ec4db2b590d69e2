import fc from "fast-check";
import { expect, test } from "vitest";
import { FairQueue } from "../src/fair-queue.ts";

type Item = { readonly name: string; readonly place: number; readonly cost: number };

const maxCost = 9;
const names = ["a", "b", "c", "d"] as const;
const steps = fc.array(
  fc.oneof(
    fc.record({
      add: fc.constantFrom(...names),
      count: fc.integer({ min: 1, max: 30 }),
      cost: fc.integer({ min: 1, max: maxCost }),
    }),
    fc.record({ take: fc.integer({ min: 1, max: 25 }) }),
  ),
  { maxLength: 40 },
);

/** Runs the steps and gives each item that was taken to `taken`, with what waited before. */
function run(
  all: readonly ({ add: string; count: number; cost: number } | { take: number })[],
  taken: (item: Item, queue: FairQueue<Item>, waited: ReadonlyMap<string, number>) => void,
): void {
  const queue = new FairQueue<Item>();
  const places = new Map<string, number>();
  for (const step of all) {
    if ("add" in step)
      for (let n = 0; n < step.count; n++) {
        const place = places.get(step.add) ?? 0;
        places.set(step.add, place + 1);
        queue.push(step.add, { name: step.add, place, cost: step.cost }, step.cost);
      }
    else
      for (let n = 0; n < step.take && queue.size > 0; n++) {
        const waited = new Map(names.map((name) => [name, queue.sizeOf(name)]));
        const next = queue.peek()!;
        const item = queue.shift()!;
        expect(item).toBe(next);
        taken(item, queue, waited);
      }
  }
}

test("while two wait, what they were given differs by an item of each at most, over any window", () => {
  fc.assert(
    fc.property(steps, (all) => {
      /** Of each pair: what the first was given more than the second at each moment since both began to wait together. */
      const pairs = new Map<string, { sum: number; least: number; most: number }>();
      run(all, (item, _, waited) => {
        for (const one of names)
          for (const other of names) {
            if (one >= other) continue;
            const key = one + other;
            if (waited.get(one) === 0 || waited.get(other) === 0) {
              pairs.delete(key);
              continue;
            }
            const pair = pairs.get(key) ?? { sum: 0, least: 0, most: 0 };
            pair.sum += item.name === one ? item.cost : item.name === other ? -item.cost : 0;
            pair.least = Math.min(pair.least, pair.sum);
            pair.most = Math.max(pair.most, pair.sum);
            pairs.set(key, pair);
            expect(pair.most - pair.least).toBeLessThanOrEqual(2 * maxCost);
          }
      });
    }),
    { numRuns: 300 },
  );
});

test("who begins to wait is next after an item of each of the others and its neighbours' like starts, and each keeps its own order", () => {
  fc.assert(
    fc.property(steps, (all) => {
      const next = new Map<string, number>();
      /** Of a name that waits: what each of the others was given since its last turn. */
      const since = new Map<string, Map<string, number>>();
      run(all, (item, queue) => {
        expect(item.place).toBe(next.get(item.name) ?? 0);
        next.set(item.name, item.place + 1);
        since.delete(item.name);
        for (const name of names) {
          if (name === item.name || queue.sizeOf(name) === 0) continue;
          const others = since.get(name) ?? new Map<string, number>();
          others.set(item.name, (others.get(item.name) ?? 0) + item.cost);
          since.set(name, others);
          for (const given of others.values()) expect(given).toBeLessThanOrEqual(3 * maxCost);
        }
      });
    }),
    { numRuns: 300 },
  );
});

test("it gives as long as it has something, all to one where nobody else waits", () => {
  fc.assert(
    fc.property(steps, (all) => {
      let left = 0;
      const queue = new FairQueue<number>();
      for (const step of all)
        if ("add" in step) {
          for (let n = 0; n < step.count; n++) queue.push(step.add, n, step.cost);
          left += step.count;
        } else
          for (let n = 0; n < step.take; n++) {
            expect(queue.shift() === undefined).toBe(left === 0);
            left = Math.max(0, left - 1);
          }
      expect(queue.size).toBe(left);
      expect(queue.names).toBe(names.filter((name) => queue.sizeOf(name) > 0).length);
    }),
  );
});

test("a thousand of one keep another waiting for one of them, whatever he had before", () => {
  const queue = new FairQueue<string>();
  const taken = (count: number) => Array.from({ length: count }, () => queue.shift());
  for (let n = 0; n < 1_000; n++) queue.push("large", "large");
  expect(new Set(taken(500))).toEqual(new Set(["large"]));
  queue.push("small", "small");
  expect(taken(2)).toContain("small");
  // He was alone for long, which is held against nobody.
  for (let n = 0; n < 3; n++) queue.push("small", "small");
  expect(taken(6).filter((name) => name === "small")).toHaveLength(3);
});
