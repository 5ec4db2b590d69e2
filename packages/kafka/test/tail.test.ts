import { setImmediate as turn } from "node:timers/promises";
import { until } from "@heliograph/testkit";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import type { Sink } from "../src/member.ts";
import type { Entry } from "../src/record.ts";
import { Tail } from "../src/tail.ts";

const entry = (offset: number, bytes: number): Entry => ({
  offset: BigInt(offset),
  bytes,
  position: BigInt(offset),
  previous: BigInt(offset - 1),
  shard: 0,
  shardPrevious: BigInt(offset - 1),
  type: "Tested",
  event: () => {
    throw new Error("nobody asked for it");
  },
});

/** A topic, and groups of one member each that fetch when they are told to, as the client does: from a sought offset, not what is paused, from the low end where there is no such offset. */
function openTopic(partitions = 1) {
  const all = Array.from({ length: partitions }, (_, partition) => partition);
  const records = all.map((): Entry[] => []);
  const joinGroup = (sink: Sink) => {
    const at = new Map<number, number>();
    const paused = new Set<number>();
    return {
      at,
      paused,
      pause: (partition: number) => void paused.add(partition),
      resume: (partition: number) => void paused.delete(partition),
      seek: (partition: number, offset: bigint) => void at.set(partition, Number(offset)),
      commit: async () => undefined,
      leave: async () => sink.assigned(new Set()),
      assign(to: readonly number[] = all) {
        paused.clear();
        at.clear();
        for (const partition of to) at.set(partition, 0);
        sink.assigned(new Set(to));
      },
      fetch() {
        for (const [partition, wanted] of at) {
          const end = records[partition]!.length;
          const first = wanted > end ? 0 : wanted;
          if (paused.has(partition) || first === end) continue;
          at.set(partition, end);
          const found = records[partition]!.slice(first);
          sink.records(partition, found, BigInt(first), BigInt(end));
        }
      },
    };
  };
  const groups = new Map<string, ReturnType<typeof joinGroup>>();
  const tail = new Tail(
    {
      ends: async () => all.map((each) => ({ partition: each, high: `${records[each]!.length}` })),
      join(groupId, sink) {
        const group = joinGroup(sink);
        groups.set(groupId, group);
        return group;
      },
    },
    "reader",
  );
  onTestFinished(() => tail.close());
  return {
    tail,
    records,
    append(count: number, { partition = 0, bytes = 100 } = {}) {
      const to = records[partition]!;
      for (let added = 0; added < count; added++) to.push(entry(to.length, bytes));
    },
    reader: () => groups.get("reader")!,
    member(name: string) {
      const given = all.map((): number[] => []);
      const member = tail.join(name, {
        assigned: () => undefined,
        records: (partition, entries) =>
          given[partition]!.push(...entries.map(({ offset }) => Number(offset))),
      });
      const own = groups.get(name)!;
      own.assign();
      return { member, own, given };
    },
  };
}

/** Two members that have come to the end of an empty topic, and are given what the reader fetches. */
async function followed(partitions?: number) {
  const topic = openTopic(partitions);
  const [one, other] = [topic.member("one"), topic.member("other")];
  await turn();
  topic.reader().assign();
  for (const { member } of [one, other])
    for (const partition of topic.records.keys()) member.startsAt(partition, 0n);
  const following = () =>
    until(() => one.own.paused.size === topic.records.length, {
      timeoutMs: 3_000,
      what: "the members follow the reader",
    });
  await following();
  return { ...topic, one, other, following };
}

const upTo = (end: number, from = 0): number[] =>
  Array.from({ length: end - from }, (_, index) => from + index);

afterEach(() => void vi.useRealTimers());

test("a fetch of more than is kept is given whole to everyone who has room", async () => {
  const { append, reader, one, other } = await followed(4);
  for (const partition of upTo(4)) append(9_000, { partition });
  reader().fetch();
  await turn();
  expect([...one.given, ...other.given]).toEqual(Array.from({ length: 8 }, () => upTo(9_000)));
  expect([one.own.paused.size, other.own.paused.size]).toEqual([4, 4]);
});

