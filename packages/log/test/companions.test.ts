import { loosely, testDatabase } from "@heliograph/testkit";
import { describe, expect, test } from "vitest";
import {
  openMemoryLog,
  openPostgresLog,
  type Append,
  type Companion,
  type EventLog,
  type RecordedEvent,
} from "../src/index.ts";
import { event, newStream, watch } from "./support.ts";

const follower = (
  stream: string,
  expected: Append["expected"] = "no_stream",
  type = "Followed",
): Append => ({ stream, expected, events: [event({ type })] });

/** Says that one append follows, and keeps what it hears. */
function companionOf(append: () => Append) {
  const told: boolean[] = [];
  const heard: RecordedEvent[] = [];
  const coming: RecordedEvent[] = [];
  const companion: Companion = {
    types: new Set(["Tested"]),
    join(events) {
      coming.push(...events);
      return { appends: [append()], over: (stored) => void told.push(stored) };
    },
    stored: (events) => void heard.push(...events),
  };
  return { companion, told, heard, coming };
}

const all = async (log: EventLog): Promise<readonly RecordedEvent[]> =>
  (await log.readAll({ after: 0n, limit: 100 })).events;

const drivers = {
  memory: async () => {
    const log = openMemoryLog();
    return { log, other: undefined, close: () => log.close() };
  },
  PostgreSQL: async () => {
    const database = await testDatabase();
    const open = () => openPostgresLog({ connection: database.config, namespace: "test" });
    const [log, other] = [await open(), await open()];
    const close = async (): Promise<void> => {
      await Promise.all([log.close(), other.close()]);
      await database.drop();
    };
    return { log, other, close };
  },
};

describe.each(Object.entries(drivers))("companions of a %s log", (_name, open) => {
  test("what follows is stored right behind, or not at all, and the append stands in any case", async () => {
    const { log, other, close } = await open();
    // Whoever subscribes has the log tell what it stores.
    const seen = watch(log, { after: 0n });
    try {
      let next = follower("follows-1");
      const { companion, told, heard, coming } = companionOf(() => next);
      const leave = log.accompany!(companion);

      const first = await log.append([newStream(), newStream()]);
      expect(first).toMatchObject([{ position: 1n }, { position: 2n }]);
      expect((await all(log)).map(({ type }) => type)).toEqual(["Tested", "Tested", "Followed"]);
      expect(coming.map(({ position }) => position)).toEqual([1n, 2n]);
      expect(heard.map(({ position }) => position)).toEqual([1n, 2n, 3n]);
      expect(told).toEqual([true]);

      // Of a stream that it takes for another than it is, that is being written, or at no exact revision: nothing is stored with it.
      for (const wrong of [follower("follows-1", 7), follower("follows-2", "any")]) {
        next = wrong;
        expect(await log.append([newStream()])).toMatchObject([{ kind: "appended" }]);
      }
      const written = newStream();
      next = follower(written.stream);
      expect(await log.append([written])).toMatchObject([{ kind: "appended", revision: 0 }]);
      next = { stream: "", expected: "no_stream", events: [] };
      expect(await log.append([newStream()])).toMatchObject([{ kind: "appended" }]);
      expect((await all(log)).filter(({ type }) => loosely(type) === "Followed")).toHaveLength(1);
      expect(told.slice(1).includes(true)).toBe(false);

      leave();
      await log.append([newStream()]);
      expect(heard.at(-1)!.position).toBe((await log.head()) - 1n);
      expect(other === undefined || (await other.head()) === (await log.head())).toBe(true);
    } finally {
      await seen.stop();
      await close();
    }
  });
});

test("where another process has stored something since, nothing follows, and the append stands behind it", async () => {
  const { log, other, close } = await drivers.PostgreSQL();
  try {
    const { companion, told, coming } = companionOf(() => follower("follows-1"));
    log.accompany!(companion);
    await other.append([newStream({ type: "Other" })]);
    expect(await log.append([newStream()])).toMatchObject([{ kind: "appended", position: 2n }]);
    expect(coming.map(({ position }) => position)).toEqual([1n]);
    expect(told).toEqual([false]);
    expect((await all(log)).map(({ type }) => type)).toEqual(["Other", "Tested"]);
  } finally {
    await close();
  }
});

test("a companion that throws is left out", async () => {
  const log = openMemoryLog();
  log.accompany!({
    types: new Set(["Tested"]),
    join: () => {
      throw new Error("it cannot say");
    },
    stored: () => undefined,
  });
  expect(await log.append([newStream()])).toMatchObject([{ kind: "appended" }]);
  expect(await all(log)).toHaveLength(1);
});

describe.each(Object.entries(drivers))(
  "a companion of a %s log that fails to hear",
  (_name, open) => {
    test("what became of it is asked no more, and what was stored is neither refused nor stored twice", async () => {
      const { log, close } = await open();
      // Whoever subscribes has the log tell what it stores.
      const seen = watch(log, { after: 0n });
      try {
        await log.append([newStream({ type: "Other" })]);
        const fail = (): never => {
          throw new Error("it cannot hear");
        };
        let asked = 0;
        const failing = (over: () => void, stored: () => void): Companion => ({
          types: new Set(["Tested"]),
          join: () => ({ appends: [follower(`follows-${++asked}`)], over }),
          stored,
        });
        for (const companion of [failing(fail, () => undefined), failing(() => undefined, fail)]) {
          const before = asked;
          const { companion: beside, heard } = companionOf(() => follower("beside", "any"));
          log.accompany!(companion);
          const leave = log.accompany!(beside);
          const appends = [newStream(), newStream()];
          expect(await log.append(appends)).toMatchObject(
            appends.map(() => ({ kind: "appended" })),
          );
          expect(asked).toBe(before + 1);
          // At any revision: sent again it would be stored again.
          const any = { ...newStream(), expected: "any" as const };
          expect(await log.append([any])).toMatchObject([{ kind: "appended", revision: 0 }]);
          await log.append([newStream()]);
          expect(asked).toBe(before + 1);
          for (const { stream } of [...appends, any])
            expect(await log.readStream(stream)).toHaveLength(1);
          expect(heard.map(({ position }) => position)).toEqual(
            heard.map((_, at) => heard[0]!.position + BigInt(at)),
          );
          expect(heard.at(-1)!.position).toBe(await log.head());
          leave();
        }
        // Also where nothing went along.
        log.accompany!({ types: new Set(), join: () => undefined, stored: fail });
        const any = { ...newStream(), expected: "any" as const };
        expect(await log.append([any])).toMatchObject([{ kind: "appended", revision: 0 }]);
        expect(await log.readStream(any.stream)).toHaveLength(1);
      } finally {
        await seen.stop();
        await close();
      }
    });
  },
);
