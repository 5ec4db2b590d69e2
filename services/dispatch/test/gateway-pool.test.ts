import { deterministicId, streamOf } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createGatewayPool, partOf } from "../src/gateway-pool.ts";
import { decideDegraded, decideRecovered, tell } from "../src/notices.ts";
import { gatewaysDdl } from "../src/tables/gateways.ts";
import { troubleDdl } from "../src/tables/trouble.ts";
import { openWorld, send, simulator, type World } from "./harness.ts";

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world.close());

test("who has taken room is told last of the next", async () => {
  const pool = createGatewayPool();
  const told: string[] = [];
  const [one, two, three] = ["one", "two", "three"].map((name) =>
    pool.use(world.context, () => told.push(name)),
  );
  const connection = one!.connections.all[0]!;
  const next = (): string[] => {
    one!.connections.released(connection);
    return told.splice(0);
  };
  expect(next()).toEqual(["one", "two", "three"]);
  one!.took();
  expect(next()).toEqual(["two", "three", "one"]);
  three!.took();
  expect(next()).toEqual(["two", "one", "three"]);
  // One that is gone is not told again because it took.
  await two!.release();
  two!.took();
  expect(next()).toEqual(["one", "three"]);
  await one!.release();
  await three!.release();
});

test("the calls at once of all processes together are as many as the gateway takes, however the shards are divided", () => {
  const shards = Array.from({ length: 8 }, (_, index) => ({ index, count: 8 }));
  for (const calls of [8, 13, 256])
    for (let divided = 1; divided < 8; divided++) {
      const part = (own: typeof shards): number => partOf(calls, new Set(own));
      expect(part(shards.slice(0, divided)) + part(shards.slice(divided))).toBe(calls);
    }
  expect(partOf(2, new Set([shards[0]!]))).toBe(1);
  expect(partOf(256, new Set())).toBe(256);
});

test("a process has as many calls at once as its shards, and more or fewer as they come and go", async () => {
  const pool = createGatewayPool();
  const of = (index: number) =>
    pool.use(world.context, () => undefined, { shard: { index, count: 4 } });
  const one = of(0);
  const connection = one.connections.all[0]!;
  expect(connection.config.max_concurrent).toBe(16);
  const two = of(3);
  expect(connection.config.max_concurrent).toBe(32);
  await one.release();
  expect(connection.config.max_concurrent).toBe(16);
  world.configure(
    world.context.directory.gateways("sandbox").map((each) => ({ ...each, max_concurrent: 128 })),
  );
  expect(two.connections.all[0]!.config.max_concurrent).toBe(32);
  await two.release();
});

const owner = deterministicId("ptn", "one");
const trouble = { since: Date.parse("2026-01-01T00:00:00Z"), reason: "unreachable" } as const;
const failing = {
  ...simulator("email"),
  environment: "live" as const,
  name: "mail",
  kind: "smtp",
  partner_id: owner,
  // Nobody listens there.
  settings: { url: "smtp://127.0.0.1:1", from: "shop@example.org" },
};

test("a gateway is said to be degraded once, not soon after it recovered, and to have recovered only where it was degraded", () => {
  const subject = { gateway_id: failing.gateway_id, name: "mail", channel: "email" } as const;
  const since = "2026-01-01T00:00:00.000Z";
  const data = { ...subject, since };
  const metadata = { partner: owner };
  const degraded = { type: "GatewayDegraded", data: { ...data, reason: "failing" } } as const;
  const before = { ...degraded, metadata, recordedAt: 1_000 };
  const recovered = { type: "GatewayRecovered", data, metadata, recordedAt: 1_000 } as const;
  const said = { events: [{ ...degraded, data: { ...data, reason: "unreachable" } }] };
  const decide = (last: Parameters<typeof decideDegraded>[0], now: number, scale = 1) =>
    decideDegraded(last, subject, trouble, now, scale);
  expect(decide(undefined, 0)).toEqual(said);
  expect(decide(before, 1e9)).toEqual({ events: [] });
  expect(decide(recovered, 600_999)).toEqual({ events: [] });
  expect(decide(recovered, 601_000)).toEqual(said);
  expect(decide(recovered, 61_000, 0.1)).toEqual(said);
  const recover = (last: Parameters<typeof decideRecovered>[0]) =>
    decideRecovered(last, subject, (partner) => ({ partner: `${partner}~1` }));
  expect(recover(undefined)).toEqual({ events: [] });
  expect(recover(recovered)).toEqual({ events: [] });
  expect(recover(before)).toEqual({
    events: [{ type: "GatewayRecovered", data, metadata: { partner: `${owner}~1` } }],
  });
});

