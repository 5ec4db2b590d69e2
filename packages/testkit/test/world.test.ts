import { route } from "@heliograph/api";
import { runConsumer, type Projector } from "@heliograph/runtime";
import pg from "pg";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";
import { openWorld, type World, type WorldOptions } from "../src/world.ts";

let world: World | undefined;
const open = async (options?: WorldOptions) => (world = await openWorld(options));
const close = () => world!.close().finally(() => (world = undefined));
afterEach(() => world?.close());

const simulator = {
  gateway_id: "gtw_test",
  environment: "sandbox",
  name: "only",
  channel: "sms",
  kind: "simulator",
  enabled: true,
  weight: 100,
  max_concurrent: 64,
  timeout_ms: 10_000,
  on_uncertain: "ask_provider",
  settings: {},
} as const;

const projector: Projector = {
  kind: "projector",
  name: "left",
  schema: "left_running",
  types: ["FundsToppedUp"],
  ddl: "create table if not exists {schema}.seen (n bigint)",
  create: () => ({ project: () => [] }),
};

for (const driver of ["postgres", "memory", "eventstoredb"] as const)
  test(`on ${driver}, partners have a key and funds`, async () => {
    const { partners, platform } = await open({ driver, partners: [{ funds: "7" }] });
    const [partner] = partners;
    expect(platform.directory.keysOf(partner!.id)).toHaveLength(1);
    const { log } = platform.contexts.sandbox;
    const { events } = await log.readAll({ after: 0n, limit: 10 });
    expect(events.map(({ type, data }) => [type, data])).toMatchObject([
      ["FundsToppedUp", { available: "7" }],
    ]);
    await close();
  });

test("a world without services serves nothing", async () => {
  const { call } = await open();
  await expect(call("GET", "/healthz")).rejects.toThrow("this world serves nothing");
});

test("given gateways are in place of those that are seeded", async () => {
  const { platform } = await open({
    services: [{ name: "dispatch" }],
    gateways: [simulator],
  });
  const all = platform.directory.gateways("sandbox");
  expect(all.length).toBeGreaterThan(1);
  expect(all.filter(({ enabled }) => enabled).map(({ name }) => name)).toEqual(["only"]);
});

test("an answer that the document does not have fails the call", async () => {
  const odd = route({
    method: "GET",
    path: "/odd",
    scope: "public",
    summary: "Answers something else than it says",
    response: z.object({ even: z.boolean() }).meta({ id: "Even" }),
    errors: [],
    handler: () => ({ status: 200, body: { odd: true } }),
  });
  const group = { tag: "odd", description: "Odd.", routes: [odd] };
  const { call } = await open({ services: [{ name: "odd", api: { groups: [group] } }] });
  expect((await call("GET", "/healthz")).status).toBe(200);
  await expect(call("GET", "/api/v1/odd")).rejects.toThrow("does not fit the document");
});

test("a pool that a test leaves open fails it", async () => {
  const { platform } = await open();
  const pool = new pg.Pool({ ...platform.contexts.sandbox.connection, application_name: "left" });
  pool.on("error", () => undefined);
  await pool.query("select 1");
  await expect(close()).rejects.toThrow(/left open: a session on \w+_sandbox: left/);
  await pool.end();
});

test("a timer that a test leaves running fails it", async () => {
  await open();
  const timer = setTimeout(() => undefined, 60_000);
  await expect(close()).rejects.toThrow(/left open: a timer at .*world\.test\.ts/);
  clearTimeout(timer);
});

test("a consumer that a test leaves running fails it", async () => {
  const { platform } = await open();
  const consumer = await runConsumer(projector, platform.contexts.sandbox);
  await expect(close()).rejects.toThrow("left open");
  await consumer.stop().catch(() => undefined);
});
