import { writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { join } from "node:path";
import { refuseToStart } from "@heliograph/platform";
import {
  freePort,
  launchInstance,
  postgresProcesses,
  spawnService,
  testServer,
} from "@heliograph/testkit";
import { expect, it, vi } from "vitest";
import { start } from "../src/index.ts";
import { ownDataDir } from "./setting.ts";

const silent = { HELIOGRAPH_LOG_LEVEL: "silent" };

/** Starts what must not start: it ends with code 2 and says this one line, besides what it logs. */
async function expectRefused(env: Readonly<Record<string, string>>, line: RegExp): Promise<void> {
  const dataDir = env["HELIOGRAPH_DATA_DIR"] ?? ownDataDir();
  const process = await launchInstance({ dataDir, env: { ...silent, ...env } });
  expect(await process.exited).toEqual({ code: 2, signal: null });
  expectLine(process.output(), line, dataDir);
}

/** The same in this process, which has loaded the product already, up to the end that `main.ts` gives it. */
async function expectRefusedHere(
  env: Readonly<Record<string, string>>,
  line: RegExp,
): Promise<void> {
  const dataDir = env["HELIOGRAPH_DATA_DIR"] ?? ownDataDir();
  const port = String(await freePort());
  const all = { HELIOGRAPH_DATA_DIR: dataDir, HELIOGRAPH_PORT: port, ...silent, ...env };
  const error: unknown = await start(all).then(
    () => "it started",
    (reason: unknown) => reason,
  );
  const exit = vi.spyOn(process, "exit").mockReturnValue(undefined as never);
  const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  let output: string;
  try {
    refuseToStart(error);
  } finally {
    expect(exit.mock.calls).toEqual([[2]]);
    output = write.mock.calls.map(([text]) => String(text)).join("");
    exit.mockRestore();
    write.mockRestore();
  }
  expectLine(output, line, dataDir);
}

function expectLine(output: string, line: RegExp, dataDir: string): void {
  expect(output).toMatch(/^heliograph: [^\n]*\n$/);
  expect(output).toMatch(line);
  expect(postgresProcesses(dataDir)).toEqual([]);
}

it("a port that is taken, and an address of another machine, are named, and PostgreSQL ends too", async () => {
  const squatter = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => squatter.once("listening", resolve));
  const { port } = squatter.address() as AddressInfo;
  try {
    const taken = new RegExp(`HELIOGRAPH_PORT: 127.0.0.1:${port} is in use by another process`);
    const at = { HELIOGRAPH_PORT: String(port) };
    await expectRefused(at, taken);
    await expectRefusedHere({ ...at, HELIOGRAPH_SERVICES: "wallet" }, taken);
    await expectRefusedHere(
      { HELIOGRAPH_HOST: "203.0.113.7" },
      /HELIOGRAPH_HOST is no address of this mach/,
    );
    await expectRefusedHere(
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
  await expectRefusedHere({ HELIOGRAPH_DATA_DIR: join(file, "below") }, /ENOTDIR|EEXIST/);
  await expectRefusedHere(
    { HELIOGRAPH_DATA_DIR: "/proc/heliograph" },
    /ENOENT.*\/proc\/heliograph/,
  );
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
    await expectRefusedHere({ ...wait, HELIOGRAPH_DATABASE_URL: url }, line);
  const alone = spawnService(new URL("../../ingress/src/main.ts", import.meta.url).pathname, {
    ...wait,
    HELIOGRAPH_DATABASE_URL: "postgres://u:p@127.0.0.1:1/x",
    HELIOGRAPH_LOG_LEVEL: "silent",
  });
  expect((await alone.exited).code).toBe(2);
  expect(alone.output()).toMatch(/^heliograph: the database did not answer in 1 s: [^\n]*\n$/);
}, 60_000);
