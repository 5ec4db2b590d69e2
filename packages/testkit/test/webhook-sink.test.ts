import { connect } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type WebhookSink, until, webhookSink } from "../src/index.ts";

let sink: WebhookSink;
beforeEach(async () => void (sink = await webhookSink()));
afterEach(() => sink.close());

const post = (path: string, body: string, init: RequestInit = {}) =>
  fetch(sink.url + path, { method: "POST", body, redirect: "manual", ...init });

test("requests are journaled with path, headers and body", async () => {
  const answer = await post("/hook?x=1", '{"a":"ä"}', { headers: { "webhook-id": "m1" } });
  expect(answer.status).toBe(200);
  expect(sink.requests).toMatchObject([
    { method: "POST", path: "/hook?x=1", body: '{"a":"ä"}', headers: { "webhook-id": "m1" } },
  ]);
});

test("queued behaviours serve one request each, then the standing one", async () => {
  sink.behave((request) => ({ type: "answer", status: request.body === "bad" ? 400 : 204 }));
  sink.queue(
    { type: "answer", status: 503, headers: { "retry-after": "1" }, body: "later" },
    { type: "redirect", to: "http://127.0.0.1/elsewhere", status: 307 },
  );
  const first = await post("/", "1");
  expect([first.status, first.headers.get("retry-after"), await first.text()]).toEqual([
    503,
    "1",
    "later",
  ]);
  const second = await post("/", "2");
  expect([second.status, second.headers.get("location")]).toEqual([
    307,
    "http://127.0.0.1/elsewhere",
  ]);
  expect((await post("/", "bad")).status).toBe(400);
  expect((await post("/", "good")).status).toBe(204);
});

test("a reset and a hang are journaled though the sender gets no answer", async () => {
  sink.queue({ type: "reset" });
  await expect(post("/", "1")).rejects.toThrow(/fetch failed/);
  sink.queue({ type: "hang" });
  await expect(post("/", "2", { signal: AbortSignal.timeout(200) })).rejects.toThrow(/timeout/);
  expect(sink.requests.map(({ body }) => body)).toEqual(["1", "2"]);
});

test("a connection that hangs is accepted but its request is never read", async () => {
  sink.behave({ type: "hang-on-connect" });
  await expect(post("/", "1", { signal: AbortSignal.timeout(200) })).rejects.toThrow(/timeout/);
  expect(sink.requests).toEqual([]);
  sink.behave({ type: "answer" });
  expect((await post("/", "2")).status).toBe(200);
});

test("a trickle sends its head at once and its body byte by byte", async () => {
  sink.queue({ type: "trickle", bytes: 1000 });
  const answer = await post("/", "1");
  const { value } = await answer.body!.getReader().read();
  expect(value).toHaveLength(1);
});

test("a huge body is as long as promised and stops when the sender closes", async () => {
  sink.queue({ type: "huge-body", bytes: 3_000_001 }, { type: "huge-body", bytes: 1e12 });
  expect((await (await post("/", "1")).arrayBuffer()).byteLength).toBe(3_000_001);
  const endless = await post("/", "2");
  await endless.body!.cancel();
  expect((await post("/", "3")).status).toBe(200);
});

test("a gzip bomb is small on the wire", async () => {
  sink.queue({ type: "gzip-bomb", bytes: 20_000_000 });
  let wireBytes = 0;
  const socket = connect(sink.port, "127.0.0.1");
  socket.on("data", (chunk) => (wireBytes += chunk.length));
  socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  await until(() => socket.closed);
  expect(wireBytes).toBeGreaterThan(1000);
  expect(wireBytes).toBeLessThan(100_000);
});
