import fc from "fast-check";
import { randomUUID } from "node:crypto";
import { loosely, testDatabase } from "@heliograph/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  change,
  MAX_CHANGE_TRIES,
  openMemoryLog,
  openPostgresLog,
  type EventLog,
  type RecordedEvent,
} from "../src/index.ts";
import { newStream } from "./support.ts";

type Counter = { readonly sum: number; readonly steps: number };
const evolve = (state: Counter | undefined, event: RecordedEvent): Counter => ({
  sum: (state?.sum ?? 0) + loosely(event.data).by,
  steps: (state?.steps ?? 0) + 1,
});
/** Adds a number, as two events when it is even; refuses to go beyond a thousand. */
const add = (
  log: Pick<EventLog, "append" | "scanStream">,
  stream: string,
  by: number,
  eventId: string,
) =>
  change<Counter, "full">(log, {
    stream,
    evolve,
    decide: (state) =>
      (state?.sum ?? 0) + by > 1_000
        ? { refusal: "full" }
        : {
            events: (by % 2 === 0 ? [by / 2, by / 2] : [by]).map((part) => ({
              type: "Added",
              data: { by: part },
            })),
          },
    eventId,
    metadata: { partner: "p1" },
  });
const sumOf = async (log: EventLog, stream: string): Promise<number> =>
  (await log.readStream(stream)).reduce((sum, { data }) => sum + loosely(data).by, 0);

/** A log that ends the process, as far as its caller can tell, before or after some of the appends. */
function crashing(log: EventLog, crashes: ("before" | "after" | "none")[]): EventLog {
  return {
    ...log,
    async append(appends) {
      const crash = crashes.shift();
      if (crash === "before") throw new Error("crash");
      const outcomes = await log.append(appends);
      if (crash === "after") throw new Error("crash");
      return outcomes;
    },
  };
}

describe.each(["memory", "PostgreSQL"])("change on a %s log", (driver) => {
  let log: EventLog;
  let close: () => Promise<void>;
  beforeAll(async () => {
    if (driver === "memory") {
      log = openMemoryLog();
      close = () => log.close();
      return;
    }
    const database = await testDatabase();
    log = await openPostgresLog({ connection: database.config, namespace: "test" });
    close = async () => {
      await log.close();
      await database.drop();
    };
  });
  afterAll(() => close());

  it("makes every change once, whoever else changes the stream, crashes and repeats", async () => {
    const command = fc.record({
      by: fc.integer({ min: 1, max: 20 }),
      crashes: fc.array(fc.constantFrom("before", "after", "none"), { maxLength: 3 }),
      copies: fc.integer({ min: 1, max: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 8 }), async (commands) => {
        const { stream } = newStream();
        const run = async ({ by, crashes, copies }: (typeof commands)[number]) => {
          const id = randomUUID();
          const untilDone = async (own: EventLog) => {
            for (;;) {
              const result = await add(own, stream, by, id).catch(() => undefined);
              if (result !== undefined && result.kind !== "contended") return result;
            }
          };
          return Promise.all(
            Array.from({ length: copies }, () => untilDone(crashing(log, [...crashes]))),
          );
        };
        const results = (await Promise.all(commands.map(run))).flat();
        const wanted = commands.reduce((sum, { by }) => sum + by, 0);
        expect(results.every(({ kind }) => kind === "changed")).toBe(true);
        expect(await sumOf(log, stream)).toBe(wanted);
        const events = await log.readStream(stream);
        expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
        // Each command, repeated, tells the state that it had led to.
        for (const result of results) {
          if (result.kind !== "changed") continue;
          const until = events.filter(({ revision }) => revision <= result.revision);
          expect(result.state!.sum).toBe(
            until.reduce((sum, { data }) => sum + loosely(data).by, 0),
          );
          expect(result.position).toBe(until.at(-1)!.position);
        }
      }),
      { numRuns: driver === "memory" ? 100 : 25 },
    );
  });

  it("tells what an earlier try stored, not what the repetition would have", async () => {
    const { stream } = newStream();
    const id = randomUUID();
    const first = await add(log, stream, 4, id);
    expect(first).toMatchObject({ kind: "changed", repeated: false, revision: 1 });
    await add(log, stream, 100, randomUUID());
    const again = await add(log, stream, 7, id);
    expect(again).toMatchObject({ kind: "changed", repeated: true, state: { sum: 4, steps: 2 } });
    expect(again).toMatchObject({ first: { data: { by: 2 } }, revision: 1 });
  });

  it("gives a refusal and appends nothing; nothing to do is no change", async () => {
    const { stream } = newStream();
    expect(await add(log, stream, 1_001, randomUUID())).toEqual({
      kind: "refused",
      refusal: "full",
    });
    const idle = await change(log, { stream, evolve, decide: () => ({ events: [] }) });
    expect(idle).toEqual({ kind: "unchanged", state: undefined, revision: -1, position: 0n });
    expect(await log.readStream(stream)).toEqual([]);
  });

  it("believes a guess only until the log contradicts it", async () => {
    const { stream } = newStream();
    let reads = 0;
    const counting: EventLog = {
      ...log,
      scanStream: (...read) => (reads++, log.scanStream(...read)),
    };
    const guessing = (id: string) =>
      change<Counter>(counting, {
        stream,
        evolve,
        decide: (state) => ({ events: [{ type: "Added", data: { by: 1 + (state?.sum ?? 0) } }] }),
        eventId: id,
        guess: { revision: -1 },
      });
    expect(await guessing(randomUUID())).toMatchObject({ state: { sum: 1 } });
    expect(reads).toBe(0);
    expect(await guessing(randomUUID())).toMatchObject({ state: { sum: 3 }, revision: 1 });
    expect(reads).toBe(1);
  });

  it("gives up when others are first each time, and says so", async () => {
    const { stream } = newStream();
    let tries = 0;
    const result = await change<Counter>(log, {
      stream,
      evolve,
      decide: () => ({ events: [{ type: "Added", data: { by: tries++ } }] }),
      eventId: randomUUID(),
      guess: { revision: -1 },
    });
    expect(result).toMatchObject({ kind: "changed" });
    const racing: EventLog = {
      ...log,
      async append(appends) {
        await log.append([
          {
            stream,
            expected: "any",
            events: [{ id: randomUUID(), type: "Added", data: { by: 0 }, metadata: {} }],
          },
        ]);
        tries++;
        return log.append(appends);
      },
    };
    tries = 0;
    expect(await add(racing, stream, 1, randomUUID())).toEqual({ kind: "contended" });
    expect(tries).toBe(MAX_CHANGE_TRIES);
  });
});
