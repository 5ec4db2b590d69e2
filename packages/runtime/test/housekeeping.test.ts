import { randomUUID } from "node:crypto";
import { until } from "@heliograph/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  cancelRebuild,
  listProjections,
  metricsRegister,
  readRebuild,
  requestRebuild,
  startConsumers,
  type Projector,
} from "../src/index.ts";
import { Leases } from "../src/lease.ts";
import { rebuildProjector } from "../src/rebuild.ts";
import { showDeadLetters } from "../src/status.ts";
import { rebuildJobs } from "../src/tables/jobs.ts";
import { prepareConsumer, prepareRuntime } from "../src/tables/schema.ts";
import { count, countingProjector, openEnvironment } from "./fixture.ts";

let environment: Awaited<ReturnType<typeof openEnvironment>>;
beforeEach(async () => {
  environment = await openEnvironment();
});
afterEach(() => environment.close());

const shown = (name: string, updatedHoursAgo: number, knownHoursAgo: number) =>
  environment.context.pool.query(
    `insert into runtime.consumers (name, schema, kind, position, head, rate, status, owner, updated_at, known_at)
     values ($1, $1, 'projector', 0, 0, 0, 'running', 'gone', now() - make_interval(hours => $2), now() - make_interval(hours => $3))`,
    [name, updatedHoursAgo, knownHoursAgo],
  );
const names = async (): Promise<readonly string[]> =>
  (await listProjections(environment.context.projectionPool)).map(({ name }) => name);
const openOf = async (consumer: string): Promise<number | undefined> => {
  const metric = await metricsRegister.getSingleMetric("heliograph_dead_letters_open")!.get();
  return metric.values.find(({ labels }) => labels["consumer"] === consumer)?.value;
};

test("a consumer that no process knows leaves the list after a day; one that is only silent, or has a standby, stays", async () => {
  const { pool, connection } = environment.context;
  await prepareRuntime(pool);
  await prepareConsumer(pool, countingProjector());
  await shown("retired", 25, 25);
  await shown("silent", 23, 23);
  await shown("stood-by-for", 25, 1);
  await shown("counts", 25, 25);
  // Another copy has the lease of `counts` and shows nothing: this process only stands by.
  const holder = new Leases(connection, () => undefined);
  await holder.acquire("counts", "counts", new AbortController().signal);
  const running = await startConsumers(environment.context, [countingProjector()]);
  try {
    await until(async () => !(await names()).includes("retired"), { timeoutMs: 10_000 });
    expect(running.statuses.map(({ state }) => state)).toEqual(["waiting"]);
    expect(await names()).toEqual(["counts", "silent", "stood-by-for"]);
  } finally {
    await running.stop();
    await holder.close();
  }
});

test("open dead letters are shown per consumer, and 0 when the last is handled", async () => {
  const { pool } = environment.context;
  await prepareRuntime(pool);
  for (const [position, status] of [
    [1, "open"],
    [2, "retry"],
    [3, "resolved"],
  ])
    await pool.query(
      "insert into runtime.dead_letters (consumer, position, event_id, event_type, reason, status) values ('broken', $1, gen_random_uuid(), 'Counted', 'test', $2)",
      [position, status],
    );
  const running = await startConsumers(environment.context, [countingProjector()]);
  try {
    await until(async () => (await openOf("broken")) === 2, { timeoutMs: 10_000 });
  } finally {
    await running.stop();
  }
  showDeadLetters("sandbox", [{ consumer: "other", open: 1 }]);
  expect([await openOf("broken"), await openOf("other")]).toEqual([0, 1]);
});

const named = (name: string): Projector => ({ ...countingProjector(), name, schema: name });
/** Its rebuild waits at the gate, once all that waited with it were claimed, and serves meanwhile. */
function heldProjector() {
  const gate = Promise.withResolvers<void>();
  const reached = Promise.withResolvers<void>();
  const held: Projector = {
    ...named("held"),
    async create(part) {
      if (part.schema === "held_next") {
        reached.resolve();
        await gate.promise;
      }
      return named("held").create(part);
    },
  };
  return { held, gate, reached: reached.promise };
}
const rebuildOf = async ({ id }: { readonly id: string }) =>
  (await readRebuild(environment.context.pool, id))!;
const epochOf = async (schema: string): Promise<number> =>
  (await environment.context.pool.query(`select epoch from ${schema}.checkpoint`)).rows[0].epoch;

