import { newId } from "@heliograph/contracts";
import { relativeError } from "@heliograph/domain";
import {
  commitParts,
  quarantine,
  prepareRuntime,
  rebuildProjector,
  type ServiceContext,
} from "@heliograph/runtime";
import { openWorld, type World } from "@heliograph/testkit/world";
import type { RecordedEvent } from "@heliograph/log";
import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { viewOf } from "../src/api/view.ts";
import { service } from "../src/index.ts";
import { countedTypes } from "../src/life.ts";
import { usageProjector } from "../src/projector.ts";
import { type Group, groups, readUsage } from "../src/tables/usage.ts";
import { bruteForce, type Counted } from "./brute-force.ts";
import { append, begin, life, type Life } from "./lives.ts";
import { Tables } from "./sim-tables.ts";

let world: World;
let context: ServiceContext;
/** What the simulation has in their place. */
const tables = new Tables();
/** How far the tables are. */
let position = 0n;
beforeAll(async () => {
  world = await openWorld({ services: [service], driver: "memory" });
  context = world.platform.contexts.sandbox;
  await prepareRuntime(context.pool);
});
afterAll(() => world.close());

type Told = ReturnType<typeof viewOf>;
type Crash = "none" | "before_commit" | "after_commit";

/** Projects what the log has behind the checkpoint, in batches of these sizes. A process that is lost before the commit has counted nothing, and its successor is given the batch again. */
async function project(sizes: readonly number[], crashes: readonly Crash[]): Promise<void> {
  const projector = usageProjector(context);
  const start = () => projector.create({ pool: context.pool, schema: "usage", position });
  let instance = await start();
  for (let batch = 0; ; batch++) {
    const limit = sizes[batch % sizes.length]!;
    const { events, position: to } = await context.log.readAll({
      after: position,
      limit,
      types: countedTypes,
    });
    if (to === position) return;
    const crash = crashes[batch % crashes.length]!;
    if (crash === "before_commit") {
      if (events.length > 0) await instance.project(events);
      instance = await start();
    }
    const parts = events.length > 0 ? await instance.project(events) : [];
    await commitParts(
      context.pool,
      { schema: "usage", name: "usage", from: position, to, epoch: 0 },
      parts,
    );
    tables.apply(parts);
    position = to;
    if (crash === "after_commit") instance = await start();
  }
}

const hour = 3_600_000;
async function told(
  partner: string,
  by: readonly Group[],
  from = begin - 24 * hour,
  to = begin + 100 * hour,
) {
  const range = { from: from / hour, to: to / hour };
  const wanted = groups.filter((group) => group === "currency" || by.includes(group));
  const { rows, asOf } = await readUsage(context.pool, {
    partner,
    ...range,
    groups: wanted,
    limit: 10_000,
    after: undefined,
  });
  expect(asOf).toBe(position);
  return new Map(
    rows.map((row) => {
      const view = viewOf(wanted, row);
      return [JSON.stringify([...by, "currency"].map((group) => view[group as "tag"])), view];
    }),
  );
}

const near = (told: number | null, latencies: readonly number[], share: number): void => {
  if (latencies.length === 0) return expect(told).toBeNull();
  const exact = latencies[Math.floor(share * (latencies.length - 1))]!;
  // The percentile is told with three digits.
  expect(Math.abs(told! - exact)).toBeLessThanOrEqual(exact * (relativeError + 0.005));
};

function compare(rows: ReadonlyMap<string, Told>, counted: ReadonlyMap<string, Counted>): void {
  expect([...rows.keys()].toSorted()).toEqual([...counted.keys()].toSorted());
  for (const [name, { toSent, toDelivered, ...counts }] of counted) {
    const row = rows.get(name)!;
    expect(row).toMatchObject(counts);
    const { accepted_to_sent, sent_to_delivered } = row.latency_ms;
    near(accepted_to_sent.p50, toSent, 0.5);
    near(accepted_to_sent.p95, toSent, 0.95);
    near(sent_to_delivered.p50, toDelivered, 0.5);
    near(sent_to_delivered.p95, toDelivered, 0.95);
  }
}

/** The simulation's tables have what the statements have made of those in PostgreSQL. */
async function compareTables(): Promise<void> {
  expect(tables.faults).toEqual([]);
  for (const grain of ["hours", "days"] as const) {
    const { rows } = await context.pool.query(
      `select *, messages::float8, segments::float8, cost::text from usage.${grain}`,
    );
    const own = [...tables.rows.values()].filter(({ key }) => key.grain === grain);
    const text = (row: object): string =>
      JSON.stringify(Object.entries(row).toSorted(([one], [other]) => one.localeCompare(other)));
    const shown = own.map(({ key: { grain: _, ...key }, cost, ...row }) =>
      text({ ...key, ...row, cost: String(cost) }),
    );
    expect(shown.toSorted()).toEqual(rows.map(text).toSorted());
  }
  const { rows } = await context.pool.query("select partner, day, kind, name from usage.names");
  expect(rows).toEqual(expect.arrayContaining(tables.names));
  expect(rows).toHaveLength(tables.names.length);
}

