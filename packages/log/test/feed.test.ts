import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Feed } from "../src/feed.ts";
import type { RecordedEvent } from "../src/index.ts";

const everyMs = 7;
/** A commit is seen by a read before its own process has the answer. */
const answerMs = 6;

/** A log of which this process and others commit an event now and then, and nobody tells of theirs. */
function quietLog() {
  const stored: RecordedEvent[] = [];
  const seen: bigint[] = [];
  let reads = 0;
  const feed = new Feed({
    async readAll({ after, limit }) {
      reads++;
      const events = stored.filter(({ position }) => position > after).slice(0, limit);
      const head = BigInt(stored.length);
      return { events, position: events.at(-1)?.position ?? after, head };
    },
    head: async () => BigInt(stored.length),
    listening: () => true,
  });
  const ended = new AbortController();
  const commit = (): RecordedEvent => {
    const position = BigInt(stored.length + 1);
    const event = { position, id: `${position}`, type: "Noted", data: {}, metadata: {} };
    stored.push(event as unknown as RecordedEvent);
    return stored.at(-1)!;
  };
  const follow = async (): Promise<void> => {
    for await (const { events } of feed.subscribe({ after: 0n, signal: ended.signal }))
      for (const { position } of events) seen.push(position);
  };
  const following = follow();
  return {
    seen,
    /** Reads while so much is committed. */
    async readsWhile(whose: "own" | "others'", commits: number): Promise<number> {
      const before = reads;
      for (let count = 0; count < commits; count++) {
        const event = commit();
        if (whose === "own") setTimeout(() => feed.offer([event], 1), answerMs);
        await vi.advanceTimersByTimeAsync(everyMs);
      }
      return reads - before;
    },
    async close() {
      ended.abort();
      await feed.close();
      await following;
    },
  };
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("What a process commits itself keeps it from no rest: it does not look for others as if it had found some", async () => {
  const log = quietLog();
  // From 5 ms to a second in eight looks, then one a second.
  expect(await log.readsWhile("own", 300)).toBeLessThan(20);
  expect(log.seen).toHaveLength(300);
  await log.close();
});

test("Others of whom no word comes are found by looking, and the more often for as long as there is something", async () => {
  const log = quietLog();
  await log.readsWhile("own", 300);
  await log.readsWhile("others'", 200);
  const seen = log.seen.length;
  expect(await log.readsWhile("others'", 50)).toBeGreaterThan(40);
  expect(log.seen.length - seen).toBeGreaterThan(45);
  await log.close();
});
