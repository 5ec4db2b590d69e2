import { randomUUID } from "node:crypto";
import { networkLink, until } from "@heliograph/testkit";
import { eventStoreDouble } from "@heliograph/testkit/eventstore";
import { describe, expect, it } from "vitest";
import { LogUnavailable, openEventStoreLog, type Append, type EventLog } from "../src/index.ts";
import { event, inOrder, newStream, watch } from "./support.ts";

type Double = Awaited<ReturnType<typeof eventStoreDouble>>;
const namespace = "test";

it("a connection whose other end has vanished is noticed, and nothing is lost or done twice", async () => {
  const double = await eventStoreDouble();
  const link = await networkLink({ target: double.port });
  const through = double.connectionString.replace(`:${double.port}`, `:${link.port}`);
  const log = await openEventStoreLog({
    connectionString: through,
    namespace,
    appendTimeoutMs: 1_000,
  });
  const watcher = watch(log, { after: 0n });
  const elsewhere = await openEventStoreLog({
    connectionString: double.connectionString,
    namespace,
  });
  await log.append([newStream()]);
  await until(() => watcher.events.length === 1);
  // Both sides stay open from here on, and nothing passes any more.
  link.weather({ silences: 1 });
  const append = newStream();
  const startedAt = performance.now();
  const error = await log.append([append]).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(LogUnavailable);
  expect((error as LogUnavailable).outcomeUnknown).toBe(true);
  // Its own second, or half of one more when an attempt began late in it.
  expect(performance.now() - startedAt).toBeLessThan(2_500);
  await elsewhere.append([newStream()]);
  // Only new connections are better off.
  link.weather({ silences: 0 });
  await until(() => watcher.events.length === 2, { what: "what others stored meanwhile comes" });
  const [outcome] = await until(() => log.append([append]), { what: "appends are taken again" });
  expect(outcome).toMatchObject({ kind: "appended", revision: 0 });
  const { id } = append.events[0]!;
  expect(double.events().filter((record) => record.id === id)).toHaveLength(1);
  await until(() => watcher.events.length === 3);
  await watcher.stop();
  expect(inOrder(watcher.events, false)).toBe(true);
  await Promise.all([log.close(), elsewhere.close()]);
  await link.close();
  await double.close();
}, 30_000);

describe("cut at any message of the protocol", () => {
  const sessionsAtOnce = 8;

  /** What services do with a log: creations, continuations, a repetition, reads both ways, one subscriber from the first event on and one that comes late. */
  async function session(at: Double, opened: (log: EventLog) => void): Promise<readonly Append[]> {
    const { connectionString } = at;
    const opening = () =>
      until(() => openEventStoreLog({ connectionString, namespace }), { what: "the log opens" });
    const log = await opening();
    opened(log);
    const stream = `test-${randomUUID()}`;
    const first: Append = { stream, expected: "no_stream", events: [event(), event()] };
    const second: Append = { stream, expected: 1, events: [event()] };
    const third: Append = { ...newStream(), expected: "any" };
    const watcher = watch(log, { after: 0n });
    for (const append of [first, second, third, newStream()]) {
      const [outcome] = await log.append([append]);
      expect(outcome!.kind).toBe("appended");
    }
    expect((await log.append([first]))[0]).toMatchObject({ kind: "duplicate", revision: 1 });
    for (const [backwards, revisions] of [
      [false, [0, 1, 2]],
      [true, [2, 1, 0]],
    ] as const) {
      const stored = await until(() => log.readStream(stream, { backwards }), {
        what: "the stream is read",
      });
      expect(stored.map(({ revision }) => revision)).toEqual(revisions);
    }
    const page = await until(() => log.readAll({ after: 0n, limit: 100 }), { what: "all is read" });
    expect(page.events).toHaveLength(5);
    const other = await opening();
    opened(other);
    const late = watch(other, { after: 0n, maxEvents: 2 });
    for (const each of [watcher, late]) {
      await until(() => each.events.length >= 5, { what: "the subscriber has everything" });
      await each.stop();
      expect(each.events).toEqual(page.events);
    }
    return [first, second, third];
  }

  /** With a node of its own. */
  async function run(prepare: (faults: Double["faults"]) => void): Promise<Double["faults"]> {
    const at = await eventStoreDouble();
    const opened: EventLog[] = [];
    try {
      prepare(at.faults);
      const appends = await session(at, (log) => opened.push(log));
      const ids = appends.flatMap(({ events }) => events.map(({ id }) => id));
      const stored = at.events().map(({ id }) => id);
      expect(stored.filter((id) => ids.includes(id)).toSorted()).toEqual(ids.toSorted());
      return at.faults;
    } finally {
      await Promise.all(opened.map((log) => log.close()));
      await at.close();
    }
  }

  it.each(["before", "middle", "after"] as const)(
    "everything is stored once and seen once, in order: %s it",
    async (place) => {
      const { messages } = await run(() => undefined);
      expect(messages).toBeGreaterThan(40);
      const left = Array.from({ length: messages }, (_, index) => index + 1);
      let cuts = 0;
      const worker = async (): Promise<void> => {
        for (let n = left.pop(); n !== undefined; n = left.pop()) {
          const at = n;
          const faults = await run((each) => each.cutAt(at, place)).catch((error: unknown) => {
            throw new Error(`cut ${place} message ${at}`, { cause: error });
          });
          cuts += faults.cuts;
        }
      };
      await Promise.all(Array.from({ length: sessionsAtOnce }, worker));
      // A session may be over a few messages earlier than the first was.
      expect(cuts).toBeGreaterThan(messages * 0.9);
    },
    120_000,
  );
});
