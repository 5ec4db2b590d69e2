import { createHmac, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { createSecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { makeKey, newId, newSecret, sealSecret } from "@heliograph/contracts";
import { attemptOutcomes, readHours, readWaiting } from "../src/tables/statistics.ts";
import { readDelivery, listEndpoints } from "../src/tables/webhooks.ts";
import { until, webhookSink, type WebhookSink } from "@heliograph/testkit";
import { Webhook as Standard } from "standardwebhooks";
import { Webhook as Svix } from "svix";
import nacl from "tweetnacl";
import { publicKeyOf } from "../src/sign.ts";
import { certificate, privateKey } from "./certificate.ts";
import { openHarness, type Harness } from "./harness.ts";

let h: Harness;
let sink: WebhookSink;
beforeAll(async () => {
  const resolve = async (): Promise<readonly string[]> => ["127.0.0.1"];
  h = await openHarness({ deadlineMs: 1_500, retryScale: 0.001, resolve, ca: certificate });
  await h.start();
});
afterAll(() => h.close());
beforeEach(async () => {
  sink = await webhookSink();
  h.newPartner();
});
afterEach(() => sink.close());

const headersOf = (request: { headers: object }) => request.headers as Record<string, string>;

it("delivers a matching event once, signed so that independent libraries accept it", async () => {
  const endpoint = await h.endpoint(`${sink.url}/hooks?x=1`, {
    event_types: ["message.canceled"],
    headers: { "X-Mine": "yes", "Webhook-Id": "forged", "content-type": "text/plain" },
  });
  const other = await h.endpoint(`${sink.url}/other`, { event_types: ["message.read"] });
  await h.event();
  const [delivery] = await h.settled(endpoint.id, "delivered");
  expect(delivery).toMatchObject({ type: "message.canceled", attempts: [{ status_code: 200 }] });
  expect(await h.deliveries(other.id)).toEqual([]);
  expect(sink.requests).toHaveLength(1);
  const request = sink.requests[0]!;
  expect(request).toMatchObject({ method: "POST", path: "/hooks?x=1" });
  expect(request.headers).toMatchObject({ "content-type": "application/json", "x-mine": "yes" });
  expect(request.headers["accept-encoding"]).toBeUndefined();
  expect(request.headers["webhook-id"]).toBe(delivery!.event_id);
  new Standard(endpoint.secret).verify(request.body, headersOf(request));
  new Svix(endpoint.secret).verify(request.body, headersOf(request));
  expect(JSON.parse(request.body)).toMatchObject({
    id: delivery!.event_id,
    type: "message.canceled",
    sequence: 1,
  });
  expect(() => new Svix(newSecret()).verify(request.body, headersOf(request))).toThrow();
  expect(await readDelivery(h.pool, h.partner, delivery!.id)).toEqual(delivery);
  expect(await readDelivery(h.pool, "ptn_other", delivery!.id)).toBeUndefined();
});

it("delivers over HTTP/2 to a receiver that may choose it, each attempt on record with its times", async () => {
  const received: { readonly body: string; readonly headers: Record<string, string> }[] = [];
  const server = createSecureServer({ key: privateKey, cert: certificate });
  server.on("stream", (stream, headers) => {
    let body = "";
    stream.setEncoding("utf8").on("data", (text: string) => (body += text));
    stream
      .on("error", () => undefined)
      .on("end", () => {
        received.push({ body, headers: headers as Record<string, string> });
        if (received.length === 1) return stream.close(7);
        stream.respond({ ":status": 200 });
        stream.end("taken");
      });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const { id, secret } = await h.endpoint(`https://sink.test:${port}/hook`, { http2: true });
  await h.event();
  const [delivery] = await h.settled(id, "delivered");
  expect(delivery!.attempts).toMatchObject([
    {
      error: expect.stringMatching(/^connection_failed: .*REFUSED_STREAM/),
      timing: { tls_ms: expect.any(Number) },
    },
    { status_code: 200, response_excerpt: "taken", timing: { first_byte_ms: expect.any(Number) } },
  ]);
  // The second one found the connection of the first.
  expect(delivery!.attempts[1]!.timing).not.toHaveProperty("tls_ms");
  new Standard(secret).verify(received[1]!.body, received[1]!.headers);
  await h.endpointEvent(id, "WebhookEndpointDeleted");
  await new Promise((resolve) => server.close(resolve));
});

it("signs with Ed25519 and with a timestamp where asked, and libraries that know neither accept it", async () => {
  const { id, secret } = await h.endpoint(sink.url, {
    asymmetric_signature: true,
    timestamped_signature_header: "X-Acme-Signature",
  });
  const second = newSecret();
  await h.endpointEvent(id, "WebhookSecretRotated", {
    secret: sealSecret(h.masterKey, second),
    previous_secret_expires_at: new Date(Date.now() + 60_000).toISOString(),
  });
  await h.event();
  await h.settled(id, "delivered");
  const { body, headers: sent } = sink.requests[0]!;
  const headers = sent as Record<string, string>;
  for (const key of [secret, second]) {
    new Standard(key).verify(body, headers);
    new Svix(key).verify(body, headers);
  }
  const signatures = headers["webhook-signature"]!.split(" ").map((part) => part.split(","));
  expect(signatures.map(([version]) => version)).toEqual(["v1", "v1a", "v1", "v1a"]);
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  for (const [index, key] of [second, secret].entries()) {
    const publicKey = Buffer.from(publicKeyOf(h.masterKey, id, key).slice(5), "base64");
    const signature = Buffer.from(signatures[2 * index + 1]![1]!, "base64");
    const verify = (text: string) =>
      nacl.sign.detached.verify(new TextEncoder().encode(text), signature, publicKey);
    expect([verify(signed), verify(`${signed} `)]).toEqual([true, false]);
  }
  const macs = [second, secret].map((key) =>
    createHmac("sha256", key).update(`${headers["webhook-timestamp"]}.${body}`).digest("hex"),
  );
  expect(headers["x-acme-signature"]).toBe(
    `t=${headers["webhook-timestamp"]},v1=${macs[0]},v1=${macs[1]}`,
  );
});

it("tells an endpoint of the events that its types and filters let by, and no other", async () => {
  const { id } = await h.endpoint(sink.url, {
    event_types: ["message.*"],
    filters: { channels: ["email"], tags: ["vip"] },
  });
  const all = await h.endpoint(`${sink.url}/all`);
  await h.event({ channel: "email", tags: ["vip", "orders"] });
  await h.event({ channel: "email" });
  await h.event({ tags: ["vip"] });
  await h.append(`contact-${newId("cnt")}`, "ContactErased", {
    contact_id: newId("cnt"),
    erasure_id: "ers_1",
    key_destroyed_at: new Date().toISOString(),
  });
  await h.settled(all.id, "delivered", 4);
  const [delivery] = await h.settled(id, "delivered");
  expect(
    sink.requests.filter(({ path }) => path === "/").map(({ body }) => JSON.parse(body)),
  ).toEqual([expect.objectContaining({ id: delivery!.event_id, sequence: 1 })]);
});

it("tries again after failures with the same id and a fresh signature, until it is delivered", async () => {
  const endpoint = await h.endpoint(sink.url);
  const leaked = makeKey("live", randomBytes);
  sink.queue(
    { type: "answer", status: 500, body: `boom\0 ${leaked}` },
    { type: "reset" },
    { type: "answer", status: 404 },
  );
  await h.event();
  const [delivery] = await h.settled(endpoint.id, "delivered");
  expect(delivery!.attempts.map((attempt) => attempt.status_code)).toEqual([
    500,
    undefined,
    404,
    200,
  ]);
  expect(delivery!.attempts[0]).toMatchObject({
    error: "status_500",
    // What is shown of a key, and no more.
    response_excerpt: `boom\u{fffd} ${leaked.slice(0, 12)}…`,
  });
  expect(delivery!.attempts[1]!.error).toMatch(/^connection_failed/);
  expect(new Set(sink.requests.map((request) => request.headers["webhook-id"])).size).toBe(1);
  for (const request of sink.requests)
    new Standard(endpoint.secret).verify(request.body, headersOf(request));
});

it("counts what attempts came to and shows what waits, in the table a moment later", async () => {
  const endpoint = await h.endpoint(sink.url);
  sink.queue({ type: "answer", status: 500 }, { type: "reset" });
  await h.event();
  await h.settled(endpoint.id, "delivered");
  const counts = await until(async () => {
    const outcomes = new Map<number, number>();
    for (const hour of await readHours(h.pool, endpoint.id, 0))
      for (const [outcome, count] of hour.outcomes)
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + count);
    return outcomes.size === 3 && outcomes;
  });
  const named = [...counts].map(([at, count]) => [attemptOutcomes[at], count]);
  expect(Object.fromEntries(named)).toEqual({ delivered: 1, status_5xx: 1, connection_failed: 1 });
  sink.behave({ type: "answer", status: 503, headers: { "retry-after": "600" } });
  const before = Date.now();
  for (let at = 0; at < 3; at++) await h.event();
  const waiting = await until(async () => {
    const found = await readWaiting(h.pool, endpoint.id, 2);
    return found.count === 2 && found;
  });
  expect(waiting.oldest).toBeGreaterThanOrEqual(before);
  expect(waiting.next).toBeGreaterThan(before + 500_000);
});

it("never follows a redirect", async () => {
  const target = await webhookSink();
  const endpoint = await h.endpoint(sink.url);
  sink.queue(
    { type: "redirect", to: target.url },
    { type: "redirect", to: "http://169.254.169.254/", status: 307 },
  );
  await h.event();
  const [delivery] = await h.settled(endpoint.id, "delivered");
  expect(delivery!.attempts.map((attempt) => attempt.error)).toEqual([
    "redirect_not_followed",
    "redirect_not_followed",
    undefined,
  ]);
  expect(target.requests).toEqual([]);
  await target.close();
});

it.each([
  ["takes the request and never answers", { type: "hang" }],
  ["never reads", { type: "hang-on-connect" }],
  ["sends one byte a second", { type: "trickle" }],
] as const)("gives an endpoint that %s no more than the deadline", async (_, behaviour) => {
  const endpoint = await h.endpoint(sink.url);
  sink.queue(behaviour);
  await h.event();
  const [delivery] = await h.settled(endpoint.id, "delivered", 1, 15_000);
  expect(delivery!.attempts[0]!.error).toMatch(/^timeout/);
  expect(delivery!.attempts[0]!.duration_ms).toBeGreaterThan(1_400);
  expect(delivery!.attempts[0]!.duration_ms).toBeLessThan(2_500);
});

it("judges a body without end by its status and stops reading", async () => {
  const endpoint = await h.endpoint(sink.url);
  sink.queue({ type: "huge-body", bytes: 10 * 2 ** 30 });
  await h.event();
  const [delivery] = await h.settled(endpoint.id, "delivered");
  expect(delivery!.attempts).toHaveLength(1);
  expect(delivery!.attempts[0]!.duration_ms).toBeLessThan(1_400);
});

it("never inflates a gzip bomb", async () => {
  const bomb = gzipSync(Buffer.alloc(128 * 2 ** 20)); // 128 KiB on the wire
  const server = createServer((_, response) => {
    response.writeHead(500, { "content-encoding": "gzip" }).end(bomb);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = await h.endpoint(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await h.event();
  const delivery = await until(async () =>
    (await h.deliveries(endpoint.id)).find((item) => item.attempts.length > 0),
  );
  const [attempt] = delivery.attempts;
  expect(attempt).toMatchObject({
    status_code: 500,
    response_excerpt: expect.stringMatching(/^\(\d{5,6} encoded bytes\)$/),
  });
  await h.endpointEvent(endpoint.id, "WebhookEndpointDeleted");
  server.closeAllConnections();
  server.close();
});

it("sends the headers that an event holds sealed", async () => {
  const sealed_headers = sealSecret(h.masterKey, JSON.stringify({ Authorization: "Basic abc" }));
  const endpoint = await h.endpoint(sink.url, { sealed_headers });
  await h.event();
  await h.settled(endpoint.id, "delivered");
  expect(sink.requests.at(-1)!.headers["authorization"]).toBe("Basic abc");
  const { rows } = await h.pool.query("select state from webhooks.endpoints where id = $1", [
    endpoint.id,
  ]);
  expect(rows[0].state).not.toContain("Basic abc");
});

it("disables an endpoint that answers 410, discards what waits for it and says so in the log", async () => {
  const endpoint = await h.endpoint(sink.url);
  const witness = await h.endpoint(`${sink.url}/witness`, {
    event_types: ["webhook_endpoint.disabled"],
  });
  sink.behave((request) => ({ type: "answer", status: request.path === "/witness" ? 200 : 410 }));
  for (let index = 0; index < 20; index++) await h.event();
  await h.settled(endpoint.id, "discarded", 20);
  await h.settled(witness.id, "delivered");
  const endpoints = await listEndpoints(h.pool, h.partner);
  expect(endpoints.find(({ id }) => id === endpoint.id)).toMatchObject({
    status: "disabled",
    disabled_reason: "the endpoint answered 410 Gone",
  });
  const disabled = await h.log.readAll({
    after: 0n,
    limit: 10_000,
    types: ["WebhookEndpointDisabled"],
  });
  expect(disabled.events.filter((event) => event.data.endpoint_id === endpoint.id)).toHaveLength(1);
  const seen = sink.requests.length;
  await h.event();
  await h.caughtUp();
  expect(sink.requests.length).toBe(seen);
});

it("waits as long as a 429 or 503 asks for, with everything for that endpoint", async () => {
  const endpoint = await h.endpoint(sink.url);
  sink.queue({ type: "answer", status: 429, headers: { "retry-after": "2" } });
  await h.event();
  await until(async () => (await h.deliveries(endpoint.id))[0]?.attempts.length === 1);
  await h.event();
  await h.settled(endpoint.id, "delivered", 2);
  const [first, ...rest] = sink.requests.map((request) => request.at.getTime());
  expect(rest).toHaveLength(2);
  for (const at of rest) expect(at - first!).toBeGreaterThanOrEqual(1_950);
});

it("sends nothing after an endpoint was deleted, also not what was to be tried again", async () => {
  const slow = await openHarness({ retryScale: 1 });
  await slow.start();
  const endpoint = await slow.endpoint(sink.url);
  sink.behave({ type: "answer", status: 500 });
  await slow.event();
  await slow.settled(endpoint.id, "pending");
  const seen = sink.requests.length;
  await slow.endpointEvent(endpoint.id, "WebhookEndpointDeleted");
  await slow.event();
  await slow.settled(endpoint.id, "discarded");
  expect(sink.requests.length).toBe(seen);
  expect(await listEndpoints(slow.pool, slow.partner)).toEqual([]);
  await slow.close();
});

it("signs with the old and the new secret during the overlap, with the new one alone after it", async () => {
  const endpoint = await h.endpoint(sink.url);
  const fresh = newSecret();
  const rotate = (secret: string, until: number) =>
    h.endpointEvent(endpoint.id, "WebhookSecretRotated", {
      secret: sealSecret(h.masterKey, secret),
      previous_secret_expires_at: new Date(until).toISOString(),
    });
  await rotate(fresh, Date.now() + 60_000);
  await h.event();
  await h.settled(endpoint.id, "delivered");
  const [overlapping] = sink.requests;
  for (const secret of [endpoint.secret, fresh])
    new Standard(secret).verify(overlapping!.body, headersOf(overlapping!));
  const last = newSecret();
  await rotate(last, Date.now() - 1_000);
  await h.event();
  await h.settled(endpoint.id, "delivered", 2);
  const after = sink.requests[1]!;
  new Standard(last).verify(after.body, headersOf(after));
  expect(() => new Standard(fresh).verify(after.body, headersOf(after))).toThrow();
});

it("uses an edited endpoint for what was pending", async () => {
  const endpoint = await h.endpoint(`${sink.url}/old`);
  sink.behave((request) => ({ type: "answer", status: request.path === "/old" ? 500 : 200 }));
  await h.event();
  await until(() => sink.requests.length > 0);
  await h.endpointEvent(endpoint.id, "WebhookEndpointUpdated", {
    url: `${sink.url}/new`,
    status: "enabled",
  });
  await h.settled(endpoint.id, "delivered");
  expect(sink.requests.at(-1)!.path).toBe("/new");
});

it("delivers a test under the id that was promised, marked as a test and outside the sequence", async () => {
  const endpoint = await h.endpoint(sink.url);
  const id = newId("whd");
  await h.endpointEvent(endpoint.id, "WebhookTestRequested", {
    delivery_id: id,
    type: "message.failed",
  });
  await h.event();
  await h.settled(endpoint.id, "delivered", 2);
  expect(await readDelivery(h.pool, h.partner, id)).toMatchObject({ type: "message.failed" });
  const bodies = sink.requests.map((request) => JSON.parse(request.body));
  expect(bodies.find((body) => body.data.test === true)).toMatchObject({ type: "message.failed" });
  expect(bodies.find((body) => body.data.test !== true)).toMatchObject({ sequence: 1 });
});

it("tries a delivery again when its owner asks, with the very body it had, and marks a replay", async () => {
  const endpoint = await h.endpoint(sink.url);
  await h.event();
  const [delivery] = await h.settled(endpoint.id, "delivered");
  const data = { delivery_id: delivery!.id };
  await h.endpointEvent(endpoint.id, "WebhookRetryRequested", data);
  await until(() => sink.requests.length === 2);
  // The sink has it before its answer is on record; a request that comes in between starts from the older record.
  await until(async () => (await h.deliveries(endpoint.id))[0]!.attempts.length === 2);
  const replay = newId("rpl");
  await h.endpointEvent(endpoint.id, "WebhookRetryRequested", data, { correlation: replay });
  await until(() => sink.requests.length === 3);
  for (const request of sink.requests) {
    expect(request.body).toBe(sink.requests[0]!.body);
    expect(request.headers["webhook-id"]).toBe(delivery!.event_id);
  }
  expect(sink.requests.map((request) => request.headers["heliograph-replay"])).toEqual([
    undefined,
    undefined,
    replay,
  ]);
  await until(
    async () => (await h.deliveries(endpoint.id))[0]!.attempts.at(-1)!.replay_id === replay,
  );
  expect((await h.deliveries(endpoint.id))[0]!.attempts).toHaveLength(3);
});

it("does not try another partner's delivery again", async () => {
  const endpoint = await h.endpoint(sink.url);
  await h.event();
  const [delivery] = await h.settled(endpoint.id, "delivered");
  h.newPartner();
  await h.endpointEvent(endpoint.id, "WebhookRetryRequested", { delivery_id: delivery!.id });
  await h.endpointEvent(endpoint.id, "WebhookTestRequested", {
    delivery_id: newId("whd"),
    type: "message.sent",
  });
  await h.caughtUp();
  expect(sink.requests).toHaveLength(1);
});
