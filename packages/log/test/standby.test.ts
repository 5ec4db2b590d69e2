import { setTimeout as pause } from "node:timers/promises";
import { postgresPair, until, type PostgresPair } from "@heliograph/testkit";
import pg from "pg";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { LogUnavailable, openPostgresLog, type Append, type EventLog } from "../src/index.ts";
import { isDense, newStream, watch } from "./support.ts";

/** Until it is in the log: what may or may not be stored is offered again with the same ids. */
async function appendAtLast(log: EventLog, append: Append): Promise<string> {
  for (;;) {
    try {
      const [outcome] = await log.append([append]);
      expect(outcome!.kind).toMatch(/^(appended|duplicate)$/);
      return append.events[0]!.id;
    } catch (error) {
      if (!(error instanceof LogUnavailable)) throw error;
      await pause(20);
    }
  }
}

let pair: PostgresPair;
beforeAll(async () => void (pair = await postgresPair()));
afterAll(() => pair.close());

async function openLog(): Promise<EventLog> {
  const log = await openPostgresLog({ connection: { connectionString: pair.url }, namespace: "t" });
  onTestFinished(() => log.close());
  return log;
}

const refusal = (work: Promise<unknown>): Promise<LogUnavailable | undefined> =>
  work.then(
    () => undefined,
    (error: LogUnavailable) => error,
  );

it("acknowledges nothing that the standby does not have, and refuses at once while it is away", async () => {
  const log = await openLog();
  await log.append([newStream()]);
  const before = await log.head();
  const kept = newStream();
  await pair.withoutStandby(async () => {
    expect(await refusal(log.append([kept]))).toMatchObject({
      name: "LogUnavailable",
      outcomeUnknown: true,
    });
    const started = performance.now();
    expect(await refusal(log.append([newStream()]))).toBeInstanceOf(LogUnavailable);
    expect(performance.now() - started).toBeLessThan(1_000);
    // What waits for the standby is seen by nobody, so that nobody takes it for stored.
    expect(await log.head()).toBe(before);
    const another = await openLog().catch((error: Error) => error);
    expect(another).toBeInstanceOf(LogUnavailable);
  });
  await appendAtLast(log, kept);
  expect(await log.readStream(kept.stream)).toHaveLength(1);
  expect(await log.head()).toBe(before + 1n);
}, 60_000);

it("loses and repeats nothing that it acknowledged when the primary is killed and its synchronous standby is promoted", async () => {
  const log = await openLog();
  const first = await log.head();
  const watcher = watch(log, { after: first });
  const acknowledged: string[] = [];
  let running = true;
  const writers = Array.from({ length: 16 }, async () => {
    while (running) acknowledged.push(await appendAtLast(log, newStream()));
  });
  await until(() => acknowledged.length > 200, { what: "appends are under way" });
  await pair.failOver("killed");
  const before = acknowledged.length;
  await until(() => acknowledged.length > before + 200, {
    what: "appends go on",
    timeoutMs: 20_000,
  });
  running = false;
  await Promise.all(writers);

  const client = new pg.Client(pair.url);
  await client.connect();
  const { rows } = await client.query<{ id: string }>(
    "select id from log.events where position > $1 order by position",
    [first],
  );
  await client.end();
  const stored = rows.map(({ id }) => id);
  expect(stored.toSorted()).toEqual(acknowledged.toSorted());
  await until(() => watcher.position === first + BigInt(stored.length), {
    what: "the reader has all",
  });
  await watcher.stop();
  expect(isDense(watcher.events, first)).toBe(true);
  expect(watcher.events.map(({ id }) => id)).toEqual(stored);
}, 60_000);
