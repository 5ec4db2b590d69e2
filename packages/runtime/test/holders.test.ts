import { networkLink, until, type NetworkLink } from "@heliograph/testkit";
import pg from "pg";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { requestRebuild, type Projector } from "../src/index.ts";
import { Leases } from "../src/lease.ts";
import { prepareConsumer, prepareRuntime } from "../src/tables/schema.ts";
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

test("a holder that has just taken over is left alone although the last heartbeat is old", async () => {
  const { pool, connection } = environment.context;
  await prepareRuntime(pool);
  await prepareConsumer(pool, countingProjector());
  await pool.query(
    `insert into runtime.consumers (name, schema, kind, position, head, rate, status, owner, updated_at)
     values ('counts', 'counts', 'projector', 0, 0, 0, 'running', 'gone', now() - interval '5 minutes')`,
  );
  let lost = 0;
  const holder = new Leases(connection, () => lost++);
  const standby = new Leases(connection, () => undefined);
  const never = new AbortController();
  expect(await holder.acquire("counts", "counts", never.signal)).toMatchObject({ epoch: 1 });
  expect(await standby.acquire("counts", "counts", AbortSignal.timeout(1_000))).toBeUndefined();
  expect(lost).toBe(0);
  await standby.close();
  await holder.close();
});

/** The way to the database through a link; tests reach it at a port, or at the folder of its socket. */
async function linked(): Promise<{ link: NetworkLink; connection: pg.ClientConfig }> {
  const { rows } = await environment.context.pool.query("show port");
  const link = await networkLink({ target: Number(rows[0].port) });
  return {
    link,
    connection: { ...environment.context.connection, host: "127.0.0.1", port: link.port },
  };
}

test("a session that went silent is given up with what it held, and another takes its place", async () => {
  const { pool } = environment.context;
  await prepareRuntime(pool);
  await prepareConsumer(pool, countingProjector());
  await prepareConsumer(pool, { ...countingProjector(), name: "more" }, "counts");
  const { link, connection } = await linked();
  let lost = 0;
  const leases = new Leases(connection, () => lost++, 1_000);
  const never = new AbortController();
  try {
    expect(await leases.acquire("counts", "counts", never.signal)).toMatchObject({ epoch: 1 });
    link.weather({ silences: 1 });
    const looks: boolean[] = [];
    const other = leases.acquire("more", "counts", never.signal, (answered) => {
      looks.push(answered);
      link.weather({});
    });
    expect(await other).toMatchObject({ epoch: 1 });
    expect(looks).toEqual([false, true]);
    expect(lost).toBe(1);
  } finally {
    await leases.close();
    await link.close();
  }
});

test("a lease whose checkpoint is locked leaves the others their turn, and is held once", async () => {
  const { pool, connection } = environment.context;
  await prepareRuntime(pool);
  await prepareConsumer(pool, countingProjector());
  await prepareConsumer(pool, { ...countingProjector(), name: "more" }, "counts");
  const never = new AbortController();
  const [leases, standby] = [
    new Leases(connection, () => undefined),
    new Leases(connection, () => undefined),
  ];
  const rebuild = await pool.connect();
  try {
    await rebuild.query("begin");
    await rebuild.query("select 1 from counts.checkpoint where name = 'counts' for update");
    const held = leases.acquire("counts", "counts", never.signal);
    expect(await leases.acquire("more", "counts", never.signal)).toMatchObject({ epoch: 1 });
    await rebuild.query("commit");
    expect(await held).toMatchObject({ epoch: 1 });
    await leases.release("counts");
    expect(await standby.acquire("counts", "counts", never.signal)).toMatchObject({ epoch: 2 });
  } finally {
    rebuild.release();
    await leases.close();
    await standby.close();
  }
});

test("those who stand by ask together, and each gets what its holder gives back", async () => {
  const { pool, connection } = environment.context;
  const names = ["counts", "more", "most"];
  await prepareRuntime(pool);
  for (const name of names) await prepareConsumer(pool, { ...countingProjector(), name }, "counts");
  const never = new AbortController();
  const [holder, standby] = [
    new Leases(connection, () => undefined),
    new Leases(connection, () => undefined),
  ];
  const queries = vi.spyOn(pg.Client.prototype, "query");
  try {
    // Those that are there are taken over by one statement.
    const owned = names.map((name) => holder.acquire(name, "counts", never.signal));
    expect((await Promise.all(owned)).map((each) => each?.epoch)).toEqual([1, 1, 1]);
    const takeOvers = queries.mock.calls.filter(([query]) =>
      String(query).includes("set epoch = epoch + 1"),
    );
    expect(takeOvers).toHaveLength(1);
    queries.mockClear();
    const looks = new Map(names.map((name) => [name, 0]));
    const given: string[] = [];
    const waiting = names.map(async (name) => {
      const look = (): void => void looks.set(name, looks.get(name)! + 1);
      const ownership = await standby.acquire(name, "counts", never.signal, look);
      given.push(name);
      return ownership?.epoch;
    });
    await until(() => [...looks.values()].every((count) => count >= 2));
    const asked = queries.mock.calls.filter(
      ([query]) => (query as { name?: string }).name === "lease_try",
    );
    // One more may be under way.
    expect(asked.length).toBeLessThanOrEqual(Math.max(...looks.values()) + 1);
    await holder.release("more");
    expect(await waiting[1]).toBe(2);
    expect(given).toEqual(["more"]);
    await holder.close();
    expect(await Promise.all(waiting)).toEqual([2, 2, 2]);
  } finally {
    queries.mockRestore();
    await standby.close();
    await holder.close();
  }
});

test("a consumer that cannot reach the database for its lease does not pass for a standby", async () => {
  const { link, connection } = await linked();
  const consumer = await startConsumers({ ...environment.context, connection }, [
    countingProjector(),
  ]);
  try {
    await until(() => consumer.statuses[0]?.state === "running");
    await link.close();
    await until(() => consumer.statuses[0]?.state === "cut_off");
    // It stays so however often it asks again.
    const seen = new Set<string | undefined>();
    const endsAt = performance.now() + 1_000;
    await until(() => {
      seen.add(consumer.statuses[0]?.state);
      return performance.now() > endsAt;
    });
    expect([...seen]).toEqual(["cut_off"]);
  } finally {
    await consumer.stop();
  }
});

test("a rebuild that takes long does not stop the heartbeat of its process", async () => {
  const { context, log } = environment;
  const gate = Promise.withResolvers<void>();
  let rebuilding = false;
  const counts = countingProjector();
  const slow: Projector = {
    ...counts,
    async create(tools) {
      const instance = await counts.create(tools);
      if (tools.schema === counts.schema) return instance;
      rebuilding = true;
      return {
        async project(events) {
          await gate.promise;
          return instance.project(events);
        },
      };
    },
  };
  const consumer = await runConsumer(slow, context);
  try {
    await consumer.caughtUp(await count(log, [1]));
    await requestRebuild(context.pool, "counts", true);
    await until(() => rebuilding);
    const shown = async (): Promise<number> => {
      const { rows } = await context.pool.query("select updated_at from runtime.consumers");
      return (rows[0].updated_at as Date).getTime();
    };
    const before = await shown();
    await until(async () => (await shown()) > before);
  } finally {
    gate.resolve();
    await consumer.stop();
  }
});
