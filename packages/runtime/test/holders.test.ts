import { until } from "@heliograph/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { requestRebuild, runConsumer, type Projector } from "../src/index.ts";
import { Leases } from "../src/lease.ts";
import { prepareConsumer, prepareRuntime } from "../src/schema.ts";
import { count, countingProjector, openEnvironment } from "./fixture.ts";

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
