// Makes every `npm run …` work on a fresh checkout: installs the workspace when it is out of date, then runs the given
// command with node_modules/.bin first on PATH, so that `node` is the registry's Node 24 whatever the host has.
// Plain JavaScript without dependencies, because it runs on the host's own Node (20 or later) before anything is installed.
// Why it is made this way: docs/decisions/0002-node-from-the-registry.md and 0004-launcher-and-signals.md.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const modules = join(root, "node_modules");
const bin = join(modules, ".bin");
const stampFile = join(modules, ".heliograph-installed");
const lockFile = join(modules, ".heliograph-installing");
const forwarded = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"];
const minimumNode = 24;
/** A Ctrl-C reaches this process from the terminal and again from npm; copies this close together are one request. */
const sameSignalMs = 300;
/** How often a launcher that npm started looks whether npm is still there: a killed npm forwards nothing. */
const parentCheckMs = 250;
/** Who installs touches the lock this often; one that is not touched for the longer time belongs to nobody, whatever it says. */
const [lockTouchMs, lockStaleMs] = [1_000, 8_000];
/** An install over a slow line takes some minutes; whoever waits for longer is told to look. */
const lockWaitMs = 15 * 60_000;
/** How long the registry has to answer before we say that it does not, and how often an install says how far it is. */
const [registryAnswerMs, progressMs] = [8_000, 3_000];

const fail = (message, code = 1) => {
  process.stderr.write(`${message}\n`);
  process.exit(code);
};
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What an install depends on: the lockfile, the workspace settings and every package.json, on this kind of machine. */
function installKey() {
  const hash = createHash("sha256").update(`${process.platform}-${process.arch}\n`);
  const files = ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"];
  for (const group of ["packages", "services", "patches"])
    if (existsSync(join(root, group)))
      for (const name of readdirSync(join(root, group)).sort())
        files.push(group === "patches" ? `patches/${name}` : `${group}/${name}/package.json`);
  for (const file of files)
    if (existsSync(join(root, file)))
      hash.update(`${file}\n`).update(readFileSync(join(root, file)));
  return hash.digest("hex");
}

const installed = (key) => existsSync(stampFile) && readFileSync(stampFile, "utf8").trim() === key;

const alive = (pid) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
};

/** What the lock says: its holder, 0 when it is empty, and when it was touched; undefined when there is none. */
function readLock() {
  try {
    return {
      holder: Number(readFileSync(lockFile, "utf8")) || 0,
      touchedMs: statSync(lockFile).mtimeMs,
    };
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    return undefined;
  }
}

function unlockInstall() {
  if (readLock()?.holder === process.pid) rmSync(lockFile, { force: true });
}

/** Two launchers on one fresh checkout would install over each other; the second one waits for the first. */
async function lockInstall() {
  mkdirSync(modules, { recursive: true });
  const startedMs = performance.now();
  let [seen, seenMs, told] = [undefined, 0, false];
  for (;;) {
    try {
      writeFileSync(lockFile, `${process.pid}`, { flag: "wx" });
      process.on("exit", unlockInstall);
      const touch = () => {
        if (readLock()?.holder === process.pid) utimesSync(lockFile, new Date(), new Date());
      };
      setInterval(touch, lockTouchMs).unref();
      return;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    const lock = readLock();
    if (lock === undefined) continue;
    const { holder, touchedMs } = lock;
    // By our own clock since we saw it touched: that of the file's time may be another, or have been set.
    if (seen !== touchedMs) [seen, seenMs] = [touchedMs, performance.now()];
    const isStale = performance.now() - seenMs > lockStaleMs;
    if (isStale || (holder > 0 && !alive(holder))) {
      // Looked at again: somebody else may have taken it over a moment ago.
      if (readLock()?.touchedMs === touchedMs) rmSync(lockFile, { force: true });
      continue;
    }
    if (!told)
      process.stderr.write(
        `Waiting for ${holder > 0 ? `process ${holder}, which installs` : "another process to install"} the dependencies (${lockFile}) …\n`,
      );
    told = true;
    if (performance.now() - startedMs > lockWaitMs)
      fail(
        `Process ${holder} has been installing for ${lockWaitMs / 60_000} minutes; end it, or remove ${lockFile}.`,
      );
    await wait(100);
  }
}

/** Says so when the registry does not answer: npm and pnpm try for minutes without a word. Not behind a proxy, which this does not use. */
async function warnWithoutRegistry(env) {
  if (Object.keys(env).some((name) => /^(https?_proxy|npm_config_(https_?)?proxy)$/i.test(name)))
    return;
  const asked = spawnSync("npm", ["config", "get", "registry"], {
    cwd: root,
    env,
    encoding: "utf8",
  });
  const registry = asked.stdout?.trim();
  if (!/^https?:/.test(registry ?? "")) return;
  try {
    await fetch(registry, { method: "HEAD", signal: AbortSignal.timeout(registryAnswerMs) });
  } catch (error) {
    process.stderr.write(
      `The package registry ${registry} does not answer (${error.cause?.code ?? error.name}): is there a network? Trying on; Ctrl-C ends it.\n`,
    );
  }
}

/** Shows what pnpm last said of its progress, and its warnings at once. Gives back the end of it. */
function showProgress() {
  let [last, shown] = ["", ""];
  const timer = setInterval(() => {
    if (last !== shown) process.stderr.write(`${last}\n`);
    shown = last;
  }, progressMs);
  return {
    see(chunk) {
      for (const line of chunk.toString().split("\n")) {
        if (line.startsWith("Progress:")) last = line.trim();
        else if (/^\W*WARN\W.*(retry|retries)/i.test(line))
          process.stderr.write(`${line.trim()}\n`);
      }
    },
    end: () => clearInterval(timer),
  };
}

async function install(key) {
  try {
    await lockInstall();
  } catch (error) {
    fail(
      `Cannot install: ${modules} is not writable (${error.code}). Run as the owner of the checkout.`,
    );
  }
  if (installed(key)) {
    unlockInstall();
    return;
  }
  const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  process.stderr.write(`Installing dependencies with ${packageManager} …\n`);
  // CI: pnpm never asks. NODE_ENV: "production" would leave out the tools that the other scripts need.
  const env = { ...process.env, CI: "true", NODE_ENV: "" };
  const args = ["--yes", packageManager, "install", "--frozen-lockfile", "--prefer-offline"];
  const child = spawn("npx", args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  void warnWithoutRegistry(env);
  const output = [];
  const progress = showProgress();
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk) => {
      output.push(chunk);
      progress.see(chunk);
    });
  const { code, signal, letGo } = await supervise(child);
  letGo();
  progress.end();
  if (signal) await raise(signal);
  if (code !== 0) {
    process.stderr.write(Buffer.concat(output));
    fail(`The install failed: npx ${args.join(" ")} ended with ${code}.`, code);
  }
  const own = spawnSync(join(bin, "node"), ["--version"], { encoding: "utf8" });
  if (own.status !== 0) rmSync(join(bin, "node"), { force: true });
  writeFileSync(stampFile, `${key}\n`);
  unlockInstall();
}

