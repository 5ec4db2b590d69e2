import {
  apiClient,
  newDataDir,
  removeDataDir,
  spawnService,
  startInstance,
  testServer,
  until,
} from "@heliograph/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { copyText } from "./copy-log.ts";

const main = new URL("main.ts", import.meta.url).pathname;
const dataDir = newDataDir();
let server: Awaited<ReturnType<typeof testServer>>;
let toUrl: string;

const copy = async (...args: string[]) => {
  const environment = { HELIOGRAPH_DATA_DIR: dataDir, HELIOGRAPH_DATABASE_URL: "", NO_COLOR: "1" };
  const command = spawnService(main, environment, ["copy-log", ...args]);
  const { code } = await command.exited;
  return { code, output: command.output() };
};

beforeAll(async () => {
  server = await testServer();
  const url = new URL(server.baseUrl);
  url.pathname = `/${server.namePrefix}moved`;
  toUrl = url.toString();
});
afterAll(async () => {
  await server.dropAll();
  await removeDataDir(dataDir);
});

test("an instance's logs are copied ahead of the move while it serves, and for good once it is stopped", async () => {
  const instance = await startInstance({ dataDir });
  const api = apiClient(instance.baseUrl, instance.sandboxKey);
  await api.post("/messages", { channel: "sms", to: "+15551230020", text: "hello" });
  await until(async () => (await api.get("/messages?status=delivered")).body.data.length === 1, {
    what: "the message is delivered",
    timeoutMs: 30_000,
  });
  const places = ["--from", "postgres", "--to", toUrl];
  const refused = await copy("--namespace", "sandbox", ...places);
  expect(refused.output).toMatch(/ops: sandbox: services use the database .*; stop them first/);
  expect(refused.code).toBe(2);
  const ahead = await copy("--namespace", "sandbox", ...places, "--once");
  expect(ahead.output).toMatch(/sandbox: [1-9]\d* events copied in .*, sha256 [0-9a-f]{64}/);
  expect(ahead.code).toBe(0);
  await api.post("/messages", { channel: "sms", to: "+15551230021", text: "hello" });
  await instance.stop();

  const moved = await copy("--namespace", "all", ...places);
  for (const namespace of ["platform", "live", "sandbox"])
    expect(moved.output).toMatch(
      new RegExp(`^${namespace}: [\\d,]+ events copied .* verified`, "m"),
    );
  expect(moved.code).toBe(0);
  const same = await copy("--namespace", "sandbox", ...places, "--verify");
  expect(same.output).toMatch(/sandbox: 0 events copied .* sha256/);
  expect(same.code).toBe(0);
}, 90_000);

test("a place that is none is answered with what may be said", async () => {
  const { code, output } = await copy("--namespace", "live", "--from", "here", "--to", toUrl);
  expect(output).toContain("--from: postgres, eventstoredb, postgres://… or esdb://…");
  expect(code).toBe(2);
});

test("progress tells the share, the rate and the time that is left, however wide the holes", () => {
  const progress = { phase: "copy", events: 5_000, position: 600_000n, head: 1_000_000n } as const;
  expect(copyText(progress, 200_000, 10_000)).toBe(
    "copy 60 %, 5,000 events, 500 events/s, ETA 10 s",
  );
  expect(copyText({ ...progress, events: 0, position: 0n, head: 0n }, 0, 0)).toBe(
    "copy 100 %, 0 events, 0 events/s, ETA unknown",
  );
});
