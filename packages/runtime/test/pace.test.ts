import {
  connectedTo,
  refusedBy,
  type Batch,
  type EventLog,
  type RecordedEvent,
  type SubscribeOptions,
} from "@heliograph/log";
import { loosely, until } from "@heliograph/testkit";
import { expect, onTestFinished, test, vi } from "vitest";
import { Fenced, followUp, hurry } from "../src/index.ts";
import { passOver } from "../src/passing.ts";
import { gathered } from "../src/source.ts";
import { restartMs } from "../src/unit-loop.ts";
import {
  count,
  countingProjector,
  openEnvironment,
  runConsumer,
  startConsumers,
} from "./fixture.ts";

/** A subscription into which a test puts batches; it ends with its signal, as those of logs do. */
function source() {
  let waiting = Promise.withResolvers<Batch | undefined>();
  const queue: Batch[] = [];
  let ended = false;
  return {
    put(position: bigint, ...types: string[]): void {
      const events = types.map((type) => ({ type, position }) as unknown as RecordedEvent);
      queue.push({ events, position, head: position, caughtUp: true });
      waiting.resolve(undefined);
    },
    get ended(): boolean {
      return ended;
    },
    async *subscribe(signal: AbortSignal): AsyncGenerator<Batch> {
      signal.addEventListener("abort", () => waiting.resolve(undefined), { once: true });
      while (!signal.aborted) {
        const batch = queue.shift();
        if (batch !== undefined) {
          yield batch;
          continue;
        }
        await waiting.promise;
        waiting = Promise.withResolvers();
      }
      ended = true;
    },
  };
}
const patience = (patienceMs: number, maxEvents = 10) => ({
  patient: ({ type }: RecordedEvent) => loosely(type) === "Late",
  maxEvents,
  patienceMs,
});
const shown = ({ events, position }: Batch): string =>
  `${events.map(({ type }) => type).join()} ${position}`;

test("what nobody waits for is handed over with the next that somebody waits for, in its order", async () => {
  const { put, subscribe } = source();
  const reading = gathered(subscribe, new AbortController().signal, patience(60_000));
  put(1n, "Late");
  put(2n);
  put(3n, "Late", "Late");
  put(4n, "Now");
  put(5n, "Now");
  const first = await reading.next();
  expect(shown(first.value as Batch)).toBe("Late,Late,Late,Now 4");
  expect(shown((await reading.next()).value as Batch)).toBe("Now 5");
  await reading.return(undefined);
});

test("it is handed over by itself when its time is over, and when there is much of it", async () => {
  const { put, subscribe } = source();
  const reading = gathered(subscribe, new AbortController().signal, patience(20, 3));
  put(1n, "Late");
  put(2n);
  expect(shown((await reading.next()).value as Batch)).toBe("Late 2");
  for (const position of [3n, 4n, 5n]) put(position, "Late");
  expect(shown((await reading.next()).value as Batch)).toBe("Late,Late,Late 5");
  await reading.return(undefined);
});

test("who leaves does not wait for the next event, and what was kept is not handed over", async () => {
  const given = source();
  const reading = gathered(given.subscribe, new AbortController().signal, patience(1));
  given.put(1n, "Late");
  expect(shown((await reading.next()).value as Batch)).toBe("Late 1");
  // The next batch is being waited for already.
  await reading.return(undefined);
  expect(given.ended).toBe(true);

  const stopping = new AbortController();
  const other = source();
  const next = gathered(other.subscribe, stopping.signal, patience(60_000)).next();
  other.put(1n, "Late");
  stopping.abort();
  expect(await next).toMatchObject({ done: true });
});

test("checkpoints that only pass over events share a commit, and the trouble of one is not that of the others", async () => {
  const { context, close } = await openEnvironment();
  onTestFinished(close);
  const pool = context.projectionPool;
  for (const schema of ["one", "two", "three"])
    await pool.query(`create schema ${schema};
      create table ${schema}.checkpoint (name text primary key, position bigint not null, epoch int not null, updated_at timestamptz);
      insert into ${schema}.checkpoint values ('${schema}', 5, 1)`);
  const pass = (schema: string, from: bigint, to: bigint) =>
    passOver(pool, { schema, name: schema, from, to, epoch: 1 }).catch((error: unknown) => error);
  const positions = async (): Promise<unknown[]> => {
    const { rows } = await pool.query(
      "select position::int, xmin::text from one.checkpoint union all select position::int, xmin::text from two.checkpoint union all select position::int, xmin::text from three.checkpoint",
    );
    expect(new Set(rows.slice(0, 2).map(({ xmin }) => xmin)).size).toBe(1);
    return rows.map(({ position }) => position);
  };
  expect(
    await Promise.all([pass("one", 5n, 7n), pass("two", 5n, 8n), pass("three", 4n, 9n)]),
  ).toEqual([undefined, undefined, expect.any(Fenced)]);
  expect(await positions()).toEqual([7, 8, 5]);

  await pool.query("alter schema three rename to three_before");
  const [one, three] = await Promise.all([pass("one", 7n, 10n), pass("three", 5n, 10n)]);
  expect(one).toBeUndefined();
  expect(three).toMatchObject({ code: "42P01" });
});

