import type { EventType } from "@heliograph/contracts";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Feed } from "../src/feed.ts";
import type { RecordedEvent } from "../src/index.ts";

const everyMs = 7;
/** A commit is seen by a read before its own process has the answer. */
const answerMs = 6;

/** A log of which this process and others commit an event now and then, and nobody tells of theirs. */
function quietLog() {
  const stored: RecordedEvent[] = [];
  const read: RecordedEvent[] = [];
  let reads = 0;
  const feed = new Feed({
    async readAll({ after, limit, types }) {
      reads++;
      const behind = stored.filter(({ position }) => position > after);
      const head = BigInt(stored.length);
      const asked = behind.filter(({ type }) => types?.includes(type) ?? true);
      const events = asked.slice(0, limit);
      read.push(...events);
      const position = events.length === limit ? events.at(-1)!.position : head;
      return { events, position, head };
    },
    head: async () => BigInt(stored.length),
    listening: () => true,
  });
  const ended = new AbortController();
  const following: Promise<void>[] = [];
  const commit = (type: EventType): RecordedEvent => {
    const position = BigInt(stored.length + 1);
    const event = { position, id: `${position}`, type, data: {}, metadata: {} };
    stored.push(event as unknown as RecordedEvent);
    return stored.at(-1)!;
  };
  return {
    /** What was read of the store. */
    read,
    /** Gives a list of what comes, that grows. */
    follow(types?: readonly EventType[]): readonly RecordedEvent[] {
      const seen: RecordedEvent[] = [];
      const follow = async (): Promise<void> => {
        const request = { after: 0n, signal: ended.signal, ...(types && { types }) };
        for await (const { events } of feed.subscribe(request)) seen.push(...events);
      };
      following.push(follow());
      return seen;
    },
    /** Reads while so much is committed. */
    async readsWhile(
      whose: "own" | "others'",
      commits: number,
      type: EventType = "MessageSent",
    ): Promise<number> {
      const before = reads;
      for (let count = 0; count < commits; count++) {
        const event = commit(type);
        if (whose === "own") setTimeout(() => feed.offer([event], 1), answerMs);
        await vi.advanceTimersByTimeAsync(everyMs);
      }
      return reads - before;
    },
    async close() {
      ended.abort();
      await feed.close();
      await Promise.all(following);
    },
  };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("What a process commits itself keeps it from no rest: it does not look for others as if it had found some", async () => {
  const log = quietLog();
  const seen = log.follow();
  // From 5 ms to a second in eight looks, then one a second.
  expect(await log.readsWhile("own", 300)).toBeLessThan(20);
  expect(seen).toHaveLength(300);
  await log.close();
});

test("Others of whom no word comes are found by looking, and the more often for as long as there is something", async () => {
  const log = quietLog();
  const seen = log.follow();
  await log.readsWhile("own", 300);
  await log.readsWhile("others'", 200);
  const before = seen.length;
  expect(await log.readsWhile("others'", 50)).toBeGreaterThan(40);
  expect(seen.length - before).toBeGreaterThan(45);
  await log.close();
});

test("Of what others commit a process reads what somebody in it asks for, and who comes for more is given all of it, once and in order", async () => {
  const log = quietLog();
  const sent = log.follow(["MessageSent"]);
  for (let round = 0; round < 20; round++) {
    await log.readsWhile("others'", 3, "MessageRead");
    await log.readsWhile("own", 2, "MessageRead");
    await log.readsWhile("own", 2, "MessageSent");
    await log.readsWhile("others'", 1, "MessageSent");
  }
  expect(log.read.filter(({ type }) => type === "MessageRead")).toEqual([]);
  const both = log.follow(["MessageRead", "MessageSent"]);
  await log.readsWhile("own", 10, "MessageRead");
  await log.readsWhile("others'", 10, "MessageSent");
  const all = log.follow();
  await log.readsWhile("own", 10, "MessageDelivered");
  await vi.advanceTimersByTimeAsync(2_000);
  expect(sent).toHaveLength(70);
  expect(both).toHaveLength(180);
  expect(all).toHaveLength(190);
  for (const seen of [sent, both, all])
    expect(seen).toEqual(seen.toSorted((one, other) => Number(one.position - other.position)));
  await log.close();
});
