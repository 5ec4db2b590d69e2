import { createServer as createTls } from "node:https";
import {
  createSecureServer,
  type Http2SecureServer,
  type ServerHttp2Stream,
  type ServerHttp2Session,
} from "node:http2";
import {
  connect as connectTcp,
  createServer as createTcp,
  type AddressInfo,
  type Socket,
} from "node:net";
import { createServer as createBare, type TlsOptions } from "node:tls";
import { afterEach, expect, it, vi } from "vitest";
import { createAddressGuard, createDial, type Dial, type DialTarget } from "@heliograph/api";
import { until } from "@heliograph/testkit";
import type { Answer } from "../src/answer-reader.ts";
import { Connections } from "../src/connections.ts";
import { cancel, doubtfulAfterMs, type Exchange } from "../src/exchange.ts";
import { failure } from "../src/result.ts";
import { certificate, privateKey } from "./certificate.ts";

const keys: TlsOptions = { key: privateKey, cert: certificate };
type Serve = (stream: ServerHttp2Stream, request: number, body: string) => void;
let close: () => Promise<unknown> = async () => undefined;
let connections: Connections;
let dial: Dial;
let target: DialTarget;
let sessions: ServerHttp2Session[];
/** What the receiver has accepted, below TLS. */
let sockets: Socket[];

function listen(
  server: Pick<Http2SecureServer, "listen" | "address" | "close">,
  http2 = true,
): Promise<void> {
  dial = createDial({
    guard: createAddressGuard(["127.0.0.1/32"]),
    resolve: async () => ["127.0.0.1"],
    timeoutMs: 20_000,
    ca: certificate,
  });
  close = () => {
    connections.close();
    for (const session of sessions) session.destroy();
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  };
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      target = { host: "sink.test", port, secure: true, http2 };
      connections = new Connections(dial, target);
      resolve();
    }),
  );
}

/** A receiver over HTTP/2 that is told, for the nth request, what to do with it. */
async function open(
  serve: Serve,
  settings: { readonly maxConcurrentStreams?: number } = {},
): Promise<void> {
  [sessions, sockets] = [[], []];
  let requests = 0;
  const server = createSecureServer({ ...keys, settings });
  server.on("connection", (socket: Socket) => void sockets.push(socket));
  server.on("session", (session) => void sessions.push(session.on("error", () => undefined)));
  server.on("stream", (stream) => {
    const request = ++requests;
    let body = "";
    stream.on("error", () => undefined);
    stream.setEncoding("utf8").on("data", (text: string) => (body += text));
    stream.on("end", () => serve(stream, request, body));
  });
  await listen(server);
}
afterEach(() => {
  vi.restoreAllMocks();
  return close();
});

/** The clock goes on so far that what is open now has rested for long. */
function rest(): void {
  const later = performance.now() + 2 * doubtfulAfterMs;
  vi.spyOn(performance, "now").mockImplementation(() => later);
}

const ok: Serve = (stream, _, body) => {
  stream.respond({ ":status": 200, "content-type": "text/plain" });
  stream.end(`took ${body}`);
};

