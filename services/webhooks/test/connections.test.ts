import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { afterEach, expect, it } from "vitest";
import { until } from "@heliograph/testkit";
import type { Answer } from "../src/answer-reader.ts";
import { Connections } from "../src/connections.ts";
import { cancel, type Exchange } from "../src/exchange.ts";
import { createAddressGuard, createDial } from "@heliograph/api";

const ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
let server: Server;
let connections: Connections;
const sockets: Socket[] = [];

/** A server that is told, for the nth request over all connections, what to do with it. */
async function open(serve: (socket: Socket, request: number) => void): Promise<void> {
  let requests = 0;
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {}).on("data", () => serve(socket, ++requests));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const guard = createAddressGuard(["127.0.0.0/8"]);
  const dial = createDial({ guard, resolve: async () => [], timeoutMs: 2_000 });
  connections = new Connections(dial, { host: "127.0.0.1", port, secure: false });
}
afterEach(async () => {
  connections.close();
  for (const socket of sockets.splice(0)) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

function post(): { exchange: Exchange; ended: Promise<Answer | Error> } {
  const { promise, resolve } = Promise.withResolvers<Answer | Error>();
  const exchange: Exchange = {
    text: "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n",
    answered: resolve,
    failed: resolve,
    canceled: false,
    connection: undefined,
    timing: {},
  };
  connections.send(exchange);
  return { exchange, ended: promise };
}

it("uses a connection again, and none that the receiver wants closed", async () => {
  await open((socket, request) =>
    socket.write(request === 2 ? ok.replace("OK\r\n", "OK\r\nconnection: close\r\n") : ok),
  );
  for (let request = 0; request < 3; request++)
    expect(await post().ended).toMatchObject({ status: 200 });
  expect(sockets).toHaveLength(2);
});

it("replaces a connection that rested and turns out to be closed, once and unnoticed", async () => {
  await open((socket, request) => (request === 2 ? socket.resetAndDestroy() : socket.write(ok)));
  await post().ended;
  const rested = performance.now() + 1_100;
  await until(() => performance.now() > rested);
  expect(await post().ended).toMatchObject({ status: 200 });
  expect(sockets).toHaveLength(2);
});

it("reports a connection that breaks in use: the receiver may have the request", async () => {
  await open((socket, request) => (request === 2 ? socket.resetAndDestroy() : socket.write(ok)));
  await post().ended;
  expect(await post().ended).toBeInstanceOf(Error);
});

it("closes the connection of a request that is given up, before and after it is open", async () => {
  await open(() => {});
  const early = post();
  cancel(early.exchange);
  const late = post();
  await until(() => late.exchange.connection);
  cancel(late.exchange);
  await until(
    () =>
      sockets.length === 2 && sockets.every((socket) => socket.destroyed || socket.readableEnded),
  );
});