test("of the processes whose breakers open one says so, to the owner, and one that it recovered when all are closed", async () => {
  const { gateway_id: id } = failing;
  const { partner_id: _, ...open } = failing;
  const shared = { ...open, gateway_id: deterministicId("gtw", "shared"), name: "shared" };
  // All have to be closed for 1.2 s.
  const shop = await openWorld({ environment: "live", gateways: [failing], retryScale: 0.02 });
  const notices = () => shop.log.readStream(streamOf("gateway", id));
  const typesAre = (...types: string[]) =>
    until(async () => {
      const all = await notices();
      return all.length === types.length && all.every(({ type }, at) => type === types[at]);
    });
  try {
    await shop.pool.query(`${gatewaysDdl}${troubleDdl}`);
    // At the same moment: the later one finds it said.
    await Promise.all([0, 1, 2].map(() => tell(shop.context, shared, trouble, Date.now())));
    const told = await shop.log.readStream(streamOf("gateway", shared.gateway_id));
    expect(told.map(({ type, metadata }) => [type, metadata])).toEqual([
      ["GatewayDegraded", { actor: "service:dispatch" }],
    ]);

    const uses = [createGatewayPool(), createGatewayPool()].map((pool) =>
      pool.use(shop.context, () => undefined),
    );
    const [one, other] = uses.map(({ connections }) => connections.byName("mail")!);
    for (const { breaker } of [one!, other!])
      breaker.unreachable(breaker.begin(Date.now()), Date.now());
    await typesAre("GatewayDegraded");
    const closes = async ({ breaker, stats }: typeof one & object): Promise<void> => {
      await until(() => breaker.state(Date.now()) === "half_open");
      stats.record(1, true);
      breaker.record(breaker.begin(Date.now()), false, Date.now());
    };
    await closes(one!);
    const seen = async (): Promise<string> =>
      (await shop.pool.query("select seen_at::text from gateways.trouble")).rows[0].seen_at;
    // The other notes that its own is open, for longer than the one has been closed.
    const closedAt = one!.breaker.trouble!.closedAt!;
    const first = await seen();
    await until(async () => Date.now() - closedAt > 1_500 && (await seen()) !== first);
    expect(await notices()).toHaveLength(1);
    await closes(other!);
    await typesAre("GatewayDegraded", "GatewayRecovered");
    expect((await notices()).map(({ metadata }) => metadata.partner)).toEqual([owner, owner]);
    await until(async () => (await shop.pool.query("table gateways.trouble")).rowCount === 0);
    await Promise.all(uses.map((use) => use.release()));
  } finally {
    await shop.close();
  }
});

test("a gateway to which no connection can be made is told of while messages wait", async () => {
  const shop = await openWorld({ environment: "live", gateways: [failing] });
  try {
    await shop.dispatch();
    await send(shop.log, [{ to: "a@example.com" }], owner);
    const [notice] = await until(async () => {
      const all = await shop.log.readStream(streamOf("gateway", failing.gateway_id));
      return all.length > 0 && all;
    });
    expect(notice).toMatchObject({
      type: "GatewayDegraded",
      data: {
        gateway_id: failing.gateway_id,
        name: "mail",
        channel: "email",
        reason: "unreachable",
      },
      metadata: { partner: owner },
    });
  } finally {
    await shop.close();
  }
});
