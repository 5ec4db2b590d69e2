import {
  apiClient,
  newDataDir,
  removeDataDir,
  spawnService,
  startInstance,
  testServer,
  until,
} from "@heliograph/testkit";
import { eventStoreDouble } from "@heliograph/testkit/eventstore";
import { afterAll, beforeAll, expect, test } from "vitest";
import { copyText } from "./copy-log.ts";

const main = new URL("main.ts", import.meta.url).pathname;
const dataDir = newDataDir();
let server: Awaited<ReturnType<typeof testServer>>;
let toUrl: string;

const copyWith = async (env: Readonly<Record<string, string>>, ...args: string[]) => {
  const command = spawnService(
    main,
    { HELIOGRAPH_DATA_DIR: dataDir, HELIOGRAPH_DATABASE_URL: "", NO_COLOR: "1", ...env },
    ["copy-log", ...args],
  );
  const { code, signal } = await command.exited;
  return { code, signal, output: command.output() };
};
const copy = (...args: string[]) => copyWith({}, ...args);

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

  const kill = { HELIOGRAPH_FAILPOINT: "copy.after_write:kill@2" };
  const killed = await copyWith(kill, "--namespace", "all", ...places);
  expect(killed.signal).toBe("SIGKILL");
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

test("an installation moves to EventStoreDB and back: its wallet stays right and nothing is done twice", async () => {
  const folder = newDataDir();
  const double = await eventStoreDouble();
  const engines = {
    postgres: { HELIOGRAPH_EVENTSTORE_URL: double.connectionString },
    eventstoredb: {
      HELIOGRAPH_LOG: "eventstoredb",
      HELIOGRAPH_EVENTSTORE_URL: double.connectionString,
    },
  };
  let sent = 0;
  /** Starts, finds everything as it was left, sends three more and stops. */
  async function live(engine: keyof typeof engines): Promise<void> {
    const instance = await startInstance({ dataDir: folder, env: engines[engine] });
    const api = apiClient(instance.baseUrl, instance.sandboxKey);
    const before = Number((await api.get("/balance")).body.available);
    for (let count = 0; count < 3; count++)
      await api.post("/messages", {
        channel: "sms",
        to: `+155512300${20 + sent++}`,
        text: "hello",
      });
    await until(
      async () => (await api.get("/messages?status=delivered&limit=100")).body.data.length === sent,
      { what: `${sent} messages are delivered on ${engine}`, timeoutMs: 30_000 },
    );
    const proof = async () => (await api.get("/wallet/proof")).body;
    await until(async () => (await proof()).matches === true, { what: "the wallet is proved" });
    expect(Number((await api.get("/balance")).body.available)).toBeLessThan(before);
    const { data } = (await api.get("/messages?limit=100")).body;
    for (const { id } of data) {
      const types = async (): Promise<readonly string[]> =>
        (await api.get(`/messages/${id}/timeline`)).body.data.map(
          ({ type }: { type: string }) => type,
        );
      await until(async () => (await types()).includes("FundsCaptured"), { what: `${id} is paid` });
      const all = await types();
      for (const once of ["MessageSent", "FundsHeld", "FundsCaptured"])
        expect(all.filter((type) => type === once)).toEqual([once]);
    }
    await instance.stop();
  }
  const move = async (from: string, to: string): Promise<void> => {
    const environment = { ...engines.postgres, HELIOGRAPH_DATA_DIR: folder };
    const result = await copyWith(environment, "--namespace", "all", "--from", from, "--to", to);
    expect(result).toMatchObject({ code: 0 });
  };
  try {
    await live("postgres");
    await move("postgres", "eventstoredb");
    await live("eventstoredb");
    await move("eventstoredb", "postgres");
    await live("postgres");
  } finally {
    await double.close();
    await removeDataDir(folder);
  }
}, 240_000);

test("a place that is none is answered with what may be said", async () => {
  const { code, output } = await copy("--namespace", "live", "--from", "here", "--to", toUrl);
  expect(output).toContain("--from: postgres, eventstoredb, postgres://… or esdb://…");
  expect(code).toBe(2);
});

test("a copy onto itself, and an engine that is away, are said in plain words", async () => {
  const env = { HELIOGRAPH_DATABASE_URL: toUrl };
  const here = (...args: string[]) => copyWith(env, ...args);
  // Makes the platform log where no earlier test has.
  await spawnService(main, env, ["partners"]).exited;
  const same = await here("--namespace", "platform", "--from", toUrl, "--to", toUrl, "--once");
  expect(same.output).toMatch(
    /^ops: platform: both ends of the copy are the same database, \S+\n$/,
  );
  const cluster = "esdb://127.0.0.1:1?tls=false";
  const one = ["--from", "esdb://me:pass@127.0.0.1:1", "--to", cluster];
  expect((await here("--namespace", "platform", ...one)).output).toBe(
    "ops: --from and --to are the same place\n",
  );
  const away = await here("--namespace", "platform", "--from", cluster, "--to", toUrl);
  expect(away.output).toMatch(
    /^ops: the event log is away: EventStoreDB: connect ECONNREF[^\n]*\n$/,
  );
  for (const { code } of [same, away]) expect(code).toBe(2);
}, 60_000);

test("progress tells the share, the rate and the time that is left, however wide the holes", () => {
  const progress = { phase: "copy", events: 5_000, position: 600_000n, head: 1_000_000n } as const;
  expect(copyText(progress, 200_000, 10_000)).toBe(
    "copy 60 %, 5,000 events, 500 events/s, ETA 10 s",
  );
  expect(copyText({ ...progress, events: 0, position: 0n, head: 0n }, 0, 0)).toBe(
    "copy 100 %, 0 events, 0 events/s, ETA unknown",
  );
});
