import { openEventStoreLog } from "@heliograph/log";
import { until } from "@heliograph/testkit";
import { eventStoreDouble } from "@heliograph/testkit/eventstore";
import { expect, test } from "vitest";
import { rebuildProjector } from "../src/index.ts";
import { count, countingProjector, openEnvironment, runConsumer } from "./fixture.ts";

test("a rebuild waits for a log that goes away meanwhile", async () => {
  const environment = await openEnvironment();
  const double = await eventStoreDouble();
  const log = await openEventStoreLog({
    connectionString: double.connectionString,
    namespace: "sandbox",
  });
  const context = { ...environment.context, log };
  try {
    const consumer = await runConsumer(countingProjector(), context);
    await consumer.caughtUp(await count(log, [1, 2, 3]));
    await double.stop();
    const { messages } = double.faults;
    const rebuilding = rebuildProjector(context, countingProjector(), {
      verifyOnly: true,
      signal: AbortSignal.timeout(20_000),
    });
    let failed: unknown;
    rebuilding.catch((error: unknown) => (failed = error));
    await until(
      async () => {
        const { rows } = await context.pool.query("select to_regclass('counts_next.totals') as t");
        return rows[0].t;
      },
      { what: "the new read model is being filled" },
    );
    await expect(log.head()).rejects.toThrow();
    expect([failed, double.faults.messages]).toEqual([undefined, messages]);
    await double.start();
    expect(await rebuilding).toMatchObject({ equal: true, events: 3 });
    await consumer.stop();
  } finally {
    await log.close();
    await double.close();
    await environment.close();
  }
}, 30_000);
