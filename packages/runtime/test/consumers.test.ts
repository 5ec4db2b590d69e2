import { randomUUID } from "node:crypto";
import { newId } from "@heliograph/contracts";
import { loosely, until } from "@heliograph/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  checkpointOf,
  commitParts,
  Fenced,
  listDeadLetters,
  rebuildProjector,
  retryDeadLetter,
  type Projector,
  type Reactor,
} from "../src/index.ts";
import { readCheckpoint, swapSchemas } from "../src/tables/rebuild.ts";
import { prepareConsumer } from "../src/tables/schema.ts";
import {
  count,
  countingProjector,
  openEnvironment,
  runConsumer,
  startConsumers,
} from "./fixture.ts";

let environment: Awaited<ReturnType<typeof openEnvironment>>;
beforeEach(async () => {
  environment = await openEnvironment();
});
afterEach(() => environment.close());

const totals = async (
  schema = "counts",
): Promise<{ events: number; total: number } | undefined> => {
  const { rows } = await environment.context.pool.query(
    `select events::int, total::int from ${schema}.totals`,
  );
  return rows[0];
};

test("a read model and its checkpoint move together, and a restart goes on where the last owner stopped", async () => {
  const { context, log } = environment;
  const first = await runConsumer(countingProjector(), context);
  await first.caughtUp(await count(log, [1, 2, 3]));
  await first.stop();
  const position = await count(log, [4]);
  const second = await runConsumer(countingProjector(), context);
  await second.caughtUp(position);
  expect(await totals()).toEqual({ events: 4, total: 10 });
  await second.stop();
});

test("an event that asks nothing of a consumer is not handed over, neither live nor in a rebuild, and the checkpoint passes it", async () => {
  const { context, log } = environment;
  const even = {
    ...countingProjector(),
    concerns: (event: object) => {
      // Of damaged data one cannot tell.
      if (loosely(event).data.value === 9) throw new TypeError("broken");
      return Number(loosely(event).data.value) % 2 === 0;
    },
  };
  const projecting = await runConsumer(even, context);
  const handed: number[] = [];
  const reacting = await runConsumer(
    {
      kind: "reactor",
      name: "evens",
      schema: "evens",
      types: even.types,
      migrations: [],
      concerns: even.concerns,
      start: ({ checkpoint }) => ({
        async handle({ events, position }) {
          handed.push(...events.map(({ data }) => Number(loosely(data).value)));
          await checkpoint.commit(position);
        },
        stop: () => Promise.resolve(),
      }),
    },
    context,
  );
  await count(log, [1, 2]);
  await count(log, [4, 3]);
  const last = await count(log, [5, 9, 7]);
  await Promise.all([projecting.caughtUp(last), reacting.caughtUp(last)]);
  expect(handed).toEqual([2, 4, 9]);
  expect(await totals()).toEqual({ events: 3, total: 15 });
  const { signal } = new AbortController();
  expect(await rebuildProjector(context, even, { verifyOnly: true, signal })).toMatchObject({
    equal: true,
  });
  await Promise.all([projecting.stop(), reacting.stop()]);
});

test("a reactor that nothing concerns is not behind, and does not write its checkpoint for each thing that passes", async () => {
  const { context, log } = environment;
  const handed: number[] = [];
  const consumer = await runConsumer(
    {
      kind: "reactor",
      name: "unconcerned",
      schema: "unconcerned",
      types: countingProjector().types,
      migrations: [],
      concerns: () => false,
      start: ({ checkpoint }) => ({
        async handle({ events, position }) {
          handed.push(events.length);
          await checkpoint.commit(position);
        },
        stop: () => Promise.resolve(),
      }),
    },
    context,
  );
  for (let round = 0; round < 5; round++) await consumer.caughtUp(await count(log, [1]));
  expect(handed.length).toBeLessThan(3);
  const { position: head } = (await log.readAll({ after: 0n, limit: 100 })).events.at(-1)!;
  await until(async () => (await checkpointOf(context.pool, "unconcerned")) >= head, {
    what: "the checkpoint is written in the end",
  });
  await consumer.stop();
});

