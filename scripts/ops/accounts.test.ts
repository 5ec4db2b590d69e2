import { randomBytes } from "node:crypto";
import {
  apiClient,
  freePort,
  spawnProgram,
  spawnService,
  testServer,
  until,
} from "@heliograph/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";

const main = new URL("main.ts", import.meta.url).pathname;
const ingress = new URL("../../services/ingress/src/main.ts", import.meta.url).pathname;
let server: Awaited<ReturnType<typeof testServer>>;
let environment: Readonly<Record<string, string>>;

beforeAll(async () => {
  server = await testServer();
  const url = new URL(server.baseUrl);
  url.pathname = `/${server.namePrefix}first`;
  environment = {
    HELIOGRAPH_DATABASE_URL: url.toString(),
    HELIOGRAPH_MASTER_KEY: randomBytes(32).toString("hex"),
    HELIOGRAPH_LOG_LEVEL: "warn",
    NO_COLOR: "1",
  };
});
afterAll(() => server.dropAll());

const ops = async (...args: string[]) => {
  const command = spawnService(main, environment, args);
  const { code } = await command.exited;
  return { code, output: command.output() };
};

test("on an empty database the commands make the first partner and the first operator's key, and a service that runs alone takes them", async () => {
  const made = await ops("create-partner", "Shop", "--rate-limit", "50");
  expect(made.code).toBe(0);
  const [, partner] = /Partner (ptn_\w{26}) \(Shop\)/.exec(made.output)!;
  const [, live] = /^live +(ak_live_\w{36})$/m.exec(made.output)!;
  const [, sandbox] = /^sandbox +(ak_test_\w{36})$/m.exec(made.output)!;
  const issued = await ops("create-key", "--admin", "--name", "Ada");
  const admin = /^ak_\w+$/m.exec(issued.output)![0];
  expect(issued.code).toBe(0);

  const port = await freePort();
  const service = spawnService(ingress, { ...environment, HELIOGRAPH_PORT: `${port}` });
  try {
    const baseUrl = `http://127.0.0.1:${port}`;
    await until(
      () =>
        fetch(`${baseUrl}/healthz`).then(
          ({ ok }) => ok,
          () => false,
        ),
      { what: "the API answers", timeoutMs: 30_000 },
    );
    const partners = await apiClient(baseUrl, admin).get("/admin/partners");
    expect(partners.body.data).toContainEqual(
      expect.objectContaining({
        id: partner,
        name: "Shop",
        rate_limit: { requests: 50, window_seconds: 1 },
      }),
    );
    for (const key of [live!, sandbox!])
      expect((await apiClient(baseUrl, key).get("/keys")).status).toBe(200);
    expect((await apiClient(baseUrl, live!).get("/admin/partners")).status).toBe(403);
  } finally {
    await service.stop();
  }

  const listed = await ops("keys");
  expect(listed.output).toMatch(new RegExp(`${partner} +sandbox +${sandbox!.slice(0, 12)}…`));
  expect(listed.output).toMatch(/live +ak_\w+… +Ada +\S*.*admin/);
  expect(listed.output).not.toContain(sandbox);
  expect((await ops("partners")).output).toMatch(new RegExp(`^${partner} +Shop +USD +2 `, "m"));
}, 60_000);

test("a key is for a known partner or for the operators, and says which where it is neither", async () => {
  const none = await ops("create-key", "--name", "x");
  expect(none).toMatchObject({ code: 2, output: "ops: either --admin or --partner <id>\n" });
  const unknown = await ops("create-key", "--partner", "ptn_none", "--env", "live", "--name", "x");
  expect(unknown.code).toBe(2);
  expect(unknown.output).toMatch(/^ops: there is no partner ptn_none; .*\n$/);
}, 60_000);

test("a gateway of the settings that a person turns off stays off when its process starts again, until it is turned on", async () => {
  const entry = new URL("../../services/dispatch/src/main.ts", import.meta.url).pathname;
  const startDispatch = async (): Promise<void> => {
    const service = spawnService(entry, {
      ...environment,
      HELIOGRAPH_SMTP_URL: "smtp://me:secret@127.0.0.1:1",
      HELIOGRAPH_LOG_LEVEL: "info",
    });
    await service.outputMatching(/"msg":"running"/);
    await service.stop();
  };
  const shown = async () =>
    /^smtp-1 +live +email +smtp +\d+ +(\w+) /m.exec((await ops("gateways")).output)?.[1];
  await startDispatch();
  expect(await shown()).toBe("yes");
  const off = await ops("gateways", "disable", "smtp-1", "--env", "live");
  expect(off).toMatchObject({ code: 0, output: "smtp-1 (live) is disabled.\n" });
  await startDispatch();
  expect(await shown()).toBe("no");
  await ops("gateways", "enable", "smtp-1", "--env", "live");
  expect(await shown()).toBe("yes");
  const unknown = await ops("gateways", "disable", "none", "--env", "live");
  expect(unknown).toMatchObject({ code: 2, output: "ops: live has no gateway none\n" });
}, 90_000);

test("a new master key is taken once it is accepted", async () => {
  const changed = { ...environment, HELIOGRAPH_MASTER_KEY: randomBytes(32).toString("hex") };
  expect((await ops("gateways")).code).toBe(0);
  environment = changed;
  expect((await ops("gateways")).output).toMatch(/^ops: HELIOGRAPH_MASTER_KEY: not the key/);
  expect((await ops("accept-key")).code).toBe(0);
  expect((await ops("gateways")).code).toBe(0);
}, 60_000);

test("a command whose reader goes away ends without a word", async () => {
  const line = `"${process.execPath}" "${main}" gateways | true; echo "ended with \${PIPESTATUS[0]}"`;
  const piped = spawnProgram("bash", ["-c", line], environment);
  await piped.exited;
  expect(piped.output()).toBe("ended with 0\n");
}, 30_000);

test("a database that is away is said in one line", async () => {
  environment = { ...environment, HELIOGRAPH_DATABASE_URL: "postgres://u:p@127.0.0.1:1/x" };
  expect(await ops("dead-letters")).toEqual({
    code: 2,
    output: "ops: the database is away: connect ECONNREFUSED 127.0.0.1:1\n",
  });
}, 30_000);
