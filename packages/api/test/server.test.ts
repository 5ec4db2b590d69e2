import { connect } from "node:net";
import { PublicError } from "@heliograph/contracts";
import { until } from "@heliograph/testkit";
import { afterEach, expect, test } from "vitest";
import { BodyBudget, createApp, listen, readBody, type Listening } from "../src/index.ts";

const bodies = new BodyBudget();
const started: Listening[] = [];
afterEach(async () => {
  for (const listening of started.splice(0)) await listening.stop(0);
});

async function serve(overrides = {}) {
  const app = createApp(undefined);
  const open: (() => void)[] = [];
  app.use((request, response) => {
    if (request.url === "/hold") open.push(() => response.end("held"));
    else
      readBody(request, 1_000, bodies.hold("a")).then(
        (body) => response.end(`${body.length} bytes`),
        (error: unknown) =>
          response.writeHead(error instanceof PublicError ? error.status : 500).end(),
      );
  });
  const listening = await listen(app, "127.0.0.1", 0, overrides);
  started.push(listening);
  return { listening, open, url: `http://127.0.0.1:${listening.port}` };
}

/** Writes bytes on a connection of its own and gives all that comes back until it ends. */
function raw(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () => socket.write(text));
    socket.setEncoding("utf8");
    socket.on("data", (chunk: string) => (answer += chunk));
    socket.on("close", () => resolve(answer));
    socket.on("error", reject);
  });
}

test("a body is read in one piece, in many, or not at all", async () => {
  const { url } = await serve();
  const post = async (body: string | ReadableStream | null) =>
    (await fetch(url, { method: "POST", body, duplex: "half" } as RequestInit)).text();
  expect(await post("x".repeat(10))).toBe("10 bytes");
  expect(await post(null)).toBe("0 bytes");
  const pieces = new ReadableStream({
    start: (controller) =>
      ["ab", "cd", "e"].forEach((piece) => controller.enqueue(new TextEncoder().encode(piece))),
    pull: (controller) => controller.close(),
  });
  expect(await post(pieces)).toBe("5 bytes");
});

test("a body that is too large is refused by its length, declared or not", async () => {
  const { url, listening } = await serve();
  expect((await fetch(url, { method: "POST", body: "x".repeat(1_001) })).status).toBe(413);
  expect(
    await raw(
      listening.port,
      `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n${"x".repeat(1_001)}\r\n0\r\n\r\n`,
    ),
  ).toContain("413");
});

test("a body that does not come in time ends with a 408 problem", async () => {
  const { listening } = await serve({ requestTimeoutMs: 200, checkEveryMs: 50 });
  const answer = await raw(
    listening.port,
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc",
  );
  expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  expect(answer).toContain('"code":"request_timeout"');
});

test("what is not HTTP ends with a 400 problem, headers that are too large with 431", async () => {
  const { listening } = await serve();
  const refused = await raw(listening.port, "HELLO\r\n\r\n");
  const named = /\r\nRequest-Id: (req_\w+)\r\n/.exec(refused)?.[1];
  expect(refused).toContain(`"request_id":"${named}"`);
  expect(refused).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"bad_request"/);
  expect(
    await raw(listening.port, `GET / HTTP/1.1\r\nHost: x\r\nX: ${"x".repeat(20_000)}\r\n\r\n`),
  ).toMatch(/^HTTP\/1\.1 431 Request Header Fields Too Large[\s\S]*"code":"headers_too_large"/);
});

test("what nobody can be sure about ends with a 400 problem, whichever layer notices it", async () => {
  const { listening } = await serve();
  const closing = "Connection: close\r\n";
  for (const [head, why] of [
    [closing, "Host is missing"],
    [`Host: x\r\nHost: y\r\n${closing}`, "there twice"],
    [`Host: x\r\nTransfer-Encoding: gzip, chunked\r\n${closing}`, "transfer coding"],
    [`Host: x\r\nExpect: a-miracle\r\n${closing}`, "Expect"],
  ]) {
    const answer = await raw(listening.port, `POST / HTTP/1.1\r\n${head}\r\n0\r\n\r\n`);
    expect(answer, why).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"bad_request"/);
    expect(answer).toContain(why);
  }
  expect(await raw(listening.port, "POST / HTTP/1.0\r\n\r\n")).toMatch(/^HTTP\/1\.1 200 /);
});

test("an address in the absolute form is the same as its path at that host", async () => {
  const { listening, open } = await serve();
  const asked = raw(
    listening.port,
    "GET http://shop.example/hold HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n",
  );
  await until(() => open.length === 1);
  open[0]!();
  expect(await asked).toContain("held");
  const named = "GET http://user@shop.example/hold HTTP/1.1\r\nHost: x\r\n\r\n";
  expect(await raw(listening.port, named)).toMatch(/^HTTP\/1\.1 400 [\s\S]*does not name a host/);
});

test("stop lets what is in flight finish, takes nothing new, and cuts what is left at the deadline", async () => {
  const { url, listening, open } = await serve();
  const held = fetch(`${url}/hold`);
  await until(() => open.length === 1);
  const stopping = listening.stop(10_000);
  await until(() => !listening.server.listening);
  await expect(fetch(url)).rejects.toThrow();
  open[0]!();
  expect(await (await held).text()).toBe("held");
  const before = performance.now();
  await stopping;
  expect(performance.now() - before).toBeLessThan(2_000);

  const second = await serve();
  const cut = fetch(`${second.url}/hold`).catch(() => "cut");
  await until(() => second.open.length === 1);
  await second.listening.stop(50);
  expect(await cut).toBe("cut");
});

test("a stop answers the connections that were made and not yet taken", async () => {
  const { listening, open } = await serve();
  const asked = Array.from({ length: 8 }, () =>
    raw(listening.port, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"),
  );
  // The kernel makes them behind this tick, and the loop takes none before its next turn.
  await new Promise((resolve) => process.nextTick(resolve));
  const stopping = listening.stop(10_000);
  await until(() => open.length === asked.length);
  for (const answer of open) answer();
  for (const text of await Promise.all(asked)) expect(text).toContain("held");
  await stopping;
});