test("a fenced owner writes neither rows nor checkpoint", async () => {
  const { context, log } = environment;
  const consumer = await runConsumer(countingProjector(), context);
  const position = await count(log, [1]);
  await consumer.caughtUp(position);
  const stale = { schema: "counts", name: "counts", from: position, to: position + 5n, epoch: 0 };
  await expect(
    commitParts(context.pool, stale, [
      { name: "wreck", sql: "update {schema}.totals set total = $1::bigint", values: [-1] },
    ]),
  ).rejects.toBeInstanceOf(Fenced);
  expect(await totals()).toEqual({ events: 1, total: 1 });
  await consumer.stop();
});

test("of two copies one is active, and the other takes over when it stops", async () => {
  const { context, log } = environment;
  const first = await startConsumers(context, [countingProjector()]);
  await until(() => first.statuses[0]?.state === "running", { what: "the first copy runs" });
  const second = await startConsumers(context, [countingProjector()]);
  const position = await count(log, [1, 1]);
  await until(() => first.statuses[0]!.position >= position, {
    what: "the first copy has caught up",
  });
  expect(second.statuses[0]?.state).toBe("waiting");
  await first.stop();
  const next = await count(log, [1]);
  await until(() => second.statuses[0]!.position >= next, {
    what: "the second copy has caught up",
  });
  expect(await totals()).toEqual({ events: 3, total: 3 });
  await second.stop();
});

test("the consumer survives the loss of every one of its connections", async () => {
  const { context, log } = environment;
  const consumer = await runConsumer(countingProjector(), context);
  await consumer.caughtUp(await count(log, [1]));
  await context.pool.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  );
  const position = await until(() => count(log, [2]).catch(() => undefined), {
    what: "the log is back",
  });
  await consumer.caughtUp(position);
  expect((await totals())?.total).toBe(3);
  await consumer.stop();
});

test("a batch whose commit fails is read again, although an idle checkpoint was about to be written", async () => {
  const { context, log } = environment;
  const projector = countingProjector();
  /** Twice the interval: by then the idle checkpoint waits for the batch to end. */
  const longerThanIdleMs = 500;
  let failing = true;
  const consumer = await runConsumer(
    {
      ...projector,
      create: async (tools) => {
        const instance = await projector.create(tools);
        return {
          async project(events) {
            if (!failing) return instance.project(events);
            failing = false;
            await new Promise((resolve) => setTimeout(resolve, longerThanIdleMs));
            throw Object.assign(new Error("terminating connection due to administrator command"), {
              code: "57P01",
            });
          },
        };
      },
    },
    context,
  );
  // An event that is none of its own schedules the idle checkpoint; the next one fails while that waits for its turn.
  await log.append([
    {
      stream: "other-1",
      expected: "no_stream",
      events: [{ id: randomUUID(), type: "Other", data: {}, metadata: {} }],
    },
  ]);
  await consumer.caughtUp(await log.head());
  await consumer.caughtUp(await count(log, [7]));
  expect(await totals()).toEqual({ events: 1, total: 7 });
  await consumer.stop();
});

test("a poison event is set aside with its reason, the rest of its batch is projected, and it can be retried", async () => {
  const { context, log } = environment;
  await count(log, [1]);
  await count(log, ["poison"]);
  const position = await count(log, [5]);
  const consumer = await runConsumer(countingProjector(), context);
  await consumer.caughtUp(position);
  expect(await totals()).toEqual({ events: 2, total: 6 });
  const [letter] = await listDeadLetters(context.pool, { limit: 10 });
  expect(letter).toMatchObject({
    consumer: "counts",
    event_type: "Counted",
    reason: "poison ak_live_Ab1A…",
    status: "open",
  });
  expect(await retryDeadLetter(context.pool, letter!.id)).toBe(true);
  await until(
    async () => ((await listDeadLetters(context.pool, { limit: 10 }))[0]?.attempts ?? 0) > 1,
    { what: "the retry failed again" },
  );
  const verified = await rebuildProjector(context, countingProjector(), {
    verifyOnly: true,
    signal: AbortSignal.timeout(20_000),
  });
  expect(verified).toMatchObject({ equal: true, events: 2 });
  await consumer.stop();
});

