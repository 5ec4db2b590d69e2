import { loosely } from "@heliograph/testkit";
import { describe, expect, it } from "vitest";
import type { EventLog, ReadStreamOptions, RecordedEvent } from "../src/index.ts";
import { event, newStream } from "./support.ts";

/** More than two pages of a thousand. */
const many = 2_300;
/** Ten of them fill a page of 8 MiB. */
const large = { text: "x".repeat(900_000) };

/** Reads of whole streams: everything that is there, however much it is. */
export function readsContract(log: () => EventLog): void {
  const fill = async (count: number, data: object = { n: 1 }): Promise<string> => {
    const { stream } = newStream();
    // EventStoreDB takes appends of up to 1 MiB.
    const atOnce = data === large ? 1 : 1_000;
    for (let from = 0; from < count; from += atOnce) {
      const events = Array.from({ length: Math.min(atOnce, count - from) }, () => event({ data }));
      await log().append([{ stream, expected: from === 0 ? "no_stream" : from - 1, events }]);
    }
    return stream;
  };
  const revisions = (events: readonly RecordedEvent[]) => events.map(({ revision }) => revision);
  const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

  describe("reads of whole streams", () => {
    it("reads a stream from a revision, to a limit, forwards and backwards", async () => {
      const append = { ...newStream(), events: Array.from({ length: 5 }, () => event()) };
      await log().append([append]);
      const read = async (options?: ReadStreamOptions) =>
        revisions(await log().readStream(append.stream, options));
      expect(await read()).toEqual([0, 1, 2, 3, 4]);
      expect(await read({ from: 3 })).toEqual([3, 4]);
      expect(await read({ from: 1, limit: 2 })).toEqual([1, 2]);
      expect(await read({ backwards: true, limit: 2 })).toEqual([4, 3]);
      expect(await read({ backwards: true, from: 2 })).toEqual([2, 1, 0]);
      expect(await read({ from: 9 })).toEqual([]);
    });

    it("reads many streams at once, each to the limit, missing ones as empty", async () => {
      const appends = [1, 2, 3].map((count) => ({
        ...newStream(),
        events: Array.from({ length: count }, () => event()),
      }));
      await log().append(appends);
      const names = [...appends.map((append) => append.stream), "test-missing"];
      const found = await log().readStreams(names, { limit: 2 });
      expect([...found.keys()]).toEqual(names);
      expect([...found.values()].map((list) => list.map((each) => each.revision))).toEqual([
        [0],
        [0, 1],
        [0, 1],
        [],
      ]);
      expect((await log().readStreams([])).size).toBe(0);
    });

    it("gives every event of a stream of several pages, in either direction", async () => {
      const stream = await fill(many);
      expect(revisions(await log().readStream(stream))).toEqual(upTo(many));
      const backwards = await log().readStream(stream, { backwards: true });
      expect(revisions(backwards)).toEqual(upTo(many).toReversed());
      const part = await log().readStream(stream, { from: 100, limit: 1_500 });
      expect(revisions(part)).toEqual(upTo(1_600).slice(100));
    });

    it("gives long and short streams together, each whole", async () => {
      const streams = [await fill(1), await fill(many), await fill(1_000), await fill(2)];
      const found = await log().readStreams(streams);
      expect([...found.values()].map(revisions)).toEqual([1, many, 1_000, 2].map(upTo));
      const some = await log().readStreams(streams, { limit: 1_200 });
      expect([...some.values()].map((each) => each.length)).toEqual([1, 1_200, 1_000, 2]);
    });

    it("gives every event where a few fill a page by their size", async () => {
      const streams = [await fill(12, large), await fill(1), await fill(10, large)];
      expect(revisions(await log().readStream(streams[0]!))).toEqual(upTo(12));
      const found = await log().readStreams(streams);
      expect([...found.values()].map(revisions)).toEqual([12, 1, 10].map(upTo));
      const all: RecordedEvent[] = [];
      for (let after = 0n, pages = 0; ; pages++) {
        const page = await log().readAll({ after, limit: 500 });
        all.push(...page.events);
        after = page.position;
        if (after < page.head) continue;
        // By their number they are one page.
        expect(pages).toBeGreaterThan(1);
        break;
      }
      expect(all).toHaveLength(23);
      const tested = await log().readAll({ after: 0n, limit: 500, types: loosely(["Tested"]) });
      expect(tested.events.length).toBeLessThan(12);
      expect(tested.position).toBe(tested.events.at(-1)!.position);
    });

    it("goes through a stream page by page", async () => {
      const stream = await fill(many);
      const seen: RecordedEvent[] = [];
      for await (const each of log().scanStream(stream, { from: 5 })) seen.push(each);
      expect(revisions(seen)).toEqual(upTo(many).slice(5));
    });

    it("reads the same for a partner", async () => {
      const stream = await fill(many);
      const own = log().forPartner("ptn_1");
      expect(revisions(await own.readStream(stream))).toEqual(upTo(many));
      expect((await own.readStreams([stream])).get(stream)).toHaveLength(many);
      const [first] = await own.readStream(stream, { limit: 1 });
      expect(await own.readAt(first!.position)).toEqual(first);
      expect(await own.head()).toBe(await log().head());
    });
  });
}
