import { createServer as createHttp, type IncomingMessage, type Server } from "node:http";
import { createServer as createHttps } from "node:https";
import { connect, createServer as createTcp, type AddressInfo, type Server as Tcp } from "node:net";
import type { Duplex } from "node:stream";
import { dialAs, dialTarget } from "@heliograph/api";
import { afterEach, expect, it } from "vitest";
import { failure, outcomeOf } from "../src/result.ts";
import { certificate, privateKey } from "./certificate.ts";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function listening(server: Server | Tcp): Promise<number> {
  const open = new Set<Duplex>();
  server.on("connection", (socket: Duplex) => {
    open.add(socket);
    socket.on("error", () => undefined).on("close", () => open.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => {
    for (const socket of open) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

type Asked = { readonly to: string; readonly host: string; readonly proof: string | undefined };

/** A proxy as they are: `CONNECT` to whatever it is asked for. Public addresses of the tests are at the receiver. */
async function proxyTo(receiver: number, secure = false) {
  const asked: Asked[] = [];
  const server = secure ? createHttps({ cert: certificate, key: privateKey }) : createHttp();
  server.on("connect", (request: IncomingMessage, client: Duplex) => {
    const { host = "", "proxy-authorization": proof } = request.headers;
    asked.push({ to: request.url!, host, proof });
    const upstream = connect(receiver, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection established\r\nvia: 1.1 a\r\n\r\n");
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on("error", () => client.destroy());
    client.on("error", () => upstream.destroy());
  });
  return { asked, port: await listening(server) };
}

/** What comes back for a small request to a URL, or what an attempt would say. */
async function asking(
  url: string,
  webhookProxy: string,
  {
    addresses = ["93.184.216.34"],
    proxies = [],
    ca,
    allow = [],
  }: { addresses?: string[]; proxies?: string[]; ca?: string; allow?: string[] } = {},
) {
  const settings = { webhookAllowCidrs: allow, webhookProxy };
  // The receiver's name is asked for first, then the proxy's.
  const answers = [addresses, proxies];
  const resolve = async () => answers.shift() ?? [];
  const timing = {};
  const dial = dialAs(settings, ca === undefined ? { resolve } : { resolve, ca }, 1_000);
  try {
    const socket = await dial(dialTarget(new URL(url)), timing);
    socket.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let text = "";
    for await (const chunk of socket) text += String(chunk);
    return { text, timing };
  } catch (error) {
    const result = failure(error as Error);
    return { ...result, counts: outcomeOf(result) };
  }
}

it("goes out through the operator's proxy, by the address that was judged and with TLS to the receiver itself", async () => {
  const plain = await listening(createHttp((_, response) => response.end("plain")));
  const viaPlain = await proxyTo(plain);
  const url = `http://user:p%40ss@127.0.0.1:${viaPlain.port}`;
  expect(await asking("http://hooks.example/", url)).toMatchObject({
    text: expect.stringContaining("plain"),
    timing: { dns_ms: expect.any(Number), connect_ms: expect.any(Number) },
  });
  expect(await asking("http://[2606:4700::1111]:8080/", url)).toHaveProperty("text");
  const proof = `Basic ${Buffer.from("user:p@ss").toString("base64")}`;
  expect(viaPlain.asked).toEqual([
    { to: "93.184.216.34:80", host: "93.184.216.34:80", proof },
    { to: "[2606:4700::1111]:8080", host: "[2606:4700::1111]:8080", proof },
  ]);

  const secure = await listening(
    createHttps({ cert: certificate, key: privateKey }, (_, response) => response.end("secret")),
  );
  for (const isSecure of [false, true]) {
    const { port, asked } = await proxyTo(secure, isSecure);
    const at = `${isSecure ? "https://sink.test" : "http://127.0.0.1"}:${port}`;
    // Its own name is resolved as any other, and not judged; of its addresses the first that takes the connection is used.
    const options = { proxies: ["127.0.0.2", "127.0.0.1"], ca: certificate };
    expect(await asking("https://sink.test/", at, options)).toMatchObject({
      text: expect.stringContaining("secret"),
      timing: { tls_ms: expect.any(Number) },
    });
    expect(asked).toMatchObject([{ to: "93.184.216.34:443", proof: undefined }]);
    // The certificate is the receiver's, and the proxy cannot stand in for it.
    expect(await asking("https://hooks.example/", at, options)).toMatchObject({
      code: "tls_failed",
      counts: "tls_failed",
    });
  }
});

it("asks a proxy for no address that would not be dialed without it", async () => {
  const { port, asked } = await proxyTo(1);
  const at = `http://127.0.0.1:${port}`;
  for (const url of ["http://127.0.0.1/", "https://169.254.169.254/", "http://inside.example/"])
    expect(await asking(url, at, { addresses: ["10.0.0.1", "::ffff:127.0.0.1"] })).toMatchObject({
      code: "address_refused",
    });
  // Of several only the public one.
  await asking("http://both.example/", at, { addresses: ["10.0.0.1", "93.184.216.34"] });
  expect(asked.map(({ to }) => to)).toEqual(["93.184.216.34:80"]);
});

it("dials what only the operator's list lets through itself: the proxy's own loopback is another", async () => {
  const receiver = await listening(createHttp((_, response) => response.end("near")));
  const { port, asked } = await proxyTo(1);
  const allow = ["127.0.0.0/8"];
  const told = await asking(`http://127.0.0.1:${receiver}/`, `http://127.0.0.1:${port}`, { allow });
  expect(told).toMatchObject({ text: expect.stringContaining("near") });
  expect(asked).toEqual([]);
});

it("says a password to the proxy without a name too", async () => {
  const { port, asked } = await proxyTo(await listening(createHttp((_, res) => res.end())));
  await asking("http://hooks.example/", `http://:token@127.0.0.1:${port}`);
  expect(asked[0]?.proof).toBe(`Basic ${Buffer.from(":token").toString("base64")}`);
});

it.each([
  ["HTTP/1.1 403 Forbidden\r\n\r\n", "proxy_refused", undefined],
  ["HTTP/1.1 407 Who\r\nproxy-authenticate: Basic\r\n\r\n", "proxy_failed", undefined],
  ["HTTP/1.1 302 Found\r\nlocation: http://10.0.0.1/\r\n\r\n", "proxy_refused", undefined],
  ["HTTP/1.1 502 Bad Gateway\r\n\r\n", "connection_failed", "connection_failed"],
  ["HTTP/1.1 504 Gateway Timeout\r\n\r\n", "connect_timeout", "connect_timeout"],
  // More than the head: nobody was asked anything yet.
  ["HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "proxy_failed", undefined],
  ["SSH-2.0-OpenSSH\r\n\r\n", "proxy_failed", undefined],
  [`HTTP/1.1 200 OK\r\nx: ${"y".repeat(9_000)}`, "proxy_failed", undefined],
  ["", "connect_timeout", "connect_timeout"],
])("an answer of %j is %s", async (answer, code, counts) => {
  const server = createTcp((socket) => {
    socket.once("data", () => (answer === "" ? undefined : socket.write(answer)));
  });
  const at = `http://127.0.0.1:${await listening(server)}`;
  const told = await asking("http://hooks.example/", at);
  expect(told).toMatchObject({ code, counts });
  expect(JSON.stringify(told)).not.toContain("127.0.0.1");
});

it("says that a proxy is away, and not where it should be", async () => {
  const port = await listening(createTcp((socket) => socket.destroy()));
  for (const at of [
    `http://127.0.0.1:${port}`,
    "http://127.0.0.1:1",
    "http://proxy.example:3128",
  ]) {
    const told = await asking("http://93.184.216.34/", at, { addresses: [] });
    expect(told).toMatchObject({ code: "proxy_failed", counts: undefined });
    expect(JSON.stringify(told)).not.toMatch(/127\.0\.0\.1|proxy\.example/);
  }
});
