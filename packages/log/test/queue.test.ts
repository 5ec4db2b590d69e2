import { expect, test } from "vitest";
import { Company } from "../src/company.ts";
import { Queue, type Waiting } from "../src/postgres/queue.ts";

const limits = { maxEvents: 100, maxBytes: 100_000 };
let places = 0;

/** An append of some events of one partner, to a stream of its own unless it is named. */
function waiting(partner: string, events = 1, stream = `s${places++}`, bytes = 10): Waiting {
  const all = Array.from({ length: events }, () => ({ metadata: { partner } }));
  return {
    append: { stream, expected: "any", events: all },
    encoded: all.map(() => ({ data: "", metadata: "" })),
    call: { outcomes: [], left: 1, resolve: () => undefined, reject: () => undefined },
    index: 0,
    bytes,
    attempts: 0,
    giveUpAt: 0,
    alone: false,
    slow: false,
  } as unknown as Waiting;
}
const partnersOf = (items: readonly Waiting[]) =>
  items.map(({ append }) => append.events[0]!.metadata.partner);
const add = (queue: Queue, partner: string, count: number) => {
  for (let n = 0; n < count; n++) queue.add(waiting(partner));
};

test("one alone has whole flushes, and who comes besides him is in the next one, of which he has a part", () => {
  let now = 0;
  const queue = new Queue(limits, new Company(() => now));
  add(queue, "large", 1_000);
  expect(queue.take()).toHaveLength(100);
  add(queue, "small", 3);
  const shared = queue.take();
  expect(partnersOf(shared).filter((partner) => partner === "large")).toHaveLength(25);
  expect(shared).toHaveLength(28);
  // He had the queue to himself until now, which is not held against him: they share from here on.
  expect(new Set(partnersOf(shared.slice(7)))).toEqual(new Set(["large"]));
  now = 2_000;
  expect(queue.take()).toHaveLength(100);
  expect(queue.ready).toBe(1_003 - 228);
});

test("large appends count by what they fill of a flush", () => {
  const queue = new Queue(limits, new Company(() => 0));
  for (let n = 0; n < 20; n++) queue.add(waiting("large", 1, `l${n}`, 5_000));
  for (let n = 0; n < 20; n++) queue.add(waiting("many", 5, `m${n}`));
  const flushes = [queue.take(), queue.take()];
  const bytes = flushes.map((items) => items.reduce((sum, item) => sum + item.bytes, 0));
  for (const each of bytes) expect(each).toBeLessThanOrEqual(25_000 + 5 * 10);
  const all = partnersOf(flushes.flat());
  const shares = ["large", "many"].map((name) => all.filter((partner) => partner === name).length);
  expect(Math.abs(shares[0]! - shares[1]!)).toBeLessThanOrEqual(1);
});

test("what is put back goes first, a stream is in a flush once and in its order, and all that waits can fail", () => {
  const queue = new Queue(limits, new Company(() => 0));
  const inStream = [1, 2, 3].map(() => waiting("a", 1, "one"));
  for (const item of inStream) queue.add(item);
  queue.add(waiting("b"));
  const first = queue.take();
  expect(new Set(partnersOf(first))).toEqual(new Set(["a", "b"]));
  expect(first).toHaveLength(2);
  queue.putBack(first);
  add(queue, "c", 1);
  expect(queue.take().slice(0, 2)).toEqual(first);
  for (const item of first) queue.settle(item, { kind: "conflict", actual: 0 });
  expect(queue.take()).toEqual([inStream[1]]);
  queue.putBack([inStream[1]!]);
  add(queue, "d", 1);
  // The one that was taken and has no answer yet is not of those.
  queue.failAll(new Error("away"));
  expect([queue.size, queue.ready, queue.take()]).toEqual([1, 0, []]);
});

test("what nobody waits for is told apart until somebody does for what hangs behind it", () => {
  const queue = new Queue(limits, new Company(() => 0));
  const patient = (stream: string): Waiting => {
    const item = waiting("a", 1, stream);
    return { ...item, append: { ...item.append, patient: true } };
  };
  const counts = () => [queue.ready, queue.gathered, queue.patient];
  queue.add(patient("one"));
  queue.add(patient("two"));
  add(queue, "a", 1);
  expect(counts()).toEqual([3, 1, 2]);
  queue.add(patient("one"));
  expect(counts()).toEqual([3, 1, 2]);
  queue.add(waiting("a", 1, "two"));
  expect(counts()).toEqual([3, 3, 0]);
  const taken = queue.take();
  expect(counts()).toEqual([0, 0, 0]);
  for (const item of taken) queue.settle(item, { kind: "conflict", actual: 0 });
  expect(counts()).toEqual([2, 1, 1]);
  // Somebody waits behind two in a row, of which the second comes to its turn only now.
  queue.add(patient("three"));
  queue.add(patient("three"));
  queue.add(waiting("a", 1, "three"));
  for (const item of queue.take()) queue.settle(item, { kind: "conflict", actual: 0 });
  expect(counts()).toEqual([1, 1, 0]);
});

test("many who have little each fill whole flushes together", () => {
  const queue = new Queue(limits, new Company(() => 0));
  for (let n = 0; n < 300; n++) queue.add(waiting(`p${n % 60}`));
  for (let n = 0; n < 3; n++) expect(queue.take()).toHaveLength(100);
});