test("a shadow tells row by row what another version would make of the log, and leaves the served tables and their writer alone", async () => {
  const { context, log } = environment;
  const old: Projector = {
    ...countingProjector(),
    ddl: `create table {schema}.totals (name text primary key, events bigint not null, total bigint not null);
      create table {schema}.seen (value int not null, was text); create table {schema}.dropped (id int)`,
    create: () => ({
      project: (events) => [
        {
          name: "seen",
          sql: "insert into {schema}.seen select value, null from unnest($1::int[]) as t(value)",
          values: [events.map(({ data }) => Number(loosely(data).value))],
        },
        {
          name: "one",
          sql: "insert into {schema}.totals select value::text, 1, value from unnest($1::int[]) as t(value) on conflict do nothing",
          values: [events.map(({ data }) => Number(loosely(data).value))],
        },
      ],
    }),
  };
  const live = await runConsumer(old, context);
  await live.caughtUp(await count(log, [1, 2, 2, 3]));
  const shadowOf = (projector: Projector) =>
    rebuildProjector(context, projector, {
      verifyOnly: true,
      shadow: true,
      signal: AbortSignal.timeout(20_000),
    });
  expect(await shadowOf(old)).toMatchObject({ equal: true, rows: [] });
  const next: Projector = {
    ...old,
    version: 2,
    ddl: `create table {schema}.totals (name text primary key, events bigint not null, total bigint not null, more int);
      create table {schema}.seen (value int not null, was text); create table {schema}.made (id int)`,
    create: () => ({
      project: (events) => [
        {
          name: "seen2",
          sql: "insert into {schema}.seen select distinct value, null from unnest($1::int[]) as t(value)",
          values: [events.map(({ data }) => Number(loosely(data).value))],
        },
        {
          name: "two",
          sql: "insert into {schema}.totals select distinct (value + 1)::text, 1, case value when 1 then 7 else value + 1 end from unnest($1::int[]) as t(value)",
          values: [events.map(({ data }) => Number(loosely(data).value))],
        },
      ],
    }),
  };
  const { equal, rows } = await shadowOf(next);
  expect(equal).toBe(false);
  const none = { onlyLeft: 0, onlyRight: 0, changed: 0, columnsOnlyLeft: [], columnsOnlyRight: [] };
  expect(rows).toEqual([
    { ...none, table: "dropped", columnsOnlyLeft: ["*"] },
    { ...none, table: "made", columnsOnlyRight: ["*"] },
    // One of the two equal rows is gone.
    { ...none, table: "seen", onlyLeft: 1 },
    { ...none, table: "totals", onlyLeft: 1, onlyRight: 1, changed: 1, columnsOnlyRight: ["more"] },
  ]);
  const { rows: left } = await context.pool.query(
    "select 1 from pg_namespace where nspname like 'counts_%'",
  );
  expect(left).toEqual([]);
  await live.caughtUp(await count(log, [4]));
  expect((await context.pool.query("select from counts.totals")).rowCount).toBe(4);
  await live.stop();
});

test("events that break their schema are set aside at once, also when it shows only later", async () => {
  const { context, log } = environment;
  const seen: string[] = [];
  const reactor: Reactor = {
    kind: "reactor",
    name: "late",
    schema: "late",
    types: ["KeyRevoked"],
    migrations: [],
    start: ({ checkpoint, fail }) => ({
      async handle(batch) {
        for (const { data } of batch.events) {
          if (loosely(data).key_id === undefined)
            return void setImmediate(fail, new Error("no such key"));
          seen.push(loosely(data).key_id);
        }
        await checkpoint.commit(batch.position);
      },
      stop: async () => undefined,
    }),
  };
  const revoke = async (data: object): Promise<bigint> => {
    const events = [{ id: randomUUID(), type: "KeyRevoked", data, metadata: {} }];
    const stream = `key-${randomUUID()}`;
    const [outcome] = await log.append([{ stream, expected: "no_stream", events }]);
    return outcome?.kind === "appended" ? outcome.position : 0n;
  };
  const [good, other] = [newId("key"), newId("key")];
  const partner_id = newId("ptn");
  await revoke({ key_id: good, partner_id });
  for (let count = 0; count < 20; count++) await revoke({ partner_id });
  const position = await revoke({ key_id: other, partner_id });
  const consumer = await runConsumer(reactor, context);
  await consumer.caughtUp(position);
  expect(new Set(seen)).toEqual(new Set([good, other]));
  const letters = await listDeadLetters(context.pool, { limit: 100 });
  expect(letters).toHaveLength(20);
  expect(letters[0]!.reason).toContain("key_id");
  await consumer.stop();
});

