import { fileURLToPath } from "node:url";
import { spawnService, until } from "@heliograph/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openEnvironment, runConsumer } from "./fixture.ts";
import { spacedProjector } from "./spaced.ts";

const child = fileURLToPath(new URL("clearing-child.ts", import.meta.url));
let environment: Awaited<ReturnType<typeof openEnvironment>>;
beforeAll(async () => {
  environment = await openEnvironment();
});
afterAll(() => environment.close());

const append = async (stream: string, type: string, data: object, partner: string) => {
  const event = { id: crypto.randomUUID(), type, data, metadata: { partner } };
  const [outcome] = await environment.log.append([{ stream, expected: "any", events: [event] }]);
  if (outcome?.kind !== "appended") throw new Error(`append: ${outcome?.kind}`);
  return outcome.position;
};
const counted = (partner: string) => append(`counted-${partner}`, "Counted", {}, partner);
const rowsOf = async (partner: string): Promise<readonly number[]> => {
  const { rows } = await environment.context.pool.query(
    `select (select count(*)::int from spaced.found where partner = $1) as found,
            (select count(*)::int from spaced.walked where partner = $1) as walked`,
    [partner],
  );
  return [rows[0].found, rows[0].walked];
};
const isCleared = async (): Promise<boolean> => {
  const { rows } = await environment.context.pool.query("select cleared from spaced.ended_spaces");
  return rows[0]?.cleared;
};

/** The projector in a process of its own, killed after so many statements that delete. */
async function killedAfter(parts: number): Promise<void> {
  const { connection } = environment.context;
  const url = new URL("postgres://127.0.0.1");
  url.username = connection.user ?? "";
  url.password = String(connection.password ?? "");
  url.port = String(connection.port ?? "");
  url.pathname = `/${connection.database}`;
  const failpoint = { HELIOGRAPH_FAILPOINT: `runtime.clearing:kill@${parts}` };
  const process = spawnService(child, failpoint, [url.href, ""]);
  const { signal } = await process.exited;
  if (signal !== "SIGKILL")
    throw new Error(`runtime.clearing was not passed:\n${process.output()}`);
}

test("a space whose clearing is killed again and again loses every row and no other space any, and others' events are projected all the same", async () => {
  const { context } = environment;
  const first = await runConsumer(spacedProjector, context);
  await first.caughtUp(await counted("ptn_kept"));
  await first.stop();
  await context.pool.query(
    `insert into spaced.found select 'ptn_gone', n from generate_series(1, 7000) n;
     insert into spaced.walked select case n % 2 when 0 then 'ptn_gone' else 'ptn_kept' end, n from generate_series(1, 300000) n`,
  );
  await append("sandbox-ptn_gone", "SpaceEnded", { space: "ptn_gone" }, "ptn_gone");
  await counted("ptn_gone");
  const kept = await counted("ptn_kept");

  await killedAfter(1);
  expect(await rowsOf("ptn_gone")).toEqual([5_000, 150_000]);
  expect(await isCleared()).toBe(false);
  // Three more statements find what is left, and one says that there is nothing; one walks the first pages of the other table.
  await killedAfter(4);
  const [found, walked] = await rowsOf("ptn_gone");
  expect(found).toBe(0);
  expect(walked).toBeGreaterThan(0);
  expect(walked).toBeLessThan(150_000);
  expect(await isCleared()).toBe(false);

  const last = await runConsumer(spacedProjector, context);
  await last.caughtUp(kept);
  await until(isCleared);
  expect(await rowsOf("ptn_gone")).toEqual([0, 0]);
  expect(await rowsOf("ptn_kept")).toEqual([2, 150_002]);
  await last.stop();
}, 60_000);