function post(body = "{}"): { exchange: Exchange; ended: Promise<Answer | Error> } {
  const { promise, resolve } = Promise.withResolvers<Answer | Error>();
  const exchange: Exchange = {
    text: `POST /hook?a=1 HTTP/1.1\r\nhost: sink.test\r\nx-own: of theirs\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    answered: resolve,
    failed: resolve,
    canceled: false,
    connection: undefined,
    timing: {},
  };
  connections.send(exchange);
  return { exchange, ended: promise };
}
const textOf = (ended: Answer | Error): string => (ended as Answer).excerpt;
const codeOf = (ended: Answer | Error): string => {
  const result = ended instanceof Error ? failure(ended) : undefined;
  return result?.type === "error" ? result.code : "answered";
};

it("sends requests beside each other over one connection, once the receiver has chosen HTTP/2", async () => {
  const held: (() => void)[] = [];
  let seen: object | undefined;
  await open((stream, request, body) => {
    if (request === 1) {
      ok(stream, request, body);
      return;
    }
    held.push(() => ok(stream, request, body));
  });
  const first = post("one");
  expect(await first.ended).toMatchObject({ status: 200, excerpt: "took one" });
  expect(first.exchange.timing).toMatchObject({
    connect_ms: expect.any(Number),
    tls_ms: expect.any(Number),
    first_byte_ms: expect.any(Number),
  });
  sessions[0]!.on("stream", (_stream, headers) => (seen = headers));
  const others = ["two", "three", "four"].map((body) => post(body));
  await until(() => held.length === 3);
  for (const answer of held.toReversed()) answer();
  const ended = await Promise.all(others.map((each) => each.ended));
  expect(ended.map((each) => (each as Answer).excerpt)).toEqual([
    "took two",
    "took three",
    "took four",
  ]);
  expect(sessions).toHaveLength(1);
  expect(others[0]!.exchange.timing).not.toHaveProperty("tls_ms");
  expect(seen).toMatchObject({
    ":method": "POST",
    ":path": "/hook?a=1",
    ":scheme": "https",
    ":authority": "sink.test",
    "x-own": "of theirs",
    "content-length": "4",
  });
});

it("opens another connection where the receiver takes no more beside each other, and speaks 1.1 to one that chooses it", async () => {
  const held = new Map<unknown, number>();
  await open(
    (stream, request, body) => {
      if (request === 1) return ok(stream, request, body);
      held.set(stream.session, (held.get(stream.session) ?? 0) + 1);
    },
    { maxConcurrentStreams: 2 },
  );
  await post().ended;
  for (let n = 0; n < 3; n++) post();
  await until(() => [...held.values()].reduce((sum, each) => sum + each, 0) === 3);
  expect([...held.values()]).toEqual([2, 1]);
  await close();
  sessions = [];
  const server = createTls({ ...keys, ALPNProtocols: ["http/1.1"] }, (request, response) =>
    response.end(request.httpVersion),
  );
  await listen(server as never);
  const spoken = Array.from({ length: 3 }, () => post().ended);
  expect((await Promise.all(spoken)).map(textOf)).toEqual(["1.1", "1.1", "1.1"]);
});

it("opens one connection for all first requests, and as many more as the receiver makes necessary", async () => {
  const held: (() => void)[] = [];
  await open((stream, request, body) => void held.push(() => ok(stream, request, body)), {
    maxConcurrentStreams: 3,
  });
  const given = post("given up");
  const all = ["one", "two", "three", "four"].map((body) => post(body));
  cancel(given.exchange);
  await until(() => held.length === 4);
  expect(sessions).toHaveLength(2);
  for (const answer of held.splice(0)) answer();
  expect((await Promise.all(all.map((each) => each.ended))).map(textOf)).toEqual([
    "took one",
    "took two",
    "took three",
    "took four",
  ]);
  // Each says what it spent before its request, as the one that dialed or as one that waited for that.
  const spent = all.map(({ exchange }) => exchange.timing);
  expect(spent.filter((timing) => "tls_ms" in timing)).toHaveLength(1);
  expect(spent.filter((timing) => "waited_ms" in timing)).toHaveLength(4);
  const more = Array.from({ length: 9 }, () => post());
  await until(() => held.length === 9);
  expect(sessions).toHaveLength(3);
  for (const answer of held) answer();
  await Promise.all(more.map((each) => each.ended));
});

it("lets end over their connection what waited for it while its endpoint was edited", async () => {
  await open(ok);
  const both = [post("one"), post("two")];
  connections.close();
  expect((await Promise.all(both.map((each) => each.ended))).map(textOf)).toEqual([
    "took one",
    "took two",
  ]);
  expect(sessions).toHaveLength(1);
  await until(() => sessions[0]!.destroyed);
});

it("fails one request with a connection that never began, and tries once more what waited for it", async () => {
  [sessions, sockets] = [[], []];
  const server = createBare({ ...keys, ALPNProtocols: ["h2"] }, (socket) => {
    socket.on("error", () => undefined).destroy();
  });
  server.on("connection", (socket: Socket) => void sockets.push(socket));
  await listen(server as never);
  const cut = ["one", "two", "three", "four"].map((body) => post(body));
  for (const each of cut) expect(await each.ended).toBeInstanceOf(Error);
  expect(sockets).toHaveLength(2);
  expect(cut[1]!.exchange.timing).toHaveProperty("waited_ms");
});

it.each([
  ["ECONNREFUSED", "connection_failed"],
  ["ENOTFOUND", "dns_failed"],
  ["tls_failed", "tls_failed"],
  ["connect_timeout", "connect_timeout"],
])("gives all up after one dial with %s", async (code, told) => {
  [sessions, sockets] = [[], []];
  close = async () => connections.close();
  let dials = 0;
  connections = new Connections(
    async () => {
      dials++;
      throw Object.assign(new Error("no connection"), { code });
    },
    { host: "sink.test", port: 1, secure: true, http2: true },
  );
  const refused = ["one", "two", "three"].map((body) => post(body));
  for (const each of refused) expect(codeOf(await each.ended)).toBe(told);
  expect(dials).toBe(1);
});

it.each([
  [1, ["tls_failed", "took two", "took three"]],
  [2, ["tls_failed", "tls_failed", "tls_failed"]],
])("loses to %i connections that are cut in the middle of TLS: %j", async (most, told) => {
  await open(ok);
  const [behind, closeBehind] = [target, close];
  let cut = 0;
  const front = createTcp((socket) => {
    sockets.push(socket.on("error", () => undefined));
    if (cut++ < most) return void socket.once("data", () => socket.resetAndDestroy());
    const on = connectTcp(behind.port, "127.0.0.1").on("error", () => undefined);
    sockets.push(on);
    socket.pipe(on).pipe(socket);
  });
  await new Promise<void>((resolve) => void front.listen(0, "127.0.0.1", resolve));
  close = () => closeBehind().then(() => new Promise((resolve) => front.close(resolve)));
  connections = new Connections(dial, {
    ...behind,
    port: (front.address() as AddressInfo).port,
  });
  const ended = await Promise.all(["one", "two", "three"].map((body) => post(body).ended));
  expect(ended.map((each) => (each instanceof Error ? codeOf(each) : each.excerpt))).toEqual(told);
  expect(cut).toBe(2);
});

it.each([
  ["as fast as it can", 0],
  ["no faster than one more answer each time", 100],
])(
  "cuts a receiver off that sends without end what nobody asked for, %s, and speaks 1.1 with it from then on",
  async (_, restMs) => {
    [sessions, sockets] = [[], []];
    const chosen: unknown[] = [];
    const room = Buffer.from("00000408000000000000000001", "hex");
    const flood = Buffer.concat(Array.from({ length: 1_000 }, () => room));
    const server = createBare({ ...keys, ALPNProtocols: ["h2", "http/1.1"] }, (socket) => {
      chosen.push(socket.alpnProtocol);
      if (socket.alpnProtocol !== "h2") {
        socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ncalm"));
        return;
      }
      const trickle = (): void => {
        if (socket.destroyed) return;
        for (let n = 0; n < 8; n++) socket.write(flood);
        setTimeout(trickle, restMs);
      };
      const pour = (): void => {
        while (!socket.destroyed && socket.write(flood));
        if (!socket.destroyed) socket.once("drain", pour);
      };
      sockets.push(socket.on("error", () => undefined).resume());
      socket.write(Buffer.from("000000040000000000", "hex"));
      if (restMs === 0) pour();
      else trickle();
    });
    await listen(server as never);
    expect(codeOf(await post().ended)).toBe("bad_answer");
    expect(await post().ended).toMatchObject({ status: 200, excerpt: "calm" });
    expect(chosen).toEqual(["h2", "http/1.1"]);
  },
);

it("keeps no connection on which the receiver takes nothing", async () => {
  await open(ok, { maxConcurrentStreams: 0 });
  for (let n = 1; n <= 3; n++) {
    await post().ended;
    await until(() => sessions.length === n && sessions.every(({ destroyed }) => destroyed));
  }
});

it("lets end what is on a connection that the receiver takes away, and sends once more what it says it has not read", async () => {
  let held: (() => void) | undefined;
  await open((stream, request, body) => {
    if (request === 2) held = () => ok(stream, request, body);
    else ok(stream, request, body);
  });
  await post().ended;
  const read = post("read");
  await until(() => held);
  // It names the stream of `read` as the last one that it looks at.
  sessions[0]!.goaway(0, 3);
  const unread = post("unread");
  expect(await unread.ended).toMatchObject({ status: 200, excerpt: "took unread" });
  expect(sessions).toHaveLength(2);
  held!();
  expect(await read.ended).toMatchObject({ status: 200, excerpt: "took read" });
  await until(() => sessions[0]!.destroyed);
});

const cuts: readonly [name: string, cut: Serve][] = [
  ["a reset", (stream) => stream.close(7)],
  ["a reset that cancels", (stream) => stream.close(8)],
  ["a fault of the connection", (stream) => stream.session!.goaway(11, stream.id!)],
  ["its end", (stream) => stream.session!.destroy()],
  [
    "a reset in the middle of the answer",
    (stream) => {
      stream.respond({ ":status": 200, "content-length": 5 });
      stream.write("abc");
      stream.close(2);
    },
  ],
];

it.each(cuts)(
  "tells of a request as failed that %s cuts off, on a connection that had rested too, and never sends that again by itself",
  async (_name, cut) => {
    let requests = 0;
    await open((stream, request, body) => {
      requests = request;
      if (request === 2) ok(stream, request, body);
      else cut(stream, request, body);
    });
    expect(codeOf(await post().ended)).toBe("connection_failed");
    expect(await post().ended).toMatchObject({ status: 200 });
    rest();
    expect(codeOf(await post().ended)).toBe("connection_failed");
    expect(requests).toBe(3);
  },
);

it("sends everything once more that met a connection which had closed while it rested", async () => {
  await open(ok);
  await post("one").ended;
  rest();
  sockets[0]!.resetAndDestroy();
  const others = ["two", "three", "four"].map((body) => post(body).ended);
  expect((await Promise.all(others)).map(textOf)).toEqual(["took two", "took three", "took four"]);
  expect(sessions).toHaveLength(2);
});

it("gives one request up without the others, and sends nothing more where it was left without an answer", async () => {
  const held: (() => void)[] = [];
  await open((stream, request, body) => {
    if (request === 1) return ok(stream, request, body);
    held.push(() => ok(stream, request, body));
  });
  await post().ended;
  const [left, kept] = [post("left"), post("kept")];
  await until(() => held.length === 2);
  cancel(left.exchange);
  const next = post("next");
  await until(() => sessions.length === 2 && held.length === 3);
  for (const answer of held.slice(1)) answer();
  expect(await kept.ended).toMatchObject({ excerpt: "took kept" });
  expect(await next.ended).toMatchObject({ excerpt: "took next" });
  await until(() => sessions[0]!.destroyed);
});

it("reads so much of an answer and no more", async () => {
  const answers: Serve[] = [
    (stream) => {
      stream.respond({ ":status": 503, "retry-after": "7" });
      // And it never ends.
      stream.write("x".repeat(70_000));
    },
    (stream) => {
      for (let n = 0; n < 11; n++) stream.additionalHeaders({ ":status": 103 });
    },
    (stream) =>
      stream.respond({ ":status": 200, "x-long": "x".repeat(20_000) }, { endStream: true }),
    (stream) => {
      stream.respond({ ":status": 200, "content-encoding": "gzip" });
      stream.end("0123");
    },
  ];
  await open((stream, request, body) => answers[request - 1]!(stream, request, body));
  const long = await post().ended;
  expect(long).toMatchObject({ status: 503, retryAfter: "7", excerpt: "x".repeat(512) });
  expect(codeOf(await post().ended)).toBe("bad_answer");
  expect(await post().ended).toBeInstanceOf(Error);
  expect(await post().ended).toMatchObject({ status: 200, excerpt: "(4 encoded bytes)" });
});

it("reaches over HTTP/2 no address that is refused", async () => {
  sessions = [];
  close = async () => connections.close();
  const strict = createDial({
    guard: createAddressGuard([]),
    resolve: async () => ["127.0.0.1"],
    timeoutMs: 2_000,
  });
  connections = new Connections(strict, { host: "sink.test", port: 1, secure: true, http2: true });
  expect(codeOf(await post().ended)).toBe("address_refused");
});
