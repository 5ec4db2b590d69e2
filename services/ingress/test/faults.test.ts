import { deterministicId, newId, streamOf } from "@heliograph/contracts";
import { freePort, spawnService, until } from "@heliograph/testkit";
import pg from "pg";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { services } from "../src/index.ts";
import { sms } from "./sending.ts";

let world: World;
let partner: { id: string; key: string };
beforeAll(async () => {
  world = await openWorld({ services });
  partner = await world.addPartner();
});
afterAll(() => world.close());

const post = (headers: Record<string, string>, body: object = sms) =>
  world.call("POST", "/api/v1/messages", { key: partner.key, body, headers });
const main = new URL("../src/main.ts", import.meta.url).pathname;

/** An ingress process of its own on the world's databases, with a failpoint armed. */
async function spawnIngress(failpoint: string) {
  const port = await freePort();
  const service = spawnService(main, {
    HELIOGRAPH_DATABASE_URL: world.databaseUrl,
    HELIOGRAPH_MASTER_KEY: world.platform.masterKey.toString("hex"),
    HELIOGRAPH_PORT: String(port),
    HELIOGRAPH_FAILPOINT: failpoint,
  });
  await service.outputMatching(/"msg":"listening"/);
  return { service, url: `http://127.0.0.1:${port}` };
}

const windows = [
  ["ingress.before_append", 0],
  ["ingress.after_append", 1],
  ["ingress.before_answer", 1],
] as const;
test.for(windows)(
  "an ingress killed at %s leaves %i events, and a retry elsewhere gives the same id",
  { timeout: 60_000 },
  async ([failpoint, events]) => {
    const { service, url } = await spawnIngress(`${failpoint}:kill`);
    const key = newId("req");
    const lost = await fetch(`${url}/api/v1/messages`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${partner.key}`,
        "content-type": "application/json",
        "idempotency-key": key,
      },
      body: JSON.stringify(sms),
    }).then(
      (answer) => answer.status,
      () => "lost",
    );
    expect(lost).toBe("lost");
    expect((await service.exited).signal).toBe("SIGKILL");
    const id = deterministicId("msg", "sandbox", partner.id, key);
    const { log } = world.platform.contexts.sandbox;
    expect(await log.readStream(streamOf("message", id))).toHaveLength(events);
    const retried = await post({ "idempotency-key": key });
    expect([retried.status, retried.body.id, retried.headers.get("idempotent-replayed")]).toEqual([
      202,
      id,
      events === 1 ? "true" : null,
    ]);
    expect(await log.readStream(streamOf("message", id))).toHaveLength(1);
  },
);

test("an ingress that is told to stop answers what it took on", async () => {
  const { service, url } = await spawnIngress("ingress.before_answer:delay=1000");
  const sent = Array.from({ length: 10 }, (_, index) =>
    fetch(`${url}/api/v1/messages`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${partner.key}`,
        "content-type": "application/json",
        "idempotency-key": `stop-${index}`,
      },
      body: JSON.stringify(sms),
    }),
  );
  const { log } = world.platform.contexts.sandbox;
  const streams = sent.map((_, index) =>
    streamOf("message", deterministicId("msg", "sandbox", partner.id, `stop-${index}`)),
  );
  await until(async () =>
    [...(await log.readStreams(streams)).values()].every((events) => events.length === 1),
  );
  const stopping = service.stop();
  expect((await Promise.all(sent)).map((answer) => answer.status)).toEqual(Array(10).fill(202));
  expect(await stopping).toMatchObject({ code: 0 });
}, 60_000);

test("while the log is away a send is 503 with Retry-After, never 202, and goes through afterwards", async () => {
  const database = `${new URL(world.databaseUrl).pathname.slice(1)}_sandbox`;
  const admin = new pg.Client(world.serverConfig);
  await admin.connect();
  const key = newId("req");
  expect((await post({})).status).toBe(202);
  try {
    await admin.query(`alter database "${database}" allow_connections false`);
    await admin.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", [
      database,
    ]);
    const started = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => post({ "idempotency-key": newId("req") })),
    );
    for (const { status, body, headers } of answers) {
      expect([status, body.code]).toEqual([503, "log_unavailable"]);
      expect(Number(headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
    }
    expect(performance.now() - started).toBeLessThan(15_000);
    expect((await post({ "idempotency-key": key })).status).toBe(503);
    expect(
      (await world.call("GET", `/api/v1/messages/${newId("msg")}`, { key: partner.key })).status,
    ).toBe(503);
  } finally {
    await admin.query(`alter database "${database}" allow_connections true`);
    await admin.end();
  }
  const answer = await until(
    async () => {
      const retried = await post({ "idempotency-key": key });
      return retried.status === 202 && retried;
    },
    { timeoutMs: 20_000 },
  );
  const { log } = world.platform.contexts.sandbox;
  expect(await log.readStream(streamOf("message", answer.body.id))).toHaveLength(1);
}, 90_000);
