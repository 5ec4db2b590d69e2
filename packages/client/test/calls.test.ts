import { getEventListeners } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { afterEach, expect, test } from "vitest";
import {
  answerInfo,
  ConnectionError,
  heliograph,
  InvalidRequestError,
  NotModifiedError,
  ProblemError,
  RateLimitedError,
  ServerError,
  TimeoutError,
  type ClientOptions,
} from "../src/index.ts";
import { retryAfterMs } from "../src/retry.ts";

const key = "ak_test_SECRETSECRET";
type Handler = (request: IncomingMessage, response: ServerResponse, number: number) => void;

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A server that answers by `handle`, a client of it, and the requests that came. */
async function serving(handle: Handler, options: ClientOptions = {}) {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    request.resume().on("end", () => handle(request, response, seen.length));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { client: heliograph({ key, baseUrl, ...options }), seen };
}

const problem = (
  response: ServerResponse,
  status: number,
  code: string,
  headers: Readonly<Record<string, string>> = {},
): void => {
  response.writeHead(status, { "content-type": "application/problem+json", ...headers });
  response.end(
    JSON.stringify({
      status,
      code,
      detail: "Why.",
      request_id: "req_1",
      doc_url: "http://d/",
      errors: [{ path: "to", code: "x", message: "m" }],
    }),
  );
};
const answer = (response: ServerResponse, body: object, status = 202): void => {
  response.writeHead(status, {
    "content-type": "application/json",
    "log-position": "0042",
    "request-id": "req_9",
    etag: '"3"',
  });
  response.end(JSON.stringify(body));
};
const keysOf = (seen: readonly IncomingMessage[]): Set<unknown> =>
  new Set(seen.map(({ headers }) => headers["idempotency-key"]));
const message = { channel: "sms", to: "+15551230001", text: "hello" } as const;
const thrownBy = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

test("what is not certain is sent again with the key of its first attempt, and done once", async () => {
  const { client, seen } = await serving((_, response, number) => {
    if (number === 1) response.destroy();
    else if (number === 2) problem(response, 503, "log_unavailable", { "retry-after": "0" });
    else if (number === 3)
      problem(response, 409, "idempotency_in_progress", { "retry-after": "0" });
    else answer(response, { id: "msg_1", status: "a status of next year" });
  });
  const sent = await client.messages.send(message);
  expect(sent.status).toBe("a status of next year");
  expect(seen.length).toBe(4);
  expect(keysOf(seen).size).toBe(1);
  expect(answerInfo(sent)).toMatchObject({ logPosition: "0042", requestId: "req_9", etag: '"3"' });
});

test("a key of the caller's stays the caller's over attempts, and is in the error for a later repetition", async () => {
  const { client, seen } = await serving((_, response) => void response.destroy(), {
    maxAttempts: 2,
  });
  const error = await thrownBy(client.messages.send(message, { idempotencyKey: "order-1" }));
  expect(error).toBeInstanceOf(ConnectionError);
  expect((error as ConnectionError).idempotencyKey).toBe("order-1");
  expect([...keysOf(seen)]).toEqual(["order-1"]);
  expect(seen.length).toBe(2);
});

test("a refusal is not sent again, and says everything", async () => {
  const { client, seen } = await serving((_, response) => problem(response, 422, "a_new_code"));
  const error = await thrownBy(client.messages.send(message));
  expect(error).toBeInstanceOf(InvalidRequestError);
  expect(error).toMatchObject({
    status: 422,
    code: "a_new_code",
    requestId: "req_1",
    docUrl: "http://d/",
    errors: [{ path: "to" }],
    message: "a_new_code (422): Why.",
  });
  expect(seen.length).toBe(1);
});

test("what has no key is not sent again when nobody knows whether it was done", async () => {
  const { client, seen } = await serving((_, response) => void response.destroy());
  const asked = client.routing.explain({ channel: "sms", to: "+15551230001" });
  await expect(asked).rejects.toBeInstanceOf(ConnectionError);
  expect(seen.length).toBe(1);
});

test("a pause longer than the time that is left is not begun", async () => {
  const { client } = await serving((_, response) =>
    problem(response, 429, "rate_limited", { "retry-after": "1000000000" }),
  );
  const error = await thrownBy(client.messages.send(message));
  expect(error).toBeInstanceOf(RateLimitedError);
  expect((error as RateLimitedError).retryAfterMs).toBe(1e12);
});

