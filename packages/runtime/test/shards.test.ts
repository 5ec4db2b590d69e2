import { randomUUID } from "node:crypto";
import { newId, shardOf, shardSql } from "@heliograph/contracts";
import type { EventLog } from "@heliograph/log";
import { loosely, partnerIn, placedFeed, until } from "@heliograph/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { checkpointOf, startConsumers, type Reactor } from "../src/index.ts";
import { Sharing } from "../src/sharing.ts";
import { openEnvironment } from "./fixture.ts";

let environment: Awaited<ReturnType<typeof openEnvironment>>;
beforeEach(async () => {
  environment = await openEnvironment();
});
afterEach(() => environment.close());

/** Some in each of four shards. */
const partners = Array.from({ length: 12 }, (_, index) => partnerIn(index % 4, 4));

/** Appends one event of every partner; its value counts up, so that order shows. */
async function round(log: EventLog, value: number): Promise<void> {
  const outcomes = await log.append(
    partners.map((partner) => ({
      stream: `counted-${randomUUID()}`,
      expected: "no_stream" as const,
      events: [{ id: randomUUID(), type: "Counted", data: { value }, metadata: { partner } }],
    })),
  );
  expect(outcomes.every(({ kind }) => kind === "appended")).toBe(true);
}

type Seen = { readonly partner: string; readonly value: number; readonly owner: string };

/** Notes who handled what, in one table that commits with the checkpoint. */
const noting = (owner: string): Reactor => ({
  kind: "reactor",
  name: "noting",
  schema: "noting",
  types: loosely(["Counted"]),
  sharded: true,
  migrations: [
    "create table if not exists {schema}.seen (at bigserial, partner text not null, value int not null, owner text not null)",
  ],
  start: ({ checkpoint, shard }) => ({
    async handle(batch) {
      const mine = batch.events.map(({ metadata, data }) => [
        metadata.partner!,
        loosely(data).value,
      ]);
      await checkpoint.commit(batch.position, [
        {
          name: "note",
          sql: "insert into {schema}.seen (partner, value, owner) select p, v, $3 from unnest($1::text[], $2::int[]) as t(p, v)",
          values: [
            mine.map(([partner]) => partner),
            mine.map(([, value]) => value),
            `${owner}/${shard?.index}`,
          ],
        },
      ]);
    },
    stop: async () => undefined,
  }),
});

const seen = async (): Promise<readonly Seen[]> =>
  (
    await environment.context.pool.query(
      "select partner, value, owner from noting.seen order by at",
    )
  ).rows;

test("two copies share the shards of a reactor; a shard that moves goes on where it was, in order, and how far a partner's is hears nothing of the others", async () => {
  const { context, log } = environment;
  const left = placedFeed(log, 4);
  const right = placedFeed(log, 4);
  left.place([0, 1, 2, 3]);
  const first = await startConsumers({ ...context, feed: left.feed }, [noting("left")]);
  const second = await startConsumers({ ...context, feed: right.feed }, [noting("right")]);
  await round(log, 1);
  await until(async () => (await seen()).length === 12, { what: "the first round" });
  expect((await seen()).every(({ owner }) => owner.startsWith("left/"))).toBe(true);

  left.place([0, 1]);
  await round(log, 2);
  const head = await log.head();
  const farOf = (partner?: string): Promise<bigint> =>
    checkpointOf(context.projectionPool, "noting", partner);
  const isSeen = async (partner: string): Promise<boolean> => (await farOf(partner)) === head;
  await until(async () => (await isSeen(partners[0]!)) && (await isSeen(partners[1]!)), {
    what: "the shards that are placed have seen the second round",
  });
  expect(await Promise.all(partners.map(isSeen))).toEqual(
    partners.map((partner) => shardOf(partner, 4) < 2),
  );
  expect(await farOf()).toBeLessThan(head);

  right.place([2, 3]);
  await round(log, 3);
  await until(async () => (await seen()).length === 36, { what: "all rounds" });
  await Promise.all([first.stop(), second.stop()]);

  const all = await seen();
  for (const partner of partners)
    expect(all.filter((note) => note.partner === partner).map(({ value }) => value)).toEqual([
      1, 2, 3,
    ]);
  for (const { partner, owner } of all.filter(({ value }) => value === 3))
    expect(owner).toBe(`${shardOf(partner, 4) < 2 ? "left" : "right"}/${shardOf(partner, 4)}`);
});