test("a member without room holds nobody up, and fetches for itself what is kept no longer once it has room", async () => {
  const { append, reader, one, other } = await followed();
  other.member.pause(0);
  for (let fetches = 0; fetches < 4; fetches++) {
    append(5_000);
    reader().fetch();
    await turn();
  }
  expect(one.given).toEqual([upTo(20_000)]);
  expect([other.given, other.own.paused.has(0)]).toEqual([[[]], true]);
  other.member.resume(0);
  await turn();
  expect([other.own.paused.has(0), other.own.at.get(0)]).toEqual([false, 0]);
  other.own.fetch();
  append(1);
  reader().fetch();
  await turn();
  expect(other.given).toEqual([upTo(20_001)]);
});

test.each([
  { what: "8,000 records", count: 9_000, bytes: 100, kept: 8_000 },
  { what: "32 MiB", count: 64, bytes: 1_048_576, kept: 32 },
])("no more than $what are kept", async ({ count, bytes, kept }) => {
  const { append, reader, member } = await followed();
  append(count, { bytes });
  reader().fetch();
  await turn();
  const late = member("late");
  late.member.startsAt(0, BigInt(count - kept - 1));
  expect(late.own.paused.has(0)).toBe(false);
  const later = member("later");
  later.member.startsAt(0, BigInt(count - 10));
  await turn();
  expect(later.given).toEqual([upTo(count, count - 10)]);
});

test("records to which none were added for long are let go once they are given, and closing ends the looks for them", async () => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  const { append, reader, member, one, tail } = await followed();
  append(10);
  reader().fetch();
  vi.advanceTimersByTime(20_000);
  const late = member("late");
  late.member.startsAt(0, 5n);
  expect(late.own.paused.has(0)).toBe(false);
  append(1);
  reader().fetch();
  await turn();
  expect(one.given).toEqual([upTo(11)]);
  await tail.close();
  expect(vi.getTimerCount()).toBe(0);
});

test("when the reader's group is lost everyone fetches for himself from what he wants next, the one without room later", async () => {
  const { append, reader, one, other, following } = await followed();
  append(3);
  reader().fetch();
  await turn();
  other.member.pause(0);
  append(2);
  reader().fetch();
  await turn();
  reader().assign([]);
  expect([one.own.paused.has(0), one.own.at.get(0)]).toEqual([false, 5]);
  expect([other.own.paused.has(0), other.own.at.get(0)]).toEqual([true, 3]);
  append(2);
  other.member.resume(0);
  one.own.fetch();
  other.own.fetch();
  expect([one.given, other.given]).toEqual([[upTo(7)], [upTo(7)]]);
  reader().assign();
  await following();
  append(1);
  reader().fetch();
  await turn();
  expect([one.given, other.given]).toEqual([[upTo(8)], [upTo(8)]]);
});

test("a reader that joins again goes on where it was, and nobody is given anything twice", async () => {
  const { append, reader, one } = await followed();
  append(3);
  reader().fetch();
  reader().assign();
  append(2);
  reader().fetch();
  await turn();
  expect(one.given).toEqual([upTo(5)]);
  expect(one.own.paused.has(0)).toBe(true);
});

test("a member that joins again begins where its group does, and is given no later record before", async () => {
  const { append, reader, one } = await followed();
  append(3);
  reader().fetch();
  await turn();
  one.own.assign();
  append(2);
  reader().fetch();
  await turn();
  expect(one.given).toEqual([upTo(3)]);
  one.own.fetch();
  append(1);
  reader().fetch();
  await turn();
  expect(one.given).toEqual([[...upTo(3), ...upTo(6)]]);
});

test("a topic that was made anew is fetched by everyone for himself, until the reader is at its new end", async () => {
  const { append, reader, records, one, following } = await followed();
  append(10);
  reader().fetch();
  await turn();
  records[0]!.length = 0;
  append(4);
  reader().fetch();
  expect(one.own.paused.has(0)).toBe(false);
  one.own.fetch();
  await following();
  append(1);
  reader().fetch();
  await turn();
  expect(one.given).toEqual([[...upTo(10), ...upTo(5)]]);
});

test.each(["leaves", "loses its partitions"])(
  "what one member alone reads, because its neighbour %s, is fetched by that member",
  async (how) => {
    const { append, other, one, reader } = await followed();
    if (how === "leaves") await other.member.leave();
    else other.own.assign([]);
    expect([one.own.paused.has(0), reader().paused.has(0)]).toEqual([false, true]);
    append(1);
    one.own.fetch();
    await turn();
    expect([one.given, other.given]).toEqual([[[0]], [[]]]);
  },
);