test("a reactor whose event keeps failing sets it aside and goes on", async () => {
  const { context, log } = environment;
  const seen: number[] = [];
  const reactor: Reactor = {
    kind: "reactor",
    name: "strict",
    schema: "strict",
    types: loosely(["Counted"]),
    migrations: [],
    start: ({ checkpoint }) => ({
      async handle(batch) {
        for (const event of batch.events) {
          if (loosely(event.data).poison === true) throw new Error("cannot handle");
          seen.push(loosely(event.data).value);
        }
        await checkpoint.commit(batch.position);
      },
      stop: async () => undefined,
    }),
  };
  await count(log, [1]);
  await count(log, ["poison"]);
  const position = await count(log, [2]);
  const consumer = await runConsumer(reactor, context);
  await consumer.caughtUp(position);
  expect(new Set(seen)).toEqual(new Set([1, 2]));
  expect(await listDeadLetters(context.pool, { limit: 10 })).toHaveLength(1);
  await consumer.stop();
});

test("a rebuild while events arrive swaps in an equal read model without a gap", async () => {
  const { context, log } = environment;
  const consumer = await runConsumer(countingProjector(), context);
  for (let index = 0; index < 20; index++) await count(log, [index]);
  await consumer.caughtUp(await log.head());
  const rebuilding = rebuildProjector(context, countingProjector(), {
    verifyOnly: false,
    signal: AbortSignal.timeout(20_000),
  });
  for (let index = 0; index < 20; index++) await count(log, [index]);
  expect((await rebuilding).events).toBeGreaterThanOrEqual(20);
  await until(async () => (await totals())?.events === 40, {
    what: "every event is in the new read model",
  });
  expect(await totals()).toEqual({ events: 40, total: 380 });
  await consumer.stop();
});

test("a commit that waited for the end of a rebuild is fenced, and leaves nothing in tables that go", async () => {
  const { context } = environment;
  const projector = countingProjector();
  const next = "counts_next";
  for (const schema of ["counts", next])
    await prepareConsumer(context.pool, { ...projector, schema }, schema);
  const holding = await context.pool.connect();
  await holding.query("begin");
  const { position, epoch } = await readCheckpoint(holding, "counts", "counts", true);
  const at = { schema: "counts", name: "counts", from: position, to: position + 1n, epoch };
  const waiting = commitParts(context.projectionPool, at).then(
    () => "committed",
    (error: unknown) => error,
  );
  await until(async () => {
    const { rows } = await context.pool.query(
      "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    return rows.length > 0;
  });
  await swapSchemas(holding, { schema: "counts", next, old: "counts_old" }, "counts", epoch);
  await holding.query("commit");
  holding.release();
  expect(await waiting).toBeInstanceOf(Fenced);
});

test("verify finds equal read models equal and names the table that differs", async () => {
  const { context, log } = environment;
  const consumer = await runConsumer(countingProjector(), context);
  await consumer.caughtUp(await count(log, [1, 2]));
  const verify = () =>
    rebuildProjector(context, countingProjector(), {
      verifyOnly: true,
      signal: AbortSignal.timeout(20_000),
    });
  expect(await verify()).toMatchObject({ equal: true, differs: [] });
  await context.pool.query("update counts.totals set total = 99");
  expect(await verify()).toMatchObject({ equal: false, differs: ["totals"] });
  expect((await totals())?.total).toBe(99);
  await consumer.stop();
});
