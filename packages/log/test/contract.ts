import fc from "fast-check";
import { loosely, until } from "@heliograph/testkit";
import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { LogUnavailable, type EventLog, type Outcome } from "../src/index.ts";
import { readsContract } from "./contract-reads.ts";
import type { Open, Opened } from "./contract-open.ts";
import { refusalsContract } from "./contract-refusals.ts";
import { subscribeContract } from "./contract-subscribe.ts";
import { event, inOrder, newStream, watch } from "./support.ts";

/** What every driver must do. A driver's own tests come on top, never instead. */
export function contract(name: string, open: Open, positions: "dense" | "sparse" = "dense"): void {
  /** Positions count the events where they are dense; elsewhere they only grow, and a count says nothing of the end. */
  const dense = positions === "dense";
  describe(`${name} log`, () => {
    let opened: Opened;
    let log: EventLog;
    beforeEach(async () => {
      opened = await open({});
      log = opened.log;
    });
    /** Says that the log holds so many events, and that its positions are in order. */
    const expectCount = async (count: number): Promise<void> => {
      const { events } = await log.readAll({ after: 0n, limit: 10_000 });
      expect(events).toHaveLength(count);
      if (dense) expect(await log.head()).toBe(BigInt(count));
      expect(inOrder(events, dense)).toBe(true);
    };
    /** The position of the n-th event, from 1. */
    const positionOf = async (n: number): Promise<bigint> =>
      n === 0 ? 0n : (await log.readAll({ after: 0n, limit: n })).events[n - 1]!.position;
    afterEach(() => opened.close());

    const one = async (append: Parameters<EventLog["append"]>[0][number]) =>
      (await log.append([append]))[0]!;

    describe("append", () => {
      it("starts a stream at revision 0, at the first position", async () => {
        const outcome = await one(newStream());
        expect(outcome).toMatchObject({
          kind: "appended",
          revision: 0,
          position: await positionOf(1),
        });
        if (dense) expect(outcome).toMatchObject({ position: 1n });
        await expectCount(1);
      });

      it("gives the revision and position of the last event of the append", async () => {
        const append = { ...newStream(), events: [event(), event(), event()] };
        const outcome = await one(append);
        expect(outcome).toMatchObject({
          kind: "appended",
          revision: 2,
          position: await positionOf(3),
        });
      });

      it("continues a stream at the expected revision", async () => {
        const { stream } = newStream();
        await one({ stream, expected: "no_stream", events: [event(), event()] });
        const next = await one({ stream, expected: 1, events: [event()] });
        expect(next).toMatchObject({
          kind: "appended",
          revision: 2,
          position: await positionOf(3),
        });
      });

      it("appends at any revision, to new and to old streams, one event or several", async () => {
        const { stream } = newStream();
        for (const [events, revision] of [
          [[event()], 0],
          [[event()], 1],
          [[event(), event()], 3],
        ] as const) {
          const outcome = await one({ stream, expected: "any", events });
          expect(outcome).toMatchObject({ kind: "appended", revision });
        }
      });

      it("refuses no_stream where there is one and tells its revision", async () => {
        const append = newStream();
        await one(append);
        const again = { ...append, events: [event()] };
        expect(await one(again)).toEqual({ kind: "conflict", actual: 0 });
        await expectCount(1);
      });

      it("refuses a revision of a stream that does not exist", async () => {
        expect(await one({ ...newStream(), expected: 4 })).toEqual({
          kind: "conflict",
          actual: -1,
        });
        await expectCount(0);
      });

      it("refuses a revision that lies in the future", async () => {
        const append = newStream();
        await one(append);
        const early = { ...append, expected: 5, events: [event()] };
        expect(await one(early)).toEqual({ kind: "conflict", actual: 0 });
      });

      it("calls a repetition a duplicate and gives the place of what is stored", async () => {
        const append = { ...newStream(), events: [event(), event()] };
        const first = await one(append);
        await one({ stream: append.stream, expected: 1, events: [event()] });
        expect(await one(append)).toEqual({ ...first, kind: "duplicate" });
        await expectCount(3);
      });

      it("calls the repetition of a single event in mid-stream a duplicate", async () => {
        const { stream } = newStream();
        await one({ stream, expected: "no_stream", events: [event()] });
        const repeated = { stream, expected: 0, events: [event()] };
        const first = await one(repeated);
        await one({ stream, expected: 1, events: [event()] });
        expect(await one(repeated)).toEqual({ ...first, kind: "duplicate" });
      });

      it("calls it a conflict when only some of the ids are those stored", async () => {
        const append = { ...newStream(), events: [event(), event()] };
        await one(append);
        const [first] = append.events;
        const mixed = { ...append, events: [first!, event()] };
        expect(await one(mixed)).toEqual({ kind: "conflict", actual: 1 });
      });

      it("calls it a conflict when more is offered than was stored", async () => {
        const append = newStream();
        await one(append);
        const more = { ...append, events: [...append.events, event()] };
        expect(await one(more)).toEqual({ kind: "conflict", actual: 0 });
      });

      it("decides every append of a batch by itself, and leaves no hole for the refused", async () => {
        const known = newStream();
        await one(known);
        const outcomes = await log.append([
          newStream(),
          { ...known, events: [event()] },
          { ...newStream(), events: [] },
          known,
          { ...newStream(), expected: 3 },
          { ...newStream(), events: [event(), event()] },
          { stream: known.stream, expected: "any", events: [event()] },
        ]);
        expect(outcomes.map((outcome) => outcome.kind)).toEqual([
          "appended",
          "conflict",
          "invalid",
          "duplicate",
          "conflict",
          "appended",
          "appended",
        ]);
        await expectCount(5);
      });

      it("keeps the order of appends to one stream, also within one call", async () => {
        const { stream } = newStream();
        const appends = Array.from({ length: 20 }, (_, index) => ({
          stream,
          expected: index === 0 ? ("no_stream" as const) : index - 1,
          events: [event({ data: { index } })],
        }));
        const outcomes = await log.append(appends);
        expect(outcomes.every((outcome) => outcome.kind === "appended")).toBe(true);
        const stored = await log.readStream(stream);
        expect(stored.map((each) => loosely(each.data).index)).toEqual(
          appends.map((_, index) => index),
        );
      });

      it("lets exactly one of many win who expect the same revision", async () => {
        const { stream } = newStream();
        const outcomes = await Promise.all(
          Array.from({ length: 30 }, (_, index) =>
            (index % 2 === 0 ? log : opened.other).append([
              { stream, expected: "no_stream", events: [event()] },
            ]),
          ),
        );
        const kinds = outcomes.flat().map((outcome) => outcome.kind);
        expect(kinds.filter((kind) => kind === "appended")).toHaveLength(1);
        expect(kinds.filter((kind) => kind === "conflict")).toHaveLength(29);
        await expectCount(1);
      });

      it.each([
        ["a stream name with a line feed", { stream: "test-a\nb" }],
        ["an empty stream name", { stream: "" }],
        ["a stream name of 256 characters", { stream: "x".repeat(256) }],
        ["a NUL in a type", { events: [event({ type: "A\u0000" })] }],
        ["an id that is no UUID", { events: [event({ id: "1" })] }],
        ["a version of 0", { events: [event({ version: 0 })] }],
        ["data that is not JSON", { events: [event({ data: { n: 1n } })] }],
        ["data of 2 MiB", { events: [event({ data: { text: "x".repeat(2_097_152) } })] }],
        ["a broken expectation", { expected: -7 }],
        ["1,001 events", { events: Array.from({ length: 1_001 }, () => event()) }],
        [
          "17 MB",
          {
            events: Array.from({ length: 17 }, () =>
              event({ data: { text: "x".repeat(1_000_000) } }),
            ),
          },
        ],
      ])("refuses %s as invalid and stores the neighbours", async (_, part) => {
        const outcomes = await log.append([newStream(), { ...newStream(), ...part }, newStream()]);
        expect(outcomes.map((outcome) => outcome.kind)).toEqual([
          "appended",
          "invalid",
          "appended",
        ]);
        await expectCount(2);
      });

      it("takes an append of exactly 1,000 events", async () => {
        const most = { ...newStream(), events: Array.from({ length: 1_000 }, () => event()) };
        expect(await one(most)).toMatchObject({ kind: "appended", revision: 999 });
      });

      it("gives no outcomes for no appends", async () => {
        expect(await log.append([])).toEqual([]);
      });
    });

    it("stores what JSON can say exactly as it was said", async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue({ maxDepth: 4 })),
          fc.stringMatching(/^[ -~\u00a0-\ud7ff]{1,60}$/),
          async (data, streamName) => {
            const stream = `${streamName}-${randomUUID()}`;
            const kept = JSON.parse(JSON.stringify(data));
            const append = {
              stream,
              expected: "no_stream",
              events: [event({ data: kept })],
            } as const;
            const [outcome] = await log.append([append, newStream()]);
            expect(outcome!.kind).toBe("appended");
            const [stored] = await log.readStream(stream);
            expect(stored!.stream).toBe(stream);
            expect(stored!.data).toEqual(kept);
          },
        ),
        { numRuns: 40 },
      );
    });

    it("agrees with a model of a log whatever is appended", async () => {
      const ids = Array.from({ length: 6 }, () => randomUUID());
      const step = fc.record({
        stream: fc.constantFrom("model-a", "model-b", "model-c"),
        expected: fc.constantFrom("no_stream" as const, "any" as const, 0, 1, 2, 3),
        ids: fc.array(fc.constantFrom(...ids), { minLength: 1, maxLength: 3 }),
      });
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.array(step, { minLength: 1, maxLength: 4 })),
          async (calls) => {
            const run = randomUUID();
            const model = new Map<string, string[]>();
            for (const call of calls) {
              const appends = call.map((each) => ({
                stream: `${each.stream}-${run}`,
                expected: each.expected,
                events: each.ids.map((id) => event({ id })),
              }));
              const outcomes = await log.append(appends);
              for (const [index, { stream, expected, events }] of appends.entries()) {
                const stored = model.get(stream) ?? [];
                const offered = events.map((each) => each.id);
                expect(summary(outcomes[index]!)).toEqual(decide(stored, expected, offered));
                if (outcomes[index]!.kind === "appended")
                  model.set(stream, [...stored, ...offered]);
              }
            }
            for (const [stream, stored] of model) {
              expect((await log.readStream(stream)).map((each) => each.id)).toEqual(stored);
            }
          },
        ),
        { numRuns: 25 },
      );
      const { events, head } = await log.readAll({ after: 0n, limit: 10_000 });
      if (dense) expect(BigInt(events.length)).toBe(head);
      expect(inOrder(events, dense)).toBe(true);
    });

    describe("read", () => {
      it("gives everything that was stored about an event", async () => {
        const before = Date.now();
        const given = event({ version: 3, data: { a: ["ü", null, 1.5] } });
        const append = { ...newStream(), events: [given] };
        await one(append);
        const [stored] = await log.readStream(append.stream);
        expect(stored).toMatchObject({
          ...given,
          stream: append.stream,
          revision: 0,
          position: await positionOf(1),
        });
        expect(await log.readAt(stored!.position)).toEqual(stored);
        expect(stored!.recordedAt).toBeGreaterThan(before - 60_000);
        expect(stored!.recordedAt).toBeLessThan(Date.now() + 60_000);
      });

      it("reads all in pages, and says how far it looked and where the end is", async () => {
        await log.append(Array.from({ length: 7 }, () => newStream()));
        const first = await log.readAll({ after: 0n, limit: 4 });
        expect(first.position).toBe(first.events[3]!.position);
        const second = await log.readAll({ after: first.position, limit: 4 });
        const all = [...first.events, ...second.events];
        expect(all).toHaveLength(7);
        expect(inOrder(all, dense)).toBe(true);
        const end = all[6]!.position;
        expect(second.position).toBeGreaterThanOrEqual(end);
        expect(second.head).toBe(second.position);
        expect(first.head).toBeGreaterThanOrEqual(end);
        expect(await log.readAll({ after: second.position, limit: 4 })).toEqual({
          events: [],
          position: second.position,
          head: second.head,
        });
        expect(log.span(0n, end)).toBeGreaterThan(0);
        expect(log.span(end, end)).toBe(0);
        if (dense) expect([end, log.span(0n, end)]).toEqual([7n, 7]);
      });

      it("moves the position past events that the filter leaves out", async () => {
        const types = ["A", "B", "A", "C", "C"];
        await log.append(types.map((type) => newStream({ type })));
        const all = (await log.readAll({ after: 0n, limit: 10 })).events;
        // Independent appends of one call have no order among them.
        const find = (...wanted: string[]) => all.filter(({ type }) => wanted.includes(type));
        const page = await log.readAll({ after: 0n, limit: 10, types: loosely(["A", "B"]) });
        expect(page.events).toEqual(find("A", "B"));
        expect(page.position).toBeGreaterThanOrEqual(all[4]!.position);
        const full = await log.readAll({ after: 0n, limit: 2, types: loosely(["A"]) });
        expect(full.position).toBe(find("A")[1]!.position);
        const none = await log.readAll({ after: 0n, limit: 2, types: loosely(["Z"]) });
        expect(none.events).toEqual([]);
        expect(none.position).toBe(none.head);
      });

      it("reads the event at a position, and nothing where there is none", async () => {
        await log.append(Array.from({ length: 3 }, () => newStream()));
        const { events } = await log.readAll({ after: 0n, limit: 10 });
        for (const each of events) expect(await log.readAt(each.position)).toEqual(each);
        expect(await log.readAt(events[2]!.position + 1n)).toBeUndefined();
      });
    });

    refusalsContract(() => log, expectCount);
    readsContract(() => log);
    subscribeContract(() => opened, dense);

    describe("close", () => {
      it("stores what waits, ends subscriptions and refuses what comes after", async () => {
        const watcher = watch(log, { after: 0n });
        await until(() => watcher.batches > 0);
        const waiting = Array.from({ length: 50 }, () => log.append([newStream()]));
        await log.close();
        const outcomes = (await Promise.all(waiting)).flat();
        expect(outcomes.every((outcome) => outcome.kind === "appended")).toBe(true);
        await watcher.stop();
        await expect(log.append([newStream()])).rejects.toBeInstanceOf(LogUnavailable);
      });
    });
  });

  describe(`${name} log with schemas`, () => {
    it("refuses what does not fit its schema and stores the neighbours", async () => {
      const opened = await open({
        validate: (offered) => (offered.type === "Bad" ? "data/n must be a string" : undefined),
      });
      const outcomes = await opened.log.append([
        newStream(),
        newStream({ type: "Bad" }),
        newStream(),
      ]);
      expect(outcomes.map((outcome) => outcome.kind)).toEqual(["appended", "invalid", "appended"]);
      expect(outcomes[1]).toEqual({ kind: "invalid", message: "data/n must be a string" });
      await opened.close();
    });

    it("gives old versions in the newest form to readers and subscribers alike", async () => {
      const opened = await open({
        upcast: (old) =>
          old.version === 1
            ? loosely({ ...old, version: 2, data: { n: loosely(old.data).n, unit: "sms" } })
            : old,
      });
      const watcher = watch(opened.log, { after: 0n });
      await until(() => watcher.batches > 0);
      const append = newStream();
      await opened.log.append([append]);
      const expected = { version: 2, data: { n: 1, unit: "sms" } };
      await until(() => watcher.events.length === 1);
      expect(watcher.events[0]).toMatchObject(expected);
      expect((await opened.log.readStream(append.stream))[0]).toMatchObject(expected);
      await watcher.stop();
      await opened.close();
    });

    it("gives an event that cannot be brought to its newest version as unreadable, and the rest goes on", async () => {
      const opened = await open({
        upcast(old) {
          if (loosely(old.type) === "Broken") throw new Error("no way up");
          return old;
        },
      });
      const watcher = watch(opened.log, { after: 0n });
      const append = newStream({ type: "Broken" });
      const outcomes = await opened.log.append([append, newStream()]);
      expect(outcomes.map(({ kind }) => kind)).toEqual(["appended", "appended"]);
      const broken = { version: 0, metadata: { unreadable: "Error: no way up" } };
      await until(() => watcher.events.length === 2);
      expect(watcher.events).toMatchObject([broken, { version: 1 }]);
      expect(await opened.log.readStream(append.stream)).toMatchObject([broken]);
      await watcher.stop();
      await opened.close();
    });
  });
}

/** The contract in its shortest form: what an append to a stream of these ids must come to. */
function decide(stored: readonly string[], expected: number | string, offered: readonly string[]) {
  const actual = stored.length - 1;
  const wanted = expected === "no_stream" ? -1 : expected === "any" ? actual : Number(expected);
  if (wanted === actual) return { kind: "appended", revision: actual + offered.length };
  const following = stored.slice(wanted + 1, wanted + 1 + offered.length);
  if (
    following.length === offered.length &&
    following.every((id, index) => id === offered[index])
  ) {
    return { kind: "duplicate", revision: wanted + offered.length };
  }
  return { kind: "conflict", actual };
}

function summary(outcome: Outcome) {
  if (outcome.kind === "conflict" || outcome.kind === "invalid") return outcome;
  return { kind: outcome.kind, revision: outcome.revision };
}
