import { chownSync, existsSync, readFileSync, globSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, onTestFinished, test } from "vitest";
import {
  EmbeddedPostgresError,
  destroyEmbeddedPostgres,
  startEmbeddedPostgres,
} from "../src/index.ts";
import { waitUntil } from "../src/processes.ts";
import { dataFolder, removeSeed, emptyFolder, query, start, startOwner } from "./support.ts";

afterAll(removeSeed);

test("data, port and password survive stop and start", async () => {
  const dataDir = emptyFolder();
  const first = await start({ dataDir });
  await query(first.config, "create table t as select 42 as x");
  await first.stop();
  await first.stop();
  await first.exited;
  const second = await start({ dataDir });
  expect(second.url).toBe(first.url);
  expect(second.adopted).toBe(false);
  expect(await query(second.url, "select x from t")).toEqual([[42]]);
  await second.stop();
  expect(existsSync(second.config.host!)).toBe(false);
});

test("the server listens on 127.0.0.1 only, wants the password, and keeps it from other users", async () => {
  const dataDir = await dataFolder();
  const server = await start({ dataDir });
  expect(await query(server.config, "show listen_addresses")).toEqual([["127.0.0.1"]]);
  await expect(query({ ...server.config, password: "guess" }, "select 1")).rejects.toThrow(
    /password/,
  );
  expect(statSync(join(dataDir, "password")).mode & 0o777).toBe(0o600);
  expect(statSync(server.config.host!).mode & 0o777).toBe(0o700);
  await server.stop();
});

test("asked settings win over the tuned ones and modules that are not shipped are left out", async () => {
  const server = await start({
    dataDir: await dataFolder(),
    settings: {
      work_mem: "5MB",
      shared_preload_libraries: "pg_stat_statements,missing",
    },
  });
  expect(await query(server.config, "show work_mem")).toEqual([["5MB"]]);
  expect(await query(server.config, "show wal_compression")).toEqual([["pglz"]]);
  expect(await query(server.config, "show fsync")).toEqual([["on"]]);
  expect(await query(server.config, "show recovery_init_sync_method")).toEqual([["syncfs"]]);
  expect(await query(server.config, "show shared_preload_libraries")).toEqual([
    ["pg_stat_statements"],
  ]);
  await server.stop();
});

test("a server whose owner was killed is adopted with its data and port, and stopped by the new owner", async () => {
  const dataDir = await dataFolder();
  const owner = await startOwner(dataDir).ready;
  await query(owner.server.config, "create table t as select 1 as x");
  await owner.kill();
  const heir = await start({ dataDir });
  expect(heir.adopted).toBe(true);
  expect(heir.pid).toBe(owner.server.pid);
  expect(await query(heir.config, "select x from t")).toEqual([[1]]);
  await heir.stop();
  await expect(query(heir.url, "select 1")).rejects.toThrow(/ECONNREFUSED/);
});

test("a running server with other settings than asked is restarted, not adopted", async () => {
  const dataDir = await dataFolder();
  const owner = await startOwner(dataDir).ready;
  await owner.kill();
  const heir = await start({ dataDir, settings: { work_mem: "9MB" } });
  expect(heir.adopted).toBe(false);
  expect(heir.pid).not.toBe(owner.server.pid);
  expect(await query(heir.config, "show work_mem")).toEqual([["9MB"]]);
  await heir.stop();
});

test("a server killed with SIGKILL is noticed, recovers its committed data at the next start", async () => {
  const dataDir = await dataFolder();
  const first = await start({ dataDir });
  await query(first.config, "create table t as select 5 as x");
  process.kill(first.pid, "SIGKILL");
  await first.exited;
  await first.stop();
  const second = await start({ dataDir });
  expect(await query(second.config, "select x from t")).toEqual([[5]]);
  await second.stop();
});

test("a postmaster.pid whose number was given to another process of the server's user does not stop a start", async () => {
  const dataDir = await dataFolder();
  const first = await start({ dataDir });
  const pidFile = join(dataDir, "cluster", "postmaster.pid");
  const lines = readFileSync(pidFile, "utf8").split("\n");
  await first.stop();
  // This very test process plays the other process; without a shared memory line, as after a reboot.
  writeFileSync(pidFile, [String(process.pid), ...lines.slice(1, 6), ""].join("\n"), {
    mode: 0o600,
  });
  const { uid, gid } = statSync(join(dataDir, "cluster"));
  chownSync(pidFile, uid, gid);
  const second = await start({ dataDir });
  expect(second.adopted).toBe(false);
  await second.stop();
});

test("a second live owner is refused with one line, in this process as in another", async () => {
  const dataDir = await dataFolder();
  const first = await start({ dataDir });
  await expect(start({ dataDir })).rejects.toThrow(`in use by process ${process.pid}`);
  await expect(startOwner(dataDir).ready).rejects.toThrow(`in use by process ${process.pid}`);
  await expect(destroyEmbeddedPostgres(dataDir)).rejects.toThrow(EmbeddedPostgresError);
  expect(await query(first.config, "select 1")).toEqual([[1]]);
  await first.stop();
});

test.each([
  ["locked the folder", "owner.lock"],
  ["begun initdb", "cluster.partial-*/cluster/global"],
  ["made the cluster, before its server answers", "cluster/PG_VERSION"],
])(
  "an owner killed when it has %s leaves nothing that stops the next",
  async (_moment, sign) => {
    const dataDir = emptyFolder();
    const owner = startOwner(dataDir);
    const reached = () => globSync(join(dataDir, sign)).length > 0;
    expect(await waitUntil(reached, { timeoutMs: 60_000, everyMs: 1 })).toBe(true);
    await owner.kill();
    const next = await start({ dataDir });
    expect(await query(next.config, "select 1")).toEqual([[1]]);
    expect(globSync(join(dataDir, "*partial*"))).toEqual([]);
  },
  90_000,
);

test("a server that cannot start says why and leaves the folder free", async () => {
  const dataDir = await dataFolder();
  const bad = { shared_buffers: "lots" };
  await expect(start({ dataDir, settings: bad })).rejects.toThrow(/shared_buffers/);
  const good = await start({ dataDir });
  await good.stop();
});

test("a fixed port that is taken is an error, a remembered port that is taken is replaced", async () => {
  const one = await start({ dataDir: await dataFolder() });
  const dataDir = await dataFolder();
  const port = one.config.port!;
  await expect(start({ dataDir, port })).rejects.toThrow(/could not/i);
  writeFileSync(join(dataDir, "port"), String(port));
  const two = await start({ dataDir });
  expect(two.config.port).not.toBe(port);
  await two.stop();
  await one.stop();
});

test("a platform without a server is told so before anything is locked or made", async () => {
  const dataDir = emptyFolder();
  const platform = Object.getOwnPropertyDescriptor(process, "platform")!;
  onTestFinished(() => void Object.defineProperty(process, "platform", platform));
  Object.defineProperty(process, "platform", { ...platform, value: "darwin" });
  await expect(startEmbeddedPostgres({ dataDir })).rejects.toThrow(
    /^there is no embedded PostgreSQL for darwin on .*HELIOGRAPH_DATABASE_URL/,
  );
  expect(existsSync(dataDir)).toBe(false);
});

test("without flock(1) a start is refused in one line that names its package", async () => {
  const dataDir = await dataFolder();
  const path = process.env.PATH;
  onTestFinished(() => void (process.env.PATH = path));
  process.env.PATH = "/nowhere";
  await expect(startEmbeddedPostgres({ dataDir })).rejects.toThrow(
    /^the program flock, .* is missing; it comes with the package util-linux$/,
  );
  process.env.PATH = path;
});
