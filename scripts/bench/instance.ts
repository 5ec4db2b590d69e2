import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export type Instance = {
  readonly baseUrl: string;
  readonly host: string;
  readonly port: number;
  readonly sandboxKey: string;
  readonly liveKey: string;
  readonly adminKey: string;
  readonly databaseUrl: string;
  readonly pid: number;
  readonly dataDir: string;
  /** Stops the process by SIGTERM; the data folder stays for a next start. */
  stop(): Promise<void>;
};

export const newDataDir = (): string => mkdtempSync(join(tmpdir(), "heliograph-bench-"));
export const removeDataDir = (dataDir: string): void =>
  rmSync(dataDir, { recursive: true, force: true });

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts `npm start`'s own entry on a data folder of its own and waits for `dev.json`. */
export async function startInstance(
  dataDir: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Instance> {
  const port = await freePort();
  const child = spawn(
    process.execPath,
    [
      ...(process.env["HELIOGRAPH_BENCH_NODE_ARGS"]?.split(" ") ?? []),
      "services/standalone/src/main.ts",
    ],
    {
      env: {
        ...process.env,
        HELIOGRAPH_DATA_DIR: dataDir,
        HELIOGRAPH_PORT: String(port),
        HELIOGRAPH_LOG_LEVEL: "warn",
        HELIOGRAPH_WEBHOOK_ALLOW_CIDRS: "127.0.0.0/8",
        ...env,
      },
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
  const deadline = Date.now() + 90_000;
  for (;;) {
    try {
      const instance = JSON.parse(readFileSync(join(dataDir, "dev.json"), "utf8")) as Omit<
        Instance,
        "host" | "port" | "dataDir" | "stop"
      >;
      if (instance.pid === child.pid)
        return { ...instance, host: "127.0.0.1", port, dataDir, stop: () => stopChild(child) };
    } catch {
      // Not written yet.
    }
    if (child.exitCode !== null) throw new Error(`the instance ended with ${child.exitCode}`);
    if (Date.now() > deadline) throw new Error("the instance was not ready after 90 s");
    await sleep(50);
  }
}

export function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.kill("SIGTERM");
  });
}
