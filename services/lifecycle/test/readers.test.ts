import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { Writable } from "node:stream";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { rest } from "../src/api/resting.ts";
import { writeTo } from "../src/api/write-to.ts";

const server = createServer();
beforeAll(async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterAll(() => void server.close());
afterEach(() => void vi.useRealTimers());

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

it("begins the minute anew with each piece that a slow reader takes", async () => {
  vi.useFakeTimers();
  let take = (): void => undefined;
  const taken: number[] = [];
  const response = new Writable({
    write(piece: Buffer, _, done) {
      take = () => (taken.push(piece.length), done());
    },
  });
  const writing = writeTo(response as unknown as ServerResponse, "x".repeat(1_000_000), never);
  writing.catch(() => undefined);
  for (let minutes = 0; minutes < 10; minutes++) {
    await vi.advanceTimersByTimeAsync(59_000);
    take();
    await vi.advanceTimersByTimeAsync(1);
  }
  expect(response.destroyed).toBe(false);
  expect(taken.length).toBe(10);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(response.destroyed).toBe(true);
  await expect(writing).rejects.toThrow();
});

it("lets all readers of a partner together work a quarter of the time, and no other partner wait", async () => {
  vi.useFakeTimers();
  const began = performance.now();
  const ended: [string, number][] = [];
  const resting = (partner_id: string, workedMs: number, signal = new AbortController().signal) =>
    rest(
      { env: "sandbox", partner: { partner_id } } as Parameters<typeof rest>[0],
      workedMs,
      signal,
    ).then(() => void ended.push([partner_id, performance.now() - began]));
  const left = new AbortController();
  const all = [
    resting("ptn_A", 100),
    resting("ptn_A", 100),
    resting("ptn_B", 100),
    resting("ptn_C", 60_000),
    resting("ptn_D", 60_000, left.signal),
  ];
  left.abort();
  await vi.advanceTimersByTimeAsync(10_000);
  await Promise.all(all);
  expect(ended).toEqual([
    ["ptn_D", 0],
    ["ptn_A", 300],
    ["ptn_B", 300],
    ["ptn_A", 600],
    ["ptn_C", 5_000],
  ]);
});
