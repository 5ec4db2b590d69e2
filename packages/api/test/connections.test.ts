import { type Socket, connect } from "node:net";
import { PublicError } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { afterEach, expect, test } from "vitest";
import { connectionLimit, descriptorLimit } from "../src/descriptors.ts";
import { BodyBudget, type Listening, createApp, listen, readBody } from "../src/index.ts";

const bodies = new BodyBudget();
const started: Listening[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const listening of started.splice(0)) await listening.stop(0);
});

/** Answers with the length of the body; `/much` with more than any socket buffers. */
async function serve(overrides = {}) {
  const app = createApp(undefined);
  app.use((request, response) => {
    if (request.url === "/much") response.end(Buffer.alloc(64 * 1024 * 1024));
    else
      readBody(request, 1_000, bodies.hold("a")).then(
        (body) => response.end(`${body.length} bytes`),
        (error: unknown) =>
          response.writeHead(error instanceof PublicError ? error.status : 500).end(),
      );
  });
  const listening = await listen(app, "127.0.0.1", 0, {
    requestTimeoutMs: 200,
    checkEveryMs: 50,
    ...overrides,
  });
  started.push(listening);
  return listening;
}

/** A client that keeps its half open whatever the server does, and closes nothing by itself. */
function holdOpen({ port }: Listening, text: string): { readonly socket: Socket; answer: string } {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  sockets.push(socket);
  const held = { socket, answer: "" };
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => (held.answer += chunk));
  socket.on("error", () => undefined);
  socket.write(text);
  return held;
}

const connections = ({ server }: Listening): Promise<number> =>
  new Promise((resolve, reject) =>
    server.getConnections((error, count) => (error === null ? resolve(count) : reject(error))),
  );

test.each([
  ["half a header", "GET / HTTP/1.1\r\nHost: x\r\nX-Half"],
  ["nothing but a method", "GET"],
  ["half a body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"],
  [
    "no end of chunks",
    "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
  ],
])("a client that sends %s and never closes is told 408 and let go", async (_name, text) => {
  const listening = await serve();
  const held = holdOpen(listening, text);
  await until(() => held.answer.includes("request_timeout"));
  await until(async () => (await connections(listening)) === 0, { timeoutMs: 4_000 });
});

test("a client that goes on sending a byte at a time is let go all the same", async () => {
  const listening = await serve();
  const held = [
    holdOpen(listening, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: "),
    holdOpen(listening, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"),
  ];
  const dribble = setInterval(() => held.forEach(({ socket }) => socket.write("a")), 20);
  try {
    await until(() => held.every(({ answer }) => answer.includes("request_timeout")));
    await until(async () => (await connections(listening)) === 0, { timeoutMs: 4_000 });
  } finally {
    clearInterval(dribble);
  }
});

test("what is not HTTP is told so and let go, also when more of it comes", async () => {
  const listening = await serve();
  const held = holdOpen(listening, "HELLO\r\n\r\n");
  await until(() => held.answer.includes("bad_request"));
  held.socket.write("HELLO\r\n\r\n");
  await until(async () => (await connections(listening)) === 0, { timeoutMs: 4_000 });
  expect(held.answer.match(/HTTP\/1\.1 400/g)).toHaveLength(1);
});

test("a client that does not read its answer is let go", async () => {
  const listening = await serve({ silenceTimeoutMs: 300 });
  const held = holdOpen(listening, "GET /much HTTP/1.1\r\nHost: x\r\n\r\n");
  held.socket.pause();
  await until(async () => (await connections(listening)) === 1);
  await until(async () => (await connections(listening)) === 0, { timeoutMs: 5_000 });
});

test("a client that closed its half after asking is answered", async () => {
  const listening = await serve({ requestTimeoutMs: 30_000 });
  const held = holdOpen(listening, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
  held.socket.end();
  await until(() => held.answer.includes("3 bytes"));
  await until(async () => (await connections(listening)) === 0, { timeoutMs: 4_000 });
});

test.each([
  "Host: a\r\nHost: b",
  "Host: a\r\nhOST: a",
  "Host: a/b",
  "Host: a\r\nAuthorization: Bearer a\r\nauthorization: Bearer b",
  "Host: a\r\nContent-Type: text/plain\r\nContent-type: application/json",
])("headers that leave open what is meant are refused: %j", async (headers) => {
  const listening = await serve();
  const held = holdOpen(listening, `GET / HTTP/1.1\r\n${headers}\r\n\r\n`);
  await until(() => held.answer.includes("request_id"));
  await until(async () => (await connections(listening)) === 0, { timeoutMs: 4_000 });
  expect(held.answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"bad_request"/);
});

test.each(["a", "a.example:8080", "[::1]:80", "127.0.0.1", ""])(
  "the host %j is taken",
  async (host) => {
    const listening = await serve();
    const held = holdOpen(listening, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    expect(await until(() => held.answer.includes("0 bytes"))).toBe(true);
  },
);

test("connections leave half of the descriptors to the process", () => {
  expect([128, 1_024, 1_048_576, 10, undefined].map(connectionLimit)).toEqual([
    32, 480, 10_000, 16, 10_000,
  ]);
  expect(descriptorLimit()).toBeGreaterThan(100);
});
