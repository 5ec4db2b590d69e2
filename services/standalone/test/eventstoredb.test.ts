import { createServer } from "node:net";
import {
  apiClient,
  newDataDir,
  removeDataDir,
  startInstance,
  until,
  webhookSink,
} from "@heliograph/testkit";
import { eventStoreDouble } from "@heliograph/testkit/eventstore";
import { afterEach, beforeEach, expect, test } from "vitest";

let dataDir: string;
let double: Awaited<ReturnType<typeof eventStoreDouble>>;
let sink: Awaited<ReturnType<typeof webhookSink>>;
beforeEach(async () => {
  dataDir = newDataDir();
  [double, sink] = await Promise.all([eventStoreDouble(), webhookSink()]);
});
afterEach(async () => {
  await Promise.all([double.close(), sink.close(), removeDataDir(dataDir)]);
});

const start = () =>
  startInstance({
    dataDir,
    env: {
      HELIOGRAPH_LOG: "eventstoredb",
      HELIOGRAPH_EVENTSTORE_URL: double.connectionString,
      HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "127.0.0.0/8",
      HELIOGRAPH_RETRY_SCALE: "0.01",
    },
  });

const body = (n: number) => ({ channel: "sms", to: `+1555123${1000 + n}`, text: `Message ${n}` });

test("everything runs on EventStoreDB, through a kill and while the log is away", async () => {
  const first = await start();
  const client = apiClient(first.baseUrl, first.sandboxKey);
  const endpoint = await client.post("/webhook-endpoints", { url: `${sink.url}/all` });
  expect(endpoint.status).toBe(201);
  const before = Number((await client.get("/balance")).body.available);
  const send = async (api: typeof client, n: number) =>
    api.post("/messages", body(n), { "idempotency-key": `key-${n}` });
  const ids: string[] = [];
  for (let n = 0; n < 20; n++) {
    const answer = await send(client, n);
    expect(answer.status, answer.text).toBe(202);
    ids.push(answer.body.id);
  }
  first.kill("SIGKILL");
  await first.exited;

  const second = await start();
  const again = apiClient(second.baseUrl, second.sandboxKey);
  for (let n = 0; n < 20; n++) {
    const answer = await send(again, n);
    expect(answer.status, answer.text).toBe(202);
    expect(answer.body.id).toBe(ids[n]);
  }
  await until(
    async () => {
      const states = await Promise.all(ids.map((id) => again.get(`/messages/${id}`)));
      return states.every(({ body: state }) => state.status === "delivered");
    },
    { timeoutMs: 30_000, what: "every message is delivered" },
  );
  await until(
    () =>
      ids.every((id) =>
        sink.requests.some(
          ({ body: text }) => text.includes(id) && text.includes("message.delivered"),
        ),
      ),
    { timeoutMs: 20_000, what: "the webhooks have come" },
  );

  double.faults.loseAnswers(Infinity);
  const open = await send(again, 98);
  expect([open.status, open.body.code]).toEqual([503, "log_unavailable"]);
  expect(open.body.detail).toContain("not known whether");
  double.faults.loseAnswers(0);

  await double.stop();
  const refused = await again.post("/messages", body(99), { "idempotency-key": "key-99" });
  expect(refused.status).toBe(503);
  expect(refused.headers.get("retry-after")).not.toBeNull();
  await double.start();
  const late = await until(
    async () => {
      const answer = await again.post("/messages", body(99), { "idempotency-key": "key-99" });
      return answer.status === 202 && answer;
    },
    { timeoutMs: 20_000, what: "it accepts again" },
  );
  await until(
    async () => (await again.get(`/messages/${late.body.id}`)).body.status === "delivered",
    { timeoutMs: 20_000, what: "the late message is delivered" },
  );
  // What was open had been stored: the same key gives its one message.
  expect((await send(again, 98)).status).toBe(202);
  const requested = double.records.filter(
    ({ stream, type }) => stream.startsWith("sandbox.message-") && type === "MessageRequested",
  );
  expect(requested).toHaveLength(22);
  const proof = (await again.get("/wallet/proof")).body;
  expect(proof.matches).toBe(true);
  const after = Number((await again.get("/balance")).body.available);
  expect(after).toBeLessThan(before);
  const { body: projections } = await apiClient(second.baseUrl, second.adminKey).get(
    "/admin/projections",
  );
  expect(projections.data.every(({ lag_events: lag }: { lag_events: number }) => lag < 50)).toBe(
    true,
  );
  expect((await second.stop()).code).toBe(0);
}, 120_000);

test("a log that is away when the process starts is waited for", async () => {
  await double.stop();
  let tries = 0;
  const nobody = createServer((socket) => {
    tries++;
    socket.destroy();
  }).listen(double.port, "127.0.0.1");
  const starting = start();
  // It has been refused, and has come again.
  await until(() => tries >= 2, { timeoutMs: 60_000, what: "the process comes back for its log" });
  await new Promise((resolve) => nobody.close(resolve));
  await double.start();
  const instance = await starting;
  const client = apiClient(instance.baseUrl, instance.sandboxKey);
  expect((await client.post("/messages", body(1))).status).toBe(202);
  expect((await instance.stop()).code).toBe(0);
}, 90_000);