test("Retry-After is whole seconds or a date, and anything else is nothing", () => {
  const now = Date.parse("2026-11-29T12:00:00Z");
  const read = (text: string | null) => retryAfterMs(text, now);
  expect(read("120")).toBe(120_000);
  expect(read("Sun, 29 Nov 2026 12:00:30 GMT")).toBe(30_000);
  expect(read("Sun, 29 Nov 2026 11:00:00 GMT")).toBe(0);
  for (const text of ["1000abc", "-5", "", "1e3", "Sun, 99 Nov 2026 12:00:30 GMT", null])
    expect(read(text), String(text)).toBeUndefined();
});

test("an attempt without an answer ends, and so does the whole call", async () => {
  // Long enough for the attempt to arrive on a busy machine.
  const { client, seen } = await serving(() => undefined, { attemptTimeoutMs: 1_000 });
  const limits = { timeoutMs: 1_020, maxAttempts: 9 };
  const error = await thrownBy(client.messages.get("msg_1", {}, limits));
  expect(error).toBeInstanceOf(TimeoutError);
  expect(seen.length).toBe(1);
});

test("a signal ends a call in its pause and in its body, and keeps no listener", async () => {
  const stop = new AbortController();
  const { signal } = stop;
  const { client, seen } = await serving((_, response, number) => {
    if (number <= 3) answer(response, { status: "ok" }, 200);
    else if (number === 4) problem(response, 503, "overloaded", { "retry-after": "20" });
    else {
      response.writeHead(200, { "content-type": "application/json" });
      response.write('{"half":');
    }
  });
  for (let number = 0; number < 3; number++) await client.status({ signal });
  expect(getEventListeners(signal, "abort").length).toBe(0);
  const [pausing, reading] = [client.status({ signal }), client.status({ signal })];
  const both = Promise.all([thrownBy(pausing), thrownBy(reading)]);
  await expect.poll(() => seen.length).toBe(5);
  const reason = new Error("enough");
  stop.abort(reason);
  expect(await both).toEqual([reason, reason]);
  await expect(client.status({ signal })).rejects.toBe(reason);
  expect(getEventListeners(signal, "abort").length).toBe(0);
  expect(seen.length).toBe(5);
});

test("nothing that is thrown or printed has the key, and no redirect gets it", async () => {
  const { client, seen } = await serving((_, response, number) => {
    if (number === 1) response.writeHead(307, { location: "http://127.0.0.1:1/" }).end();
    else if (number === 2) {
      response.writeHead(502, { "content-type": "text/html" });
      response.end(`<h1>your header was ${key}</h1>`);
    } else if (number === 3) problem(response, 401, "invalid_key");
    else response.destroy();
  });
  const once = { maxAttempts: 1 };
  const errors = [
    await thrownBy(client.status(once)),
    await thrownBy(client.status(once)),
    await thrownBy(client.status(once)),
    await thrownBy(client.status(once)),
    await thrownBy(heliograph({ key: `${key}\n`, baseUrl: "http://127.0.0.1:1" }).status()),
  ];
  expect(errors.every((error) => error instanceof Error)).toBe(true);
  expect(errors[1]).toBeInstanceOf(ServerError);
  const printed = inspect([client, ...errors], { depth: 9, showHidden: true });
  expect(`${printed}${JSON.stringify([client, ...errors])}${errors.join()}`).not.toContain(
    "SECRET",
  );
  expect(seen.length).toBe(4);
});

test("what has not changed, and what is no problem document, are errors of their own", async () => {
  const { client } = await serving((_, response, number) => {
    if (number === 1) response.writeHead(304).end();
    else response.writeHead(418).end("short and stout");
  });
  await expect(client.contacts.get("cnt_1", {}, { ifNoneMatch: '"3"' })).rejects.toBeInstanceOf(
    NotModifiedError,
  );
  const error = await thrownBy(client.contacts.get("cnt_1"));
  expect(error).toBeInstanceOf(ProblemError);
  expect(error).toMatchObject({ status: 418, code: "http_418" });
});
