import { type Socket, connect } from "node:net";
import { PublicError } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { afterEach, expect, test } from "vitest";
import { bodyChunks } from "../src/body.ts";
import { type Listening, createApp, listen } from "../src/index.ts";

/** The server gives a whole request so long, and looks so often. */
const requestTimeoutMs = 200;
const checkEveryMs = 50;
/** Well behind the server's deadline and a look after it. */
const slowMs = 600;

const started: Listening[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  for (const listening of started.splice(0)) await listening.stop(0);
});

/** Answers with the length of the body, which may take `maxMs`. */
async function serve(maxMs: number): Promise<{ readonly socket: Socket; answer: string }> {
  const app = createApp(undefined);
  app.use(async (request, response) => {
    let size = 0;
    try {
      for await (const chunk of bodyChunks(request, 1_000, maxMs)) size += chunk.length;
      response.end(`${size} bytes`);
    } catch (error) {
      response.writeHead(error instanceof PublicError ? error.status : 500).end();
    }
  });
  const listening = await listen(app, "127.0.0.1", 0, { requestTimeoutMs, checkEveryMs });
  started.push(listening);
  const socket = connect(listening.port, "127.0.0.1");
  sockets.push(socket);
  const held = { socket, answer: "" };
  socket.setEncoding("utf8").on("data", (text: string) => (held.answer += text));
  socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc");
  return held;
}

test("a body that has more time than a request may come slowly, and another one after it", async () => {
  const held = await serve(30_000);
  const begun = performance.now();
  await until(() => performance.now() - begun > slowMs);
  held.socket.write("def");
  await until(() => held.answer.includes("6 bytes"));
  held.socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab");
  await until(() => held.answer.includes("2 bytes"));
});

test("a body that takes longer than it may is refused", async () => {
  const held = await serve(slowMs);
  await until(() => held.answer.startsWith("HTTP/1.1 408 "));
  expect(held.answer).toContain("408");
});
