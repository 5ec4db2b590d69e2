import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { nodeOptions } from "@heliograph/runtime/node-options";
import { findInstance, type Instance } from "../shared/instance.ts";

/** A first start also unpacks and initialises PostgreSQL, which takes seconds on a slow disk. */
const startDeadlineMs = 90_000;
const stopDeadlineMs = 15_000;
const standardPort = 8080;
const ownEntry = new URL("../../services/standalone/src/main.ts", import.meta.url).pathname;

/** Something a person can act on: shown as one line, without a stack. */
export class DemoError extends Error {
  override readonly name = "DemoError";
}

export type Started = { readonly instance: Instance; stop(): Promise<void> };

/**
 * Starts an instance on the data folder, with short retries and with webhooks to this machine allowed, and waits until it is ready. What it
 * prints goes to `demo.log` there. `keep` lets it outlive this process; `entry` is what is started in place of this repository's. Throws DemoError when it ends or is not ready in time.
 */
export async function startInstance(
  dataDir: string,
  keep: boolean,
  interrupted: AbortSignal,
  entry = ownEntry,
): Promise<Started> {
  mkdirSync(dataDir, { recursive: true });
  const logFile = join(dataDir, "demo.log");
  const log = openSync(logFile, "w");
  const child = spawn(process.execPath, [...nodeOptions, entry], {
    env: {
      ...process.env,
      HELIOGRAPH_DATA_DIR: dataDir,
      HELIOGRAPH_PORT: process.env["HELIOGRAPH_PORT"] || (await portToUse()),
      HELIOGRAPH_RETRY_SCALE: process.env["HELIOGRAPH_RETRY_SCALE"] || "0.02",
      HELIOGRAPH_WEBHOOK_ALLOW_CIDRS:
        process.env["HELIOGRAPH_WEBHOOK_ALLOW_CIDRS"] || "127.0.0.0/8",
      HELIOGRAPH_LOG_LEVEL: process.env["HELIOGRAPH_LOG_LEVEL"] || "warn",
      HELIOGRAPH_SHUTDOWN_SECONDS: process.env["HELIOGRAPH_SHUTDOWN_SECONDS"] || "5",
    },
    // A kept instance has a process group of its own, so that Ctrl-C in this terminal does not reach it.
    detached: keep,
    stdio: ["ignore", log, log],
  });
  closeSync(log);
  const exited = once(child, "exit").then(
    ([code, signal]) => `it ended with ${code ?? signal}`,
    () => "it could not be started",
  );
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill("SIGTERM");
    const killed = setTimeout(() => child.kill("SIGKILL"), stopDeadlineMs);
    await exited;
    clearTimeout(killed);
  };
  const ended = new AbortController();
  void exited.then(() => ended.abort());
  const waiting = AbortSignal.any([interrupted, ended.signal]);
  const instance = await ready(dataDir, child.pid, waiting);
  if (instance !== undefined) {
    if (keep) child.unref();
    return { instance, stop };
  }
  const late = `it was not ready after ${startDeadlineMs / 1000} s`;
  const why = ended.signal.aborted ? await exited : interrupted.aborted ? "interrupted" : late;
  await stop();
  const lines = readFileSync(logFile, "utf8").trimEnd().split("\n").slice(-10);
  throw new DemoError(`Heliograph did not start: ${why}.\n${lines.join("\n")}`);
}

/** Undefined when it is not ready in time or the signal ends first. */
async function ready(
  dataDir: string,
  pid: number | undefined,
  signal: AbortSignal,
): Promise<Instance | undefined> {
  const deadline = performance.now() + startDeadlineMs;
  while (performance.now() < deadline && !signal.aborted) {
    const instance = await findInstance(dataDir);
    if (instance !== undefined && instance.pid === pid) return instance;
    await pause(50);
  }
  return undefined;
}

/** The standard port when it is free, so that a kept instance is where people look for it; else any. */
function portToUse(): Promise<string> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve("0"));
    probe.listen(standardPort, "127.0.0.1", () => probe.close(() => resolve(`${standardPort}`)));
  });
}