test("a rebuild that is canceled puts nothing in the place of what is served; one whose process stops is done by the next", async () => {
  const { context } = environment;
  const { pool, log } = context;
  await count(log, [1]);
  const { held, gate, reached } = heldProjector();
  let running = await startConsumers(context, [held]);
  try {
    await until(async () => running.statuses[0]!.position > 0n, { timeoutMs: 10_000 });
    const canceled = await requestRebuild(pool, "held", false);
    await reached;
    const epoch = await epochOf("held");
    expect(await cancelRebuild(pool, canceled.id)).toBe(true);
    gate.resolve();
    // The next one is begun when that one has ended.
    const verified = await requestRebuild(pool, "held", true);
    await until(async () => (await rebuildOf(verified)).status === "done", { timeoutMs: 20_000 });
    expect((await rebuildOf(verified)).result).toMatchObject({ equal: true });
    expect(await rebuildOf(canceled)).toMatchObject({ status: "canceled", result: null });
    expect(await epochOf("held")).toBe(epoch);
    await running.stop();

    const again = heldProjector();
    running = await startConsumers(context, [again.held]);
    const stopped = await requestRebuild(pool, "held", false);
    await again.reached;
    const ending = running.stop();
    again.gate.resolve();
    await ending;
    expect((await rebuildOf(stopped)).status).toBe("requested");
    running = await startConsumers(context, [named("held")]);
    await until(async () => (await rebuildOf(stopped)).status === "done", { timeoutMs: 20_000 });
  } finally {
    gate.resolve();
    await running.stop();
  }
}, 60_000);

test("a rebuild that takes its process along each time is given up, however far it came", async () => {
  const { pool } = environment.context;
  await prepareRuntime(pool);
  const job = await requestRebuild(pool, "heavy", false);
  for (let time = 0; time < 5; time++) {
    const owner = randomUUID();
    expect(await rebuildJobs.claim(pool, owner, ["other"])).toBeUndefined();
    expect(await rebuildJobs.claim(pool, owner, ["heavy"])).toMatchObject({ id: job.id });
    expect(await rebuildJobs.note(pool, job.id, owner, { processed: 7, total: 9 })).toBe(true);
    await pool.query("update runtime.jobs set updated_at = now() - interval '2 minutes'");
  }
  expect(await rebuildJobs.claim(pool, randomUUID(), ["heavy"])).toBeUndefined();
  expect(await rebuildOf(job)).toMatchObject({ status: "failed", processed: 7 });
});

test("no rebuild begins before one of the same read model has let go of its tables, and none is canceled that is swapped in", async () => {
  const { context } = environment;
  const { pool, log } = context;
  await prepareRuntime(pool);
  const claim = (owner: string) => rebuildJobs.claim(pool, owner, ["counts"]);
  const [one, other] = [randomUUID(), randomUUID()];
  const [first, second] = [
    await requestRebuild(pool, "counts", false),
    await requestRebuild(pool, "counts", false),
  ];
  expect(await claim(one)).toMatchObject({ id: first.id });
  expect(await claim(other)).toBeUndefined();
  expect(await cancelRebuild(pool, first.id)).toBe(true);
  expect(await claim(other)).toBeUndefined();
  await rebuildJobs.letGo(pool, first.id, one);
  expect(await claim(other)).toMatchObject({ id: second.id });
  await rebuildJobs.finish(pool, second.id, other, { complete: true });

  await count(log, [1]);
  const running = await startConsumers(context, [countingProjector()]);
  try {
    await until(async () => running.statuses[0]!.position > 0n, { timeoutMs: 10_000 });
    const epoch = await epochOf("counts");
    const options = { verifyOnly: false, signal: new AbortController().signal };
    const unwanted = rebuildProjector(context, countingProjector(), {
      ...options,
      settle: () => Promise.resolve(false),
    });
    await expect(unwanted).rejects.toThrow("it was canceled");
    expect(await epochOf("counts")).toBe(epoch);
    const swapped = await requestRebuild(pool, "counts", false);
    await until(async () => (await epochOf("counts")) > epoch, { timeoutMs: 20_000 });
    expect(await cancelRebuild(pool, swapped.id)).toBe(false);
    expect(await rebuildOf(swapped)).toMatchObject({ status: "done", result: { events: 1 } });
  } finally {
    await running.stop();
  }
}, 60_000);

test("rebuilds that wait are somebody's for as long as their process lives: those under way, and those that nobody could begin yet", async () => {
  const { context } = environment;
  const { pool, log } = context;
  await count(log, [1]);
  const { held, gate, reached } = heldProjector();
  const running = await startConsumers(context, [held, named("behind")]);
  try {
    const first = await requestRebuild(pool, "held", false);
    const status = async ({ id }: { readonly id: string }) => (await readRebuild(pool, id))!.status;
    await reached;
    const second = await requestRebuild(pool, "behind", false);
    await pool.query("update runtime.jobs set updated_at = now() - interval '2 minutes'");
    const old = async () =>
      (await pool.query("select from runtime.jobs where updated_at < now() - interval '1 minute'"))
        .rowCount;
    await until(async () => (await old()) === 0, { timeoutMs: 30_000 });
    expect(await rebuildJobs.claim(pool, randomUUID(), ["held"])).toBeUndefined();
    expect(await status(second)).toBe("requested");
    gate.resolve();
    await until(async () => (await status(second)) === "done", { timeoutMs: 20_000 });
    expect(await status(first)).toBe("done");
  } finally {
    gate.resolve();
    await running.stop();
  }
}, 60_000);