test("reactors that only pass over events share a commit", async () => {
  const { context, log, close } = await openEnvironment();
  onTestFinished(close);
  const names = ["one", "two", "three"];
  const consumers = await startConsumers(
    context,
    names.map((name) => ({
      kind: "reactor",
      name,
      schema: name,
      types: loosely(["Late"]),
      migrations: [],
      start: ({ checkpoint }) => ({
        handle: ({ position }) => checkpoint.commit(position),
        stop: () => Promise.resolve(),
      }),
    })),
  );
  await until(() => consumers.statuses.every(({ state }) => state === "running"));
  const position = await count(log, [1]);
  const commits = await until(async () => {
    const { rows } = await context.pool.query<{ position: string; commit: string }>(
      names
        .map((name) => `select position::text, xmin::text as commit from ${name}.checkpoint`)
        .join(" union all "),
    );
    return rows.every((row) => BigInt(row.position) >= position) && rows.map((row) => row.commit);
  });
  expect(new Set(commits).size).toBe(1);
  await consumers.stop();
});

test("a projector's pause ends when somebody waits for its read model, and when it stops", async () => {
  const { context, log, close } = await openEnvironment();
  onTestFinished(close);
  const forget = vi.fn<() => void>();
  const follows = vi.spyOn(followUp, "add").mockReturnValue(forget);
  onTestFinished(() => follows.mockRestore());
  const consumers = await startConsumers(context, [{ ...countingProjector(), lingerMs: 600_000 }]);
  const status = consumers.statuses[0]!;
  await count(log, [1]);
  // What comes during it is no reason to slow those who send.
  await until(() => status.restsUntil > performance.now() + 600_000);
  const position = await count(log, [2]);
  await until(async () => {
    hurry(context.projectionPool, "counts");
    return (
      (
        await context.pool.query("select position from counts.checkpoint where position = $1", [
          position,
        ])
      ).rowCount === 1
    );
  });
  await consumers.stop();
  expect(status.lastError).toBeUndefined();
  // Work that can wait hears how far they are behind, until they stop.
  expect(forget).toHaveBeenCalledOnce();
  const [[behind]] = follows.mock.calls as [[() => number]];
  Object.assign(status, { state: "running", restsUntil: 0, position: 1n, head: 301n });
  expect(behind()).toBe(300);
});

test("a projector that is behind does not pause, however small what it is given", async () => {
  const { context, log, close } = await openEnvironment();
  onTestFinished(close);
  const positions: bigint[] = [];
  for (let at = 0; at < 12; at++) positions.push(await count(log, [at]));
  // One event at a time, as of a feed that keeps little.
  async function* singly(options: SubscribeOptions): AsyncGenerator<Batch> {
    for await (const batch of log.subscribe(options))
      for (const event of batch.events)
        yield { ...batch, events: [event], position: event.position, caughtUp: false };
  }
  const given = { ...context, log: { ...log, subscribe: singly as EventLog["subscribe"] } };
  const projector = { ...countingProjector(), lingerMs: 600_000, maxEvents: 4 };
  const consumer = await runConsumer(projector, given);
  await consumer.caughtUp(positions[7]!);
  await consumer.stop();
  expect(consumer.lastError).toBeUndefined();
});

test("a consumer that failed since the database is away starts again once it is back, and not before", async () => {
  const { context, close } = await openEnvironment();
  onTestFinished(close);
  // Known by another name than to the pools, whose connections would tell that it is back.
  const { user, password, host, port, database } = context.connection;
  const server = `${user}:${String(password)}@${encodeURIComponent(host!)}:${port}`;
  const connection = {
    connectionString: `postgres://${server}/${database}?fallback_application_name=other`,
  };
  const starts: Error = Object.assign(new Error("it starts"), { code: "57P03" });
  let tries = 0;
  const consumers = await startConsumers({ ...context, connection }, [
    {
      kind: "reactor",
      name: "one",
      schema: "one",
      types: loosely(["Late"]),
      migrations: [],
      start() {
        if (++tries > 1) return { handle: async () => undefined, stop: async () => undefined };
        refusedBy(connection, starts);
        throw starts;
      },
    },
  ]);
  await until(() => consumers.statuses[0]!.state === "backing_off");
  const beat = async (): Promise<string | undefined> =>
    (await context.pool.query("select updated_at::text as at from runtime.consumers")).rows[0]?.at;
  const first = await until(beat);
  // Its house was looked after meanwhile.
  await until(async () => (await beat()) !== first);
  expect([tries, consumers.statuses[0]!.state]).toEqual([1, "backing_off"]);
  connectedTo(connection);
  await until(() => consumers.statuses[0]!.state === "running");
  expect(tries).toBe(2);
  await consumers.stop();
});

test("a consumer that failed with what passes by itself starts again soon, however often it has failed before", () => {
  const starts = (passes: boolean): number[] => {
    const waits = [restartMs(100, passes)];
    for (let failure = 1; failure < 8; failure++) waits.push(restartMs(waits.at(-1)! * 2, passes));
    return waits;
  };
  expect(starts(true)).toEqual([100, 200, 400, 800, 1_600, 2_000, 2_000, 2_000]);
  expect(starts(false)).toEqual([100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000]);
  // What did not pass is over: the database is away now.
  expect(restartMs(10_000, true)).toBe(2_000);
});
