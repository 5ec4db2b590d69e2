import { createServer as createTlsServer } from "node:https";
import { createServer, type AddressInfo, type Server } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { until, webhookSink, type WebhookSink } from "@heliograph/testkit";
import { certificate, privateKey } from "./certificate.ts";
import { openHarness, type Harness } from "./harness.ts";

let h: Harness;
let sink: WebhookSink;
beforeEach(async () => {
  sink = await webhookSink();
});
afterEach(async () => {
  await h.close();
  await sink.close();
});

async function open(settings: Parameters<typeof openHarness>[0]): Promise<void> {
  h = await openHarness(settings);
  await h.start();
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

it("lets dead and slow endpoints delay neither the others nor the checkpoint", async () => {
  const deadlineMs = 120_000;
  await open({ retryScale: 1, deadlineMs });
  const dead = await webhookSink();
  dead.behave({ type: "hang-on-connect" });
  const mute = await webhookSink();
  mute.behave({ type: "hang" });
  const bad = [
    await h.endpoint(dead.url),
    await h.endpoint(mute.url),
    await h.endpoint("http://10.0.0.1/"),
  ];
  const good = await Promise.all(
    Array.from({ length: 20 }, (_, index) => h.endpoint(`${sink.url}/${index}`)),
  );
  const startedAt = performance.now();
  const events = 25;
  for (let index = 0; index < events; index++) await h.event();
  for (const endpoint of good) await h.settled(endpoint.id, "delivered", events, 20_000);
  await h.caughtUp();
  expect(performance.now() - startedAt).toBeLessThan(deadlineMs); // some attempts go on
  for (const endpoint of bad)
    expect(await h.settled(endpoint.id, "pending", events)).toHaveLength(events);
  const refused = (await h.deliveries(bad[2]!.id)).filter(
    (delivery) => delivery.attempts.length > 0,
  );
  expect(refused.length).toBeLessThan(events); // three failures in a row, and the endpoint is left alone
  expect(refused[0]!.attempts[0]!.error).toMatch(
    /^address_refused: 10\.0\.0\.1 is not a public address/,
  );
  await dead.close();
  await mute.close();
});

it("leaves room for the others where endpoints that answer late hold all there is", async () => {
  h = await openHarness({ deadlineMs: 60_000, shutdownMs: 0 });
  const late = await webhookSink();
  late.behave({ type: "hang" });
  // Each is trusted with four requests at once.
  for (let index = 0; index < 130; index++) await h.endpoint(`${late.url}/${index}`);
  for (let index = 0; index < 4; index++) await h.event();
  await h.start();
  await until(() => late.requests.length >= 512);
  h.newPartner();
  const quick = await h.endpoint(sink.url);
  for (let index = 0; index < 10; index++) await h.event();
  await h.settled(quick.id, "delivered", 10);
  await late.close();
});

it("gives up after ten attempts", async () => {
  await open({ retryScale: 0 });
  sink.behave({ type: "answer", status: 500 });
  const endpoint = await h.endpoint(sink.url);
  await h.event();
  const [delivery] = await h.settled(endpoint.id, "failed");
  expect(delivery!.attempts).toHaveLength(10);
  expect(delivery!.next_attempt_at).toBeUndefined();
  expect(sink.requests).toHaveLength(10);
});

it("keeps to an endpoint's rate limit and delivers everything", async () => {
  await open({});
  const endpoint = await h.endpoint(sink.url, { rate_limit: 20 });
  const startedAt = performance.now();
  for (let index = 0; index < 30; index++) await h.event();
  await h.settled(endpoint.id, "delivered", 30);
  expect(performance.now() - startedAt).toBeGreaterThan(1_300);
});

it("carries a burst that does not fit into memory through the table", async () => {
  await open({});
  const endpoint = await h.endpoint(sink.url);
  const total = 2_500;
  await Promise.all(Array.from({ length: total }, () => h.event()));
  await until(async () => (await h.deliveries(endpoint.id)).length === 1_000, {
    timeoutMs: 20_000,
  });
  await until(
    () => new Set(sink.requests.map((request) => request.headers["webhook-id"])).size === total,
    { timeoutMs: 20_000 },
  );
  await h.settled(endpoint.id, "delivered", 1_000); // one page of them
  expect(sink.requests).toHaveLength(total);
});

it("finishes what is in the air when it is stopped, and the next run sends nothing twice", async () => {
  await open({});
  const endpoint = await h.endpoint(sink.url);
  sink.behave({ type: "answer", delayMs: 300 });
  for (let index = 0; index < 10; index++) await h.event();
  await until(() => sink.requests.length > 0);
  await h.stop();
  await h.start();
  await h.settled(endpoint.id, "delivered", 10);
  expect(sink.requests).toHaveLength(10);
});

it("goes on after it lost every connection to the database under load", async () => {
  await open({});
  const endpoint = await h.endpoint(sink.url);
  const total = 600;
  for (let index = 0; index < total; index++) {
    await h.event();
    if (index % 200 === 100)
      await h.pool.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
      );
  }
  await until(
    async () =>
      (await h.deliveries(endpoint.id)).filter((item) => item.status === "delivered").length ===
      total,
    { timeoutMs: 20_000 },
  );
  const counts = new Map<string, number>();
  for (const request of sink.requests) {
    const id = String(request.headers["webhook-id"]);
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  expect(counts.size).toBe(total);
  expect(Math.max(...counts.values())).toBeLessThanOrEqual(4); // once more for each of three cuts
});

it("verifies certificates against the name in the URL", async () => {
  const server = createTlsServer({ cert: certificate, key: privateKey }, (_, response) =>
    response.end("ok"),
  );
  const port = await listening(server);
  const resolve = async (): Promise<string[]> => ["127.0.0.1"];
  await open({ ca: certificate, resolve, retryScale: 1 });
  const right = await h.endpoint(`https://sink.test:${port}/`);
  const wrong = await h.endpoint(`https://other.test:${port}/`);
  await h.event();
  await h.settled(right.id, "delivered");
  const [delivery] = await h.settled(wrong.id, "pending");
  await until(async () => (await h.deliveries(wrong.id))[0]!.attempts.length > 0);
  expect((await h.deliveries(wrong.id))[0]!.attempts[0]!.error).toMatch(/^tls_failed/);
  expect(delivery!.next_attempt_at).toBeDefined();
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
});

it.each([
  ["a flood of interim answers", "HTTP/1.1 102 Processing\r\n\r\n".repeat(1_000)],
  ["endless headers", `HTTP/1.1 200 OK\r\nx-filler: ${"x".repeat(64 * 1024)}\r\n\r\n`],
  ["what is not HTTP", "SSH-2.0-OpenSSH_9.6\r\n"],
])("takes %s for a failure", async (_, bytes) => {
  const server = createServer((socket) => {
    socket.on("error", () => {}).once("data", () => socket.write(bytes));
  });
  const port = await listening(server);
  await open({ retryScale: 1 });
  const endpoint = await h.endpoint(`http://127.0.0.1:${port}/`);
  await h.event();
  const delivery = await until(async () =>
    (await h.deliveries(endpoint.id)).find((item) => item.attempts.length > 0),
  );
  expect(delivery.attempts[0]!.error).toMatch(/^bad_answer/);
  expect(delivery.attempts[0]!.duration_ms).toBeLessThan(2_000);
  server.close();
});

it("finds due deliveries by an index, without a sort", async () => {
  await open({});
  await h.pool
    .query(`insert into webhooks.deliveries (id, endpoint_id, position, partner, event_id, type, sequence, status, attempts, next_attempt_at, created_at)
    select 'whd_' || n, 'whe_' || n % 50, n, 'p', 'e', 't', n, case when n % 10 = 0 then 'pending' else 'delivered' end, '[]', n, 0 from generate_series(1, 20000) n`);
  await h.pool.query("analyze webhooks.deliveries");
  const { rows } = await h.pool
    .query(`explain select d.* from unnest(array['whe_10','whe_20'], array[3, 3]) as l(endpoint_id, room)
    cross join lateral (select * from webhooks.deliveries p where p.endpoint_id = l.endpoint_id and p.status = 'pending' order by p.next_attempt_at limit l.room) d`);
  const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
  expect(plan).toContain("deliveries_due");
  expect(plan).not.toContain("Sort");
});
