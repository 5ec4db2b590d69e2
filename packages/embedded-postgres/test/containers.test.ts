import { spawn } from "node:child_process";
import { chownSync, readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { startEmbeddedPostgres } from "../src/index.ts";
import { argumentsOf, startTicksOf, waitUntil } from "../src/processes.ts";
import {
  container,
  dataFolder,
  removeSeed,
  noContainers,
  query,
  settings,
  start,
  startOwner,
} from "./support.ts";

afterAll(removeSeed);

const stateOf = (pid: number): string =>
  /\) (\S)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1] ?? "";

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);

test("a postmaster.pid that names a dead process which nobody has waited for does not stop a start", async () => {
  const dataDir = await dataFolder();
  const cluster = join(dataDir, "cluster");
  const first = await start({ dataDir });
  const pidFile = join(cluster, "postmaster.pid");
  const lines = readFileSync(pidFile, "utf8").split("\n");
  await query(first.config, "create table t as select 6 as x");
  await first.stop();

  const { uid, gid } = statSync(cluster);
  // The shell starts a child and becomes a program that waits for none.
  const parent = spawn("/bin/sh", ["-c", "true & exec sleep 60"], { uid, gid, cwd: "/" });
  onTestFinished(() => void parent.kill("SIGKILL"));
  let zombie = 0;
  const isDead = () => (zombie = childrenOf(parent.pid!)[0] ?? 0) > 0 && stateOf(zombie) === "Z";
  expect(await waitUntil(isDead, { timeoutMs: 5_000 })).toBe(true);
  writeFileSync(pidFile, [String(zombie), ...lines.slice(1)].join("\n"), { mode: 0o600 });
  chownSync(pidFile, uid, gid);

  const second = await start({ dataDir });
  expect(stateOf(zombie)).toBe("Z");
  expect(await query(second.config, "select x from t")).toEqual([[6]]);
});

test("a second container on the same folder is refused, and finds all data when the first was killed", async ({
  skip,
}) => {
  if (noContainers) skip(noContainers);
  const dataDir = await dataFolder();
  const first = startOwner(dataDir, { within: container });
  const { server } = await first.ready;
  const second = startOwner(dataDir, { within: container });
  await expect(second.ready).rejects.toThrow(/is in use by process 1; stop it first/);
  await expect(start({ dataDir })).rejects.toThrow(/is in use by process 1; stop it first/);
  await query(server.config, "create table t as select 7 as x");
  await first.kill();
  const third = await startOwner(dataDir, { within: container }).ready;
  expect(await query(third.server.config, "select x from t")).toEqual([[7]]);
});

test("a server that goes on in another container without its owner keeps others from the cluster", async ({
  skip,
}) => {
  if (noContainers) skip(noContainers);
  const dataDir = await dataFolder();
  // Here the first process is another one, as with an engine's --init, so that the server outlives its owner.
  const shell = [...container, "/bin/sh", "-c", '"$@" & exec sleep 60', "sh"];
  const owner = startOwner(dataDir, { within: shell });
  const { server } = await owner.ready;
  const node = readdirSync("/proc").find((pid) => {
    const [program, ...rest] = /^\d+$/.test(pid) ? argumentsOf(Number(pid)) : [];
    return program === process.execPath && rest.some((argument) => argument.includes(dataDir));
  });
  process.kill(Number(node), "SIGKILL");
  // Gone, or not yet buried by the first process there.
  await waitUntil(() => startTicksOf(Number(node)) === undefined, { timeoutMs: 10_000 });
  await expect(startEmbeddedPostgres({ dataDir, settings })).rejects.toThrow(/cannot be seen from/);
  expect(await query(server.config, "select 1")).toEqual([[1]]);
  await owner.kill();
  const heir = await start({ dataDir });
  expect(heir.adopted).toBe(false);
}, 60_000);
