import { writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { launchInstance, postgresProcesses, spawnService, testServer } from "@heliograph/testkit";
import { expect, it } from "vitest";
import { ownDataDir } from "./setting.ts";

/** Starts what must not start: it ends with code 2 and says this one line, besides what it logs. */
async function expectRefused(
  env: Readonly<Record<string, string>>,
  line: RegExp,
  port?: number,
): Promise<void> {
  const dataDir = env["HELIOGRAPH_DATA_DIR"] ?? ownDataDir();
  const options = { dataDir, env: { HELIOGRAPH_LOG_LEVEL: "silent", ...env } };
  const process = await launchInstance(port === undefined ? options : { ...options, port });
  expect(await process.exited).toEqual({ code: 2, signal: null });
  expect(process.output()).toMatch(/^heliograph: [^\n]*\n$/);
  expect(process.output()).toMatch(line);
  expect(postgresProcesses(dataDir)).toEqual([]);
}

it("a port that is taken, and an address of another machine, are named, and PostgreSQL ends too", async () => {
  const squatter = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => squatter.once("listening", resolve));
  const { port } = squatter.address() as AddressInfo;
  try {
    const taken = new RegExp(`HELIOGRAPH_PORT: 127.0.0.1:${port} is in use by another process`);
    await expectRefused({}, taken, port);
    await expectRefused({ HELIOGRAPH_SERVICES: "wallet" }, taken, port);
    await expectRefused(
      { HELIOGRAPH_HOST: "203.0.113.7" },
      /HELIOGRAPH_HOST is no address of this mach/,
    );
    await expectRefused(
      { HELIOGRAPH_HOST: "no.such.host.invalid" },
      /HELIOGRAPH_HOST: there is no host /,
    );
  } finally {
    squatter.close();
  }
}, 90_000);

it("a data folder that cannot be one is named", async () => {
  const file = join(ownDataDir(), "file");
  writeFileSync(file, "");
  await expectRefused({ HELIOGRAPH_DATA_DIR: file }, /EEXIST.*file/);
  await expectRefused({ HELIOGRAPH_DATA_DIR: join(file, "below") }, /ENOTDIR|EEXIST/);
  await expectRefused({ HELIOGRAPH_DATA_DIR: "/proc/heliograph" }, /ENOENT.*\/proc\/heliograph/);
});

it("a database that refuses, or is away for good, is named with its reason", async () => {
  const server = await testServer();
  const { host, port, user, database } = server.baseConfig;
  const socket = host?.startsWith("/") ? `?host=${encodeURIComponent(host)}&port=${port}` : "";
  const at = socket === "" ? `${host}:${port}` : "localhost";
  const wait = { HELIOGRAPH_START_WAIT_SECONDS: "1" };
  for (const [url, line] of [
    [`postgres://${user}:wrong@${at}/${database}${socket}`, /password authentication failed/],
    [`postgres://nobody:x@${at}/${database}${socket}`, /HELIOGRAPH_DATABASE_URL: /],
    [`postgres://${user}@${at}/${database}${socket}`, /HELIOGRAPH_DATABASE_URL: SASL: .*password/],
    ["postgres://u:p@127.0.0.1:1/x", /the database did not answer in 1 s: .*ECONNREFUSED/],
    ["postgres://u:p@127.0.0.1:1/%zz", /HELIOGRAPH_DATABASE_URL: a % in/],
    ["postgres://u:p%@127.0.0.1:1/x", /HELIOGRAPH_DATABASE_URL: a % in/],
    ["postgres://u:p@127.0.0.1:1/x?sslmode=verify-full&sslrootcert=/none.pem", /\/none\.pem/],
    ["mysql://u:p@127.0.0.1:1/x", /HELIOGRAPH_DATABASE_URL: not a URL/],
  ] as const)
    await expectRefused({ ...wait, HELIOGRAPH_DATABASE_URL: url }, line);
  const alone = spawnService(new URL("../../ingress/src/main.ts", import.meta.url).pathname, {
    ...wait,
    HELIOGRAPH_DATABASE_URL: "postgres://u:p@127.0.0.1:1/x",
    HELIOGRAPH_LOG_LEVEL: "silent",
  });
  expect((await alone.exited).code).toBe(2);
  expect(alone.output()).toMatch(/^heliograph: the database did not answer in 1 s: [^\n]*\n$/);
}, 60_000);
