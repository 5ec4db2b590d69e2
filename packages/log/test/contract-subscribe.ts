import { loosely, until } from "@heliograph/testkit";
import { describe, expect, it } from "vitest";
import type { Opened } from "./contract-open.ts";
import { event, inOrder, newStream, watch } from "./support.ts";

/** The part of the contract about subscriptions. `opened` gives the log of the test that runs. */
export function subscribeContract(opened: () => Opened, dense: boolean): void {
  describe("subscribe", () => {
    it("yields at once on an empty log, and says that it has caught up", async () => {
      const watcher = watch(opened().log, { after: 0n });
      await until(() => watcher.batches === 1);
      expect(watcher.caughtUp).toBe(true);
      expect(watcher.position).toBe(dense ? 0n : await opened().log.head());
      await watcher.stop();
    });

    it("gives what is there and then what comes, from the position asked for", async () => {
      await opened().log.append(Array.from({ length: 3 }, () => newStream()));
      const [first] = (await opened().log.readAll({ after: 0n, limit: 1 })).events;
      const watcher = watch(opened().log, { after: first!.position });
      await until(() => watcher.events.length === 2 && watcher.caughtUp);
      await opened().log.append([newStream(), newStream()]);
      await until(() => watcher.events.length === 4);
      await watcher.stop();
      expect(inOrder(watcher.events, dense, first!.position)).toBe(true);
    });

    it("gives events of another process too", async () => {
      const watcher = watch(opened().log, { after: 0n });
      await until(() => watcher.batches > 0);
      await opened().other.append([newStream()]);
      await opened().log.append([newStream()]);
      await until(() => watcher.events.length === 2);
      await watcher.stop();
      expect(inOrder(watcher.events, dense)).toBe(true);
    });

    it("sees every event once and in order while 64 writers in two processes append", async () => {
      const early = watch(opened().log, { after: 0n });
      const elsewhere = watch(opened().other, { after: 0n });
      let total = 0;
      const writers = Array.from({ length: 64 }, async (_, index) => {
        const mine = index % 2 === 0 ? opened().log : opened().other;
        for (let round = 0; round < 10; round++) {
          const events = Array.from({ length: 1 + (index % 3) }, () => event());
          await mine.append([{ ...newStream(), events }]);
          total += events.length;
        }
      });
      const late = Promise.all(writers.slice(0, 8)).then(() =>
        watch(opened().log, { after: 0n, maxEvents: 7 }),
      );
      await Promise.all(writers);
      const head = await opened().log.head();
      const watchers = [early, elsewhere, await late];
      for (const watcher of watchers) {
        await until(() => watcher.position >= head);
        await watcher.stop();
        expect(watcher.events).toHaveLength(total);
        expect(inOrder(watcher.events, dense)).toBe(true);
      }
      const { events } = await opened().log.readAll({ after: 0n, limit: 10_000 });
      expect(early.events).toEqual(events);
      expect(elsewhere.events).toEqual(events);
    });

    it("moves the position past events that its filter leaves out", async () => {
      const watcher = watch(opened().log, { after: 0n, types: loosely(["Wanted"]) });
      await opened().log.append([newStream(), newStream({ type: "Wanted" }), newStream()]);
      await opened().other.append([newStream()]);
      const head = await opened().log.head();
      await until(() => watcher.position >= head);
      await watcher.stop();
      expect(watcher.events.map((each) => each.type)).toEqual(["Wanted"]);
      expect(watcher.caughtUp).toBe(true);
    });

    it("yields no more than maxEvents at once, and has caught up only at the end", async () => {
      await opened().log.append(Array.from({ length: 10 }, () => newStream()));
      const abort = new AbortController();
      const sizes: [number, boolean][] = [];
      const wanted = { after: 0n, maxEvents: 4, signal: abort.signal };
      for await (const batch of opened().log.subscribe(wanted)) {
        sizes.push([batch.events.length, batch.caughtUp]);
        if (batch.caughtUp) abort.abort();
      }
      expect(sizes).toEqual([
        [4, false],
        [4, false],
        [2, true],
      ]);
    });

    it("ends when its signal is aborted, before, during and between batches", async () => {
      const aborted = AbortSignal.abort();
      for await (const _ of opened().log.subscribe({ after: 0n, signal: aborted }))
        expect.unreachable();
      const watcher = watch(opened().log, { after: 0n });
      await until(() => watcher.batches > 0);
      await watcher.stop();
    });

    it("can be left with break and taken up again", async () => {
      await opened().log.append([newStream(), newStream()]);
      const { signal } = new AbortController();
      for (const _ of [1, 2]) {
        for await (const batch of opened().log.subscribe({ after: 0n, signal })) {
          expect(batch.events).toHaveLength(2);
          break;
        }
      }
    });
  });
}
