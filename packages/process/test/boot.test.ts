import { freePort, testServer, until } from "@heliograph/testkit";
import { connect, createServer } from "node:net";
import { expect, test } from "vitest";
import { newLogger, readSettings, serverOf } from "@heliograph/runtime";
import { openPlatform } from "../src/index.ts";

test("a database that is away at boot is waited for", async () => {
  const server = await testServer();
  const real = new URL(server.baseUrl);
  const port = await freePort();
  const away = new URL(server.baseUrl);
  away.hostname = "127.0.0.1";
  away.port = String(port);
  away.pathname = `/${server.namePrefix}boot`;
  let opened = false;
  const opening = openPlatform(
    readSettings({}),
    serverOf(away.href),
    Buffer.alloc(32),
    newLogger("silent"),
  ).then((platform) => {
    opened = true;
    return platform;
  });
  // Nothing listens on the port yet: the first tries are refused.
  const probe = await new Promise<string>((resolve) =>
    connect(port, "127.0.0.1")
      .once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""))
      .once("connect", () => resolve("connected")),
  );
  expect([probe, opened]).toEqual(["ECONNREFUSED", false]);
  const relay = createServer((client) => {
    const upstream = connect(Number(real.port), real.hostname);
    client.pipe(upstream).pipe(client);
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(port, "127.0.0.1", resolve));
  try {
    await until(() => opened, { what: "the platform is open" });
    await (await opening).close();
  } finally {
    await new Promise((resolve) => relay.close(resolve));
    await server.dropAll();
  }
}, 60_000);