test("a reactor that ran as a whole is divided where it stood, once it has stopped", async () => {
  const { context, log } = environment;
  const whole = await startConsumers(context, [noting("whole")]);
  await round(log, 1);
  await until(async () => (await seen()).length === 12, { what: "the whole has handled a round" });

  const placed = placedFeed(log, 3);
  placed.place([0, 1, 2]);
  const dividing = startConsumers({ ...context, feed: placed.feed }, [noting("part")]);
  await round(log, 2);
  await until(async () => (await seen()).length === 24, { what: "the whole goes on meanwhile" });
  await whole.stop();
  const divided = await dividing;
  await round(log, 3);
  await until(async () => (await seen()).length >= 36, { what: "the shards have a round" });
  expect((await seen()).map(({ owner }) => owner.split("/")[0])).toEqual([
    ...Array(24).fill("whole"),
    ...Array(12).fill("part"),
  ]);
  await divided.stop();
});

test("once divided it stays so on the log feed too, and another number of shards is refused", async () => {
  const { context, log } = environment;
  const placed = placedFeed(log, 3);
  placed.place([0, 1, 2]);
  const divided = await startConsumers({ ...context, feed: placed.feed }, [noting("part")]);
  await round(log, 1);
  await until(async () => (await seen()).length === 12, { what: "the first round" });
  await divided.stop();

  const onLog = await startConsumers(context, [noting("log")]);
  expect(onLog.statuses.map(({ name }) => name)).toEqual(["noting/0", "noting/1", "noting/2"]);
  await round(log, 2);
  await until(async () => (await seen()).length === 24, { what: "the second round" });
  await onLog.stop();
  const owners = new Set((await seen()).slice(12).map(({ owner }) => owner));
  expect([...owners].every((owner) => owner.startsWith("log/"))).toBe(true);

  await expect(
    startConsumers({ ...context, feed: placedFeed(log, 5).feed }, [noting("five")]),
  ).rejects.toThrow("HELIOGRAPH_KAFKA_SHARDS must be 3, not 5");
});

