import { registerHooks } from "node:module";
import { streamOf } from "@heliograph/contracts";
import { service as delivery } from "@heliograph/delivery";
import { service as dispatch } from "@heliograph/dispatch";
import { service as wallet } from "@heliograph/wallet";
import { service as webhooks } from "@heliograph/webhooks";
import { activeTracing } from "@heliograph/tracing";
import { until, webhookSink, type WebhookSink } from "@heliograph/testkit";
import { openWorld, type World } from "@heliograph/testkit/world";
import { afterAll, beforeAll, expect, test } from "vitest";
import { service } from "../src/service.ts";

/** Modules of OpenTelemetry that were loaded since this file began. */
const loaded: string[] = [];
const hooks = registerHooks({
  load(url, context, next) {
    if (url.includes("@opentelemetry")) loaded.push(url);
    return next(url, context);
  },
});

const theirs = `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`;
type Span = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
};

let collector: WebhookSink;
let receiver: WebhookSink;
let world: World;
beforeAll(async () => {
  collector = await webhookSink();
  receiver = await webhookSink();
});
afterAll(async () => {
  await Promise.all([collector.close(), receiver.close()]);
  hooks.deregister();
});

const spans = (): readonly Span[] =>
  collector.requests.flatMap(({ body }) =>
    JSON.parse(body).resourceSpans.flatMap((resource: { scopeSpans: { spans: Span[] }[] }) =>
      resource.scopeSpans.flatMap((scope) => scope.spans),
    ),
  );

/** Sends a text, waits until its stream ends with an event, and gives the `traceparent` of every one. */
async function sent(last: string, traceparent?: string) {
  const answer = await world.call("POST", "/api/v1/messages", {
    key: world.partners[0]!.key,
    body: { channel: "sms", to: "+15551230001", text: "hello" },
    ...(traceparent !== undefined && { headers: { traceparent } }),
  });
  expect(answer.status).toBe(202);
  const { log } = world.platform.contexts.sandbox;
  const events = await until(
    async () => {
      const all = await log.readStream(streamOf("message", answer.body.id));
      return all.at(-1)?.type === last && all;
    },
    { what: `${last} of the message`, timeoutMs: 20_000 },
  );
  return events.map(({ metadata }) => metadata.traceparent);
}

const metricsAs = async (accept: string): Promise<string> =>
  (await fetch(`http://127.0.0.1:${world.port}/metrics`, { headers: { accept } })).text();
/** As Prometheus asks. */
const openMetrics = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;q=0.2,*/*;q=0.1";

test("without a collector a caller's trace is carried, none is begun, and nothing is loaded", async () => {
  world = await openWorld({ services: [service], partners: [{ funds: "10" }] });
  try {
    expect(await sent("MessageRequested", theirs)).toEqual([theirs]);
    expect(await sent("MessageRequested")).toEqual([undefined]);
    expect(await sent("MessageRequested", "00-no-such-01")).toEqual([undefined]);
    expect(activeTracing()).toBeUndefined();
    const shown = await metricsAs(openMetrics);
    expect(shown).toContain("heliograph_http_request_seconds_bucket");
    expect(shown).not.toContain("trace_id");
    expect(loaded).toEqual([]);
  } finally {
    await world.close();
  }
}, 60_000);

test("with one, a message is one trace from its request to its delivery, and the caller's flag does not decide that", async () => {
  world = await openWorld({
    services: [service, wallet, dispatch, delivery, webhooks],
    consumers: "run",
    partners: [{ funds: "10" }],
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      HELIOGRAPH_TRACE_RATIO: "1",
      HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "127.0.0.0/8",
      HELIOGRAPH_RETRY_SCALE: "0.01",
    },
  });
  let carried: readonly (string | undefined)[];
  let [withTraces, without] = ["", ""];
  try {
    // Its second attempt is made from the table.
    receiver.queue({ type: "answer", status: 500 });
    const made = await world.call("POST", "/api/v1/webhook-endpoints", {
      key: world.partners[0]!.key,
      body: { url: receiver.url, event_types: ["message.sent"] },
    });
    expect(made.status).toBe(201);
    carried = await sent("MessageDelivered", theirs.replace(/01$/, "00"));
    await until(() => receiver.requests.length === 2, {
      what: "both attempts at the webhook",
      timeoutMs: 20_000,
    });
    [withTraces, without] = [await metricsAs(openMetrics), await metricsAs("text/plain")];
  } finally {
    await world.close();
  }
  expect(loaded.length).toBeGreaterThan(0);
  const all = spans();
  const server = all.find(({ name }) => name === "POST /messages")!;
  expect(server).toMatchObject({
    traceId: theirs.slice(3, 35),
    parentSpanId: theirs.slice(36, 52),
  });
  expect(new Set(carried)).toEqual(new Set([`00-${server.traceId}-${server.spanId}-01`]));
  for (const { headers } of receiver.requests)
    expect(headers["traceparent"]).toBe(`00-${server.traceId}-${server.spanId}-01`);
  const ours = all.filter(({ traceId }) => traceId === server.traceId);
  const names = ours.map(({ name }) => name);
  for (const name of [
    "append MessageRequested",
    "wallet-ledger MessageRequested",
    "append MessageSent",
    "call sim-sms",
    "append MessageDelivered",
    "webhook message.sent",
  ])
    expect(names).toContain(name);
  for (const span of ours.filter((each) => each !== server))
    expect(span.parentSpanId, span.name).toBe(server.spanId);
  for (const bucket of [
    'heliograph_http_request_seconds_bucket{le="[^"]+",method="POST",route="/messages",status="202"}',
    'heliograph_dispatch_call_seconds_bucket{le="[^"]+",environment="sandbox",gateway="sim-sms"}',
    'heliograph_webhook_attempt_seconds_bucket{le="[^"]+",environment="sandbox"}',
  ])
    expect(withTraces).toMatch(
      new RegExp(`^${bucket} \\d+ # {trace_id="${server.traceId}"} [\\d.e-]+ \\d+\\.\\d{3}$`, "m"),
    );
  expect(without).not.toContain("trace_id");
  expect(JSON.stringify(all)).not.toMatch(/15551230001|hello/);
}, 60_000);
