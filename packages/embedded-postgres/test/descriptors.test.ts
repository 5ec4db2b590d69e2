import { execFileSync } from "node:child_process";
import { afterAll, expect, test } from "vitest";
import { dataFolder, removeSeed, query, settings, start } from "./support.ts";

afterAll(removeSeed);

const source = (file: string): string => new URL(`../src/${file}`, import.meta.url).href;

/** Starts the server, takes all descriptors there are, asks everything that needs one, and then stops it or is gone. */
const program = (dataDir: string, last: string): string => `
  const { openSync, closeSync } = await import("node:fs");
  const { startEmbeddedPostgres } = await import("${source("index.ts")}");
  const { runningPostmaster } = await import("${source("postmaster.ts")}");
  const { isAlive, startTicksOf } = await import("${source("processes.ts")}");
  const { freePort, runsWith } = await import("${source("launch.ts")}");
  const { canEnter } = await import("${source("account.ts")}");
  const { passwordOf } = await import("${source("home.ts")}");
  // Counts how often somebody looked whether the server has ended.
  const every = setInterval;
  let looks = 0;
  globalThis.setInterval = (look, ms) => every(() => { look(); looks++; }, ms);
  const server = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, settings: ${JSON.stringify(settings)} });
  const startTicks = startTicksOf(server.pid);
  let ended = false;
  server.exited.then(() => (ended = true));
  const cluster = ${JSON.stringify(`${dataDir}/cluster`)};
  const questions = {
    runningPostmaster: () => runningPostmaster(cluster),
    startTicksOf: () => startTicksOf(server.pid),
    freePort: () => freePort(undefined),
    runsWith: () => runsWith(cluster, {}),
    canEnter: () => canEnter("/", undefined),
    passwordOf: () => passwordOf({ dataFolder: ${JSON.stringify(dataDir)}, clusterFolder: cluster }),
  };
  const taken = [];
  try { for (;;) taken.push(openSync("/dev/null")); } catch {}
  const told = {};
  for (const [name, ask] of Object.entries(questions))
    told[name] = await Promise.resolve().then(ask).then((answer) => "answered " + answer, (error) => error.code);
  const enough = looks + 2;
  const deadline = performance.now() + 20_000;
  await new Promise((resolve) => {
    const timer = every(() => {
      if (looks < enough && performance.now() < deadline) return;
      clearInterval(timer);
      resolve();
    }, 20);
  });
  if (looks < enough) throw new Error("nobody looks whether the server has ended");
  const alive = isAlive({ pid: server.pid, startTicks });
  ${last}
  for (const descriptor of taken) closeSync(descriptor);
  console.log(JSON.stringify({ told, alive, ended }));
  process.exit();`;

const runIt = (dataDir: string, last: string) =>
  JSON.parse(
    execFileSync(
      "/bin/sh",
      // As many as PostgreSQL itself needs, which has the same limit.
      [
        "-c",
        'ulimit -n 128; exec "$@"',
        "sh",
        process.execPath,
        "--input-type=module",
        "-e",
        program(dataDir, last),
      ],
      { cwd: "/", encoding: "utf8" },
    ),
  );

test("a process without a free descriptor takes no want for an answer, and its live server for alive", async () => {
  const dataDir = await dataFolder();
  const { told, alive, ended } = runIt(dataDir, "");
  expect(new Set(Object.values(told))).toEqual(new Set(["EMFILE"]));
  expect([alive, ended]).toEqual([true, false]);
  const heir = await start({ dataDir });
  expect(heir.adopted).toBe(true);
  expect(await query(heir.config, "select 1")).toEqual([[1]]);
});

test("a server is stopped although its owner has no free descriptor", async () => {
  const dataDir = await dataFolder();
  runIt(dataDir, "await server.stop();");
  const heir = await start({ dataDir });
  expect(heir.adopted).toBe(false);
});
