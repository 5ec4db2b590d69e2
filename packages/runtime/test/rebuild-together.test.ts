import type { EventLog } from "@heliograph/log";
import { expect, test } from "vitest";
import {
  prepareConsumer,
  rebuildProjector,
  rebuildTogether,
  type Projector,
} from "../src/index.ts";
import { count, countingProjector, openEnvironment, runConsumer } from "./fixture.ts";

const { signal } = new AbortController();
/** On a busy machine a commit may take seconds: nobody is left behind. */
const waitMs = 60_000;

test("projectors that are rebuilt at once read the log once, whatever one of them waits for, and each comes to its own fold", async () => {
  const { context, log, close } = await openEnvironment();
  try {
    const values = Array.from({ length: 500 }, (_, index) => index);
    let head = 0n;
    for (let round = 0; round < 50; round++) head = await count(log, values);
    const projectors: readonly Projector[] = ["a", "b", "c", "d", "e", "f"].map((name) => ({
      ...countingProjector(),
      name,
      schema: name,
    }));
    for (const projector of projectors) {
      await prepareConsumer(context.pool, projector);
      const running = await runConsumer(projector, context);
      await running.caughtUp(head);
      await running.stop();
    }
    // All but one are damaged, and one of these fails.
    for (const name of "bcdef") await context.pool.query(`update ${name}.totals set total = 1`);
    let reads = 0;
    const counted: EventLog = {
      ...log,
      readAll(options) {
        if (options.limit === 2_000) reads++;
        return log.readAll(options);
      },
    };
    const results = await rebuildTogether(
      { ...context, log: counted },
      projectors,
      async (projector, together) => {
        if (projector.name === "c") throw new Error("cannot be rebuilt");
        return rebuildProjector(together.context, projector, {
          verifyOnly: projector.name === "a",
          inTurn: together.inTurn,
          signal,
        });
      },
      waitMs,
    );
    expect(
      results.map((each) =>
        each.status === "fulfilled" ? each.value.events : String(each.reason),
      ),
    ).toEqual([25_000, 25_000, "Error: cannot be rebuilt", 25_000, 25_000, 25_000]);
    expect(results[0]).toMatchObject({ value: { equal: true } });
    for (const name of ["b", "d", "e", "f"]) {
      const { rows } = await context.pool.query(`select total::text from ${name}.totals`);
      expect(rows).toEqual([{ total: String(50 * ((499 * 500) / 2)) }]);
    }
    // 25,000 events in pages of 2,000, each once: the last is none of them.
    expect(reads).toBe(12);
  } finally {
    await close();
  }
}, 90_000);
