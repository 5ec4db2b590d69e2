import { testServer } from "@heliograph/testkit";
import { connect, createServer, type AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { newLogger, readSettings, serverOf } from "@heliograph/runtime";
import { openPlatform } from "../src/index.ts";

test("a database that is away at boot, and again in the middle of it, is waited for", async () => {
  const server = await testServer();
  let turnedAway = 0;
  let came = 0;
  const relay = createServer((client) => {
    came++;
    if (turnedAway < 3 || (came % 2 === 0 && turnedAway < 8)) {
      turnedAway++;
      client.destroy();
      return;
    }
    const { host = "localhost", port = 5432 } = server.baseConfig;
    const upstream = host.startsWith("/")
      ? connect(`${host}/.s.PGSQL.${port}`)
      : connect(port, host);
    client.pipe(upstream).pipe(client);
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
  });
  await new Promise<void>((resolve) => relay.listen(0, "127.0.0.1", resolve));
  const away = new URL(server.baseUrl);
  // The way in is the relay alone, not the server's unix socket.
  away.search = "";
  away.hostname = "127.0.0.1";
  away.port = String((relay.address() as AddressInfo).port);
  away.pathname = `/${server.namePrefix}boot`;
  try {
    const logger = newLogger("silent");
    const platform = await openPlatform(
      readSettings({ HELIOGRAPH_MASTER_KEY: "0".repeat(64) }, ["ingress"]),
      serverOf(away.href),
      "given",
      logger,
    );
    expect(turnedAway).toBe(8);
    await platform.close();
  } finally {
    await new Promise((resolve) => relay.close(resolve));
    await server.dropAll();
  }
}, 60_000);
