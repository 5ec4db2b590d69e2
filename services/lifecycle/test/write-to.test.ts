import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { writeTo } from "../src/api/write-to.ts";

const server = createServer();
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => void server.close());

/** More than the buffers of both ends take. */
const text = `id: 1\ndata: ${"x".repeat(1_000)}\n\n`.repeat(16_000);
const never = new AbortController().signal;

async function reader() {
  const asked = once(server, "request");
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
  const [, response] = (await asked) as [unknown, ServerResponse];
  return { socket, response };
}

it("cuts off a reader that takes nothing, and not one that is slow", async () => {
  const [mute, slow] = [await reader(), await reader()];
  const closed = once(mute.response, "close");
  await expect(writeTo(mute.response, text, never, 50)).rejects.toThrow();
  await closed;
  expect(mute.response.destroyed).toBe(true);
  // What it had got by then it can still read: the ids in it are what it goes on behind.
  const [first] = await once(
    mute.socket.on("error", () => undefined),
    "data",
  );
  expect(String(first)).toContain("id: 1\n");

  const written = writeTo(slow.response, text, never, 10_000);
  slow.socket.resume();
  await written;
  expect(slow.response.destroyed).toBe(false);
  slow.socket.destroy();
});

it("ends with its signal, and leaves what is under way to be finished", async () => {
  const { socket, response } = await reader();
  const stop = new AbortController();
  const written = writeTo(response, text, stop.signal, 10_000);
  stop.abort();
  await expect(written).rejects.toThrow("aborted");
  expect(response.destroyed).toBe(false);
  socket.destroy();
});