/**
 * The npm that started this script, or undefined: it is the parent, or the grandparent where its shell (dash) stays between.
 * Only that far up, so that a terminal which closes does not end an `npm start` put in the background with nohup.
 */
function npmAbove() {
  if (process.env.npm_lifecycle_event === undefined) return undefined;
  if (process.platform !== "linux") return process.ppid;
  try {
    // /proc/<pid>/stat: pid (name) state ppid …
    const [, name, above] = /\((.*)\) \S (\d+)/s.exec(readFileSync(`/proc/${process.ppid}/stat`));
    return /^(da|ba|z|k)?sh$/.test(name) ? Number(above) : process.ppid;
  } catch (error) {
    // Only a shell that is gone is an answer; for want of descriptors npm would be taken for killed.
    return error.code === "ENOENT" || error.code === "ESRCH" ? process.ppid : "unknown";
  }
}

/** Forwards signals to the child and resolves when it has ended. One that comes after that is for nobody any more, until `letGo` gives signals back to the system. */
function supervise(child) {
  const last = new Map();
  const forward = (signal) => {
    const now = Date.now();
    if (now - (last.get(signal) ?? -Infinity) < sameSignalMs) return;
    last.set(signal, now);
    child.kill(signal);
  };
  for (const signal of forwarded) process.on(signal, forward);
  const caller = npmAbove();
  const orphanCheck =
    caller === undefined || caller === "unknown"
      ? undefined
      : setInterval(() => {
          const above = npmAbove();
          if (above === caller || above === "unknown") return;
          clearInterval(orphanCheck);
          forward("SIGTERM");
        }, parentCheckMs);
  return new Promise((resolve) => {
    const end = (result) => {
      clearInterval(orphanCheck);
      resolve({
        ...result,
        letGo() {
          for (const signal of forwarded) process.off(signal, forward);
        },
      });
    };
    child.once("error", (error) => {
      process.stderr.write(`Cannot run ${child.spawnfile}: ${error.message}\n`);
      end({ code: error.code === "ENOENT" ? 127 : 126, signal: null });
    });
    child.once("close", (code, signal) => end({ code, signal }));
  });
}

/** Ends this process by the signal that ended the child, so that the caller sees the truth. */
function raise(signal) {
  unlockInstall();
  process.kill(process.pid, signal);
  // A signal whose default is to be ignored leaves us here; the shell's convention is then 128 + its number.
  setTimeout(() => process.exit(128 + (constants.signals[signal] ?? 0)), 100);
  return new Promise(() => {});
}

/**
 * Kills the child's process group when this process dies without a chance to say so (kill -9): a shell that holds one end
 * of a pipe. A line on the pipe means a normal end; the pipe closing without one means that we are gone.
 */
function guard(pid) {
  const script = 'read -r line || kill -s KILL -- "-$1"';
  const shell = spawn("/bin/sh", ["-c", script, "guard", `${pid}`], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  shell.on("error", () => {});
  shell.stdin.on("error", () => {});
  shell.unref();
  return () => new Promise((resolve) => shell.stdin.end("done\n", resolve));
}

async function run(command, args) {
  const env = {
    ...process.env,
    PATH: `${bin}${delimiter}${process.env.PATH ?? ""}`,
    // What Node has stripped and compiled once is half of the processor time of a start.
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(modules, ".cache", "compile"),
  };
  // Its own process group: a terminal's Ctrl-C then reaches it once, through us, and not a second time directly.
  const child = spawn(command, args, { env, stdio: "inherit", detached: true });
  const release = child.pid === undefined ? async () => {} : guard(child.pid);
  const { code, signal, letGo } = await supervise(child);
  await release();
  if (signal) {
    letGo();
    await raise(signal);
  }
  process.exit(code ?? 1);
}

if (process.platform === "win32") fail("Heliograph runs on Linux and macOS; on Windows use WSL.");
const key = installKey();
if (!installed(key)) await install(key);
if (!existsSync(join(bin, "node")) && Number.parseInt(process.versions.node, 10) < minimumNode)
  fail(
    `Heliograph needs Node ${minimumNode} or later. On Linux (glibc, x64 or arm64) it comes with the install; on ` +
      `${process.platform}-${process.arch} install it yourself: this is Node ${process.versions.node}.`,
  );
const [command, ...args] = process.argv.slice(2);
if (command !== undefined) await run(command, args);