test("without a feed, copies share the shards among themselves: each event goes to one of them, in order, whichever comes, stops or vanishes", async () => {
  const { context, log } = environment;
  const divided = { ...context, settings: { ...context.settings, shards: 4 } };
  const running = ({ statuses }: Awaited<ReturnType<typeof startConsumers>>): number =>
    statuses.filter(({ state }) => state === "running").length;
  const shown = (what: string, done: () => boolean | Promise<boolean>) => until(done, { what });
  // Undivided until now: its row leaves the list.
  const whole = await startConsumers(context, [noting("whole")]);
  const listed = async () =>
    (await context.pool.query("select name from runtime.consumers order by name")).rows.map(
      ({ name }) => name,
    );
  await shown("the whole is listed", async () => (await listed()).includes("noting"));
  await whole.stop();

  const left = await startConsumers(divided, [noting("left")]);
  await shown("one copy has all", () => running(left) === 4);
  const right = await startConsumers(divided, [noting("right")]);
  await round(log, 1);
  await shown("two copies have half each", () => running(left) === 2 && running(right) === 2);
  await round(log, 2);
  await shown("two rounds", async () => (await seen()).length === 24);
  await shown("the shards are listed", async () => (await listed()).length === 4);
  expect(await listed()).toEqual([0, 1, 2, 3].map((shard) => `noting/${shard}`));
  await right.stop();
  await round(log, 3);
  await shown("who stays has all", () => running(left) === 4);

  // One that was there a moment ago and is seen no more, as a killed one.
  const vanished = randomUUID();
  await context.pool.query(
    "insert into runtime.copies (consumer, id, seen_at) values ('noting', $1, now() - interval '3 seconds')",
    [vanished],
  );
  await shown("half is left to it", () => running(left) === 2);
  await round(log, 4);
  await shown("its half is taken over", () => running(left) === 4);
  await shown("four rounds", async () => (await seen()).length === 48);
  await left.stop();
  const all = await seen();
  for (const partner of partners)
    expect(all.filter((note) => note.partner === partner).map(({ value }) => value)).toEqual([
      1, 2, 3, 4,
    ]);
  expect(
    new Set(all.filter(({ value }) => value === 2).map(({ owner }) => owner.split("/")[0])),
  ).toEqual(new Set(["left", "right"]));

  // One that cannot run what is its goes on showing itself: the other one takes it over, until that has another try.
  let now = 0;
  const [failing, sound] = [0, 1].map(
    () => new Sharing(context.projectionPool, 4, context.logger, () => now),
  );
  const placements = [failing!, sound!].map((sharing) => sharing.join("noting"));
  const had = (copy: number): number =>
    [0, 1, 2, 3].filter((index) => placements[copy]!.assigned({ index, count: 4 })).length;
  await shown("both have half", () => had(0) === 2 && had(1) === 2);
  let changes = 0;
  placements[1]!.onChange(() => changes++);
  const looks = new Set<string>();
  await shown("both have looked again, and again", async () => {
    const { rows } = await context.pool.query(
      "select min(seen_at)::text as at from runtime.copies where id <> $1",
      [vanished],
    );
    return looks.add(rows[0].at as string).size === 3;
  });
  expect(changes).toBe(0);
  await shown("one has refused what fails", () => {
    for (let index = 0; index < 4; index++)
      if (placements[0]!.assigned({ index, count: 4 })) placements[0]!.failed!({ index, count: 4 });
    if (now < 15_000) now += 5_000;
    return had(0) === 0 && had(1) === 4;
  });
  now += 60_000;
  await shown("both have half again", () => had(0) === 2 && had(1) === 2);
  await Promise.all([failing!.close(), sound!.close()]);

  const other = { ...context, settings: { ...context.settings, shards: 5 } };
  await expect(startConsumers(other, [noting("five")])).rejects.toThrow(
    "HELIOGRAPH_SHARDS must be 4, not 5",
  );
});

test("a dead letter of the undivided time is retried by the shard of its partner", async () => {
  const { context, log } = environment;
  await round(log, 1);
  const [event] = (await log.readAll({ after: 0n, limit: 1 })).events;
  const placed = placedFeed(log, 3);
  placed.place([0, 1, 2]);
  const divided = await startConsumers({ ...context, feed: placed.feed }, [noting("part")]);
  await until(async () => (await seen()).length === 12, { what: "the first round" });
  await context.pool.query(
    "insert into runtime.dead_letters (consumer, position, event_id, event_type, reason, status) values ('noting', $1, $2, 'Counted', 'test', 'retry')",
    [event!.position, event!.id],
  );
  await until(async () => (await seen()).length === 13, { what: "the event is handled again" });
  const shard = shardOf(event!.metadata.partner, 3);
  expect((await seen())[12]).toMatchObject({
    partner: event!.metadata.partner,
    owner: `part/${shard}`,
  });
  await divided.stop();
});

test("PostgreSQL and JavaScript agree on the shard of a partner", async () => {
  const texts = [
    ...partners,
    "",
    "x",
    "ptn_UU",
    ...Array.from({ length: 200 }, () => newId("ptn")),
  ];
  for (const count of [1, 7, 8, 1_024]) {
    const { rows } = await environment.context.pool.query(
      `select ${shardSql("partner", count)} as shard from unnest($1::text[]) with ordinality as t(partner, n) order by n`,
      [texts],
    );
    expect(rows.map(({ shard }) => shard)).toEqual(texts.map((text) => shardOf(text, count)));
  }
});