const asked: readonly (readonly Group[])[] = [
  [],
  ["day"],
  ["hour"],
  ["channel", "country"],
  ["status"],
  ["gateway", "template"],
  ["tag"],
  ["tag", "country"],
  ["day", "tag", "status"],
];

test("Usage equals a count over the log, however the events mix, are batched and are given again", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(life(), { minLength: 1, maxLength: 12 }),
      fc.array(fc.nat(20), { minLength: 1, maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 25 }), { minLength: 1, maxLength: 4 }),
      fc.array(fc.constantFrom<Crash>("none", "before_commit", "after_commit"), {
        minLength: 1,
        maxLength: 5,
      }),
      async (lives, picks, sizes, crashes) => {
        const partner = newId("ptn");
        await append(context.log, lives, partner, picks);
        await project(sizes, crashes);
        for (const by of asked)
          compare(await told(partner, by), await bruteForce(context.log, partner, by));
      },
    ),
    { numRuns: 25 },
  );
  await compareTables();
  for (let time = 0; time < 2; time++) {
    const rebuilt = await rebuildProjector(context, usageProjector(context), {
      verifyOnly: true,
      signal: AbortSignal.timeout(20_000),
    });
    expect(rebuilt).toMatchObject({ equal: true, differs: [] });
  }
}, 60_000);

/** Projects what is new but for some events, which are set aside, one by one: nothing is remembered, so what is before is folded from the log. Gives what handles those again. */
async function projectWithout(
  isAside: (event: RecordedEvent, index: number) => boolean,
): Promise<() => Promise<void>> {
  const { events } = await context.log.readAll({
    after: position,
    limit: 1_000,
    types: countedTypes,
  });
  const projector = usageProjector(context);
  const start = () => projector.create({ pool: context.pool, schema: "usage", position });
  const at = { schema: "usage", name: "usage", epoch: 0 };
  const aside = events.filter(isAside);
  for (const event of aside) await quarantine(context.pool, "usage", event, "cannot be read yet");
  for (const event of events.filter((each) => !aside.includes(each))) {
    const parts = await (await start()).project([event]);
    await commitParts(context.pool, { ...at, from: position, to: event.position }, parts);
    position = event.position;
  }
  // The checkpoint goes on behind what was set aside.
  const to = events.at(-1)!.position;
  await commitParts(context.pool, { ...at, from: position, to }, []);
  position = to;
  return async () => {
    const instance = await start();
    for (const event of aside.toReversed())
      await commitParts(
        context.pool,
        { ...at, from: position, to: position },
        await instance.project([event]),
      );
    await context.pool.query("update runtime.dead_letters set status = 'resolved'");
  };
}

test("An event that was set aside counts for nothing until it is handled again, and then as if it had come in time", async () => {
  const partner = newId("ptn");
  const lives = fc.sample(life(), { numRuns: 12, seed: 7 });
  await append(context.log, lives, partner, [5, 2, 9]);
  const handleAgain = await projectWithout((_, index) => index % 4 === 1);
  const now = await told(partner, ["status"]);
  expect([...now.values()].some((row) => row.accepted < 0 || row.cost.startsWith("-"))).toBe(false);
  await handleAgain();
  for (const by of asked)
    compare(await told(partner, by), await bruteForce(context.log, partner, by));
});

test("What the wallet wrote off costs nothing, though its message is forgotten in between or the wallet's word comes late", async () => {
  const late: Life = {
    asked: {},
    types: ["HoldLapsed", "MessageSent", "MessageDelivered", "MessageRead"],
    gaps: [1, 2, 3, 4],
    gateways: ["sim-1", "sim-1"],
  };
  for (const isAside of [() => false, ({ type }: RecordedEvent) => type === "FundsWrittenOff"]) {
    const partner = newId("ptn");
    await append(context.log, [{ ...late, isPoor: true }, late], partner, [0, 1]);
    const handleAgain = await projectWithout(isAside);
    await handleAgain();
    const rows = await told(partner, ["status"]);
    compare(rows, await bruteForce(context.log, partner, ["status"]));
    // One of the two was charged late.
    expect([...rows.values()]).toMatchObject([{ status: "read", accepted: 2, cost: "0.0079" }]);
  }
});
