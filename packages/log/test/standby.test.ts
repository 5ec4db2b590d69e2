import { setTimeout as pause } from "node:timers/promises";
import { postgresPair, until } from "@heliograph/testkit";
import pg from "pg";
import { expect, it, onTestFinished } from "vitest";
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

it("loses and repeats nothing that it acknowledged when the primary is killed and its synchronous standby is promoted", async () => {
  const pair = await postgresPair();
  onTestFinished(pair.close);
  const log = await openPostgresLog({ connection: { connectionString: pair.url }, namespace: "t" });
  onTestFinished(() => log.close());
  const watcher = watch(log, { after: 0n });
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
    "select id from log.events order by position",
  );
  await client.end();
  const stored = rows.map(({ id }) => id);
  expect(stored.toSorted()).toEqual(acknowledged.toSorted());
  await until(() => watcher.position === BigInt(stored.length), { what: "the reader has all" });
  await watcher.stop();
  expect(isDense(watcher.events)).toBe(true);
  expect(watcher.events.map(({ id }) => id)).toEqual(stored);
}, 60_000);
