import { randomUUID } from "node:crypto";
import { eventDefinitions } from "@heliograph/contracts";
import { openPostgresLog } from "@heliograph/log";
import { until, webhookSink } from "@heliograph/testkit";
import { expect, it, onTestFinished } from "vitest";
import { openSetting, reached, send } from "./setting.ts";

const sms = { channel: "sms", to: "+15551230001", text: "Hello" };
const categories: Readonly<Record<string, string>> = {
  Receipt: "receipts",
  Funds: "wallet",
  Topup: "topup",
  Webhook: "endpoint",
  Template: "template",
};
const streamFor = (type: string): string =>
  `${Object.entries(categories).find(([prefix]) => type.startsWith(prefix))?.[1] ?? "message"}-${randomUUID()}`;

it("sets broken events of every type aside, serves on, and rebuilds to the same", async () => {
  const { instance, sandbox, admin } = await openSetting();
  const sink = await webhookSink();
  onTestFinished(() => sink.close());
  await sandbox.post("/webhook-endpoints", { url: sink.url, event_types: ["message.delivered"] });
  await reached(sandbox, await send(sandbox, sms), "delivered");

  // Past the product's own log, which would refuse them: a damaged row, a foreign writer, a newer version.
  const url = new URL(instance.databaseUrl);
  url.pathname = "/heliograph_sandbox";
  const log = await openPostgresLog({
    connection: { connectionString: url.href },
    namespace: "sandbox",
  });
  onTestFinished(() => log.close());
  const [last] = (await log.readAll({ after: 0n, limit: 1_000, types: ["MessageDelivered"] }))
    .events;
  const { metadata } = last!;
  const cases = [
    { version: 1, data: {}, metadata },
    { version: 1, data: { message_id: null, message: null, entries: null }, metadata },
    { version: 1, data: { message_id: "msg_\u0000\ud800" }, metadata: {} },
    { version: 99, data: last!.data, metadata },
  ];
  for (const { type } of [...eventDefinitions, { type: "Surprise" }]) {
    const outcomes = await log.append(
      cases.map((broken) => ({
        stream: streamFor(type),
        expected: "no_stream",
        events: [{ id: randomUUID(), type, ...broken }],
      })),
    );
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(["appended"]));
  }

  const after = await send(sandbox, sms);
  await reached(sandbox, after, "delivered", 20_000);
  await until(() => sink.requests.some(({ body }) => body.includes(after)), {
    what: "the webhook arrives",
  });
  expect((await sandbox.get("/messages?limit=100")).status).toBe(200);
  expect((await sandbox.get("/wallet/proof")).body.matches).toBe(true);
  const { data: events } = (await sandbox.get("/events?after=0&limit=1000")).body;
  expect(events.map(({ sequence }: { sequence: number }) => sequence)).toEqual(
    events.map((_: unknown, index: number) => index + 1),
  );
  const letters = (await admin.get("/admin/dead-letters?limit=100")).body.data;
  expect(letters.length).toBeGreaterThan(10);

  const consumers = (await admin.get("/admin/projections")).body.data as {
    name: string;
    kind: string;
    environment: string;
  }[];
  // All are asked for before the first is waited for: the product looks for them once a second, and reads the log once for all.
  const asked: { readonly name: string; readonly job: string }[] = [];
  for (const { name, kind, environment } of consumers) {
    if (kind !== "projector" || environment !== "sandbox") continue;
    const path = `/admin/projections/${name}/rebuild`;
    const { id } = (await admin.post(path, { environment, verify_only: true })).body;
    asked.push({ name, job: `${path}/${id}` });
  }
  expect(asked.length).toBeGreaterThan(5);
  for (const { name, job } of asked) {
    const ended = await until(
      async () => {
        const { body } = await admin.get(job);
        return ["done", "failed"].includes(body.status) && body;
      },
      { timeoutMs: 30_000, what: `${name} is verified` },
    );
    expect({ name, error: ended.error, equal: ended.result?.equal }).toEqual({
      name,
      error: null,
      equal: true,
    });
  }
}, 90_000);
