import { execFileSync, spawn, spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { onTestFinished } from "vitest";
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  destroyEmbeddedPostgres,
  startEmbeddedPostgres,
} from "../src/index.ts";

const ownSource = fileURLToPath(new URL("../src/index.ts", import.meta.url));

/** Small, so that several servers fit beside the run's own. */
export const settings = { shared_buffers: "16MB", max_connections: "20" };

/** A data folder that does not exist yet, destroyed with its server when the test ends. */
export function emptyFolder({ mode = 0o711 } = {}): string {
  const parent = mkdtempSync(join(tmpdir(), "heliograph-embedded-"));
  chmodSync(parent, mode);
  const dataDir = join(parent, "data");
  onTestFinished(async () => {
    await destroyEmbeddedPostgres(dataDir);
    rmSync(parent, { recursive: true, force: true });
  });
  return dataDir;
}

let seed: Promise<string> | undefined;

/** A data folder with a cluster that was started and stopped before: a copy takes a tenth of the time of initdb. */
export async function dataFolder(): Promise<string> {
  const dataDir = emptyFolder();
  execFileSync("cp", ["-a", await (seed ??= makeSeed()), dataDir]);
  return dataDir;
}

async function makeSeed(): Promise<string> {
  const parent = mkdtempSync(join(tmpdir(), "heliograph-embedded-"));
  chmodSync(parent, 0o711);
  const dataDir = join(parent, "data");
  await (await startEmbeddedPostgres({ dataDir, settings, fsync: false })).stop();
  return dataDir;
}

/** For the `afterAll` of a file that asks for data folders: this module is loaded once for several files. */
export async function removeSeed(): Promise<void> {
  const made = await seed;
  seed = undefined;
  if (made) rmSync(dirname(made), { recursive: true, force: true });
}

/** Starts a server in this process; stopped when the test ends, also when it fails. */
export async function start(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({
    ...options,
    settings: { ...settings, ...options.settings },
  });
  onTestFinished(() => server.stop());
  return server;
}

export async function query(config: pg.ClientConfig | string, text: string): Promise<unknown[][]> {
  const client = new pg.Client(config);
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query({ text, rowMode: "array" })).rows;
  } finally {
    await client.end();
  }
}

export type Owner = {
  server: { pid: number; config: pg.PoolConfig; adopted: boolean };
  kill(): Promise<void>;
};

type OwnerOptions = {
  source?: string;
  uid?: number;
  /** The command that starts the process, where it is not started directly. */
  within?: readonly string[];
};

/** Its first process is the owner, and everything in it dies with it: a container as its engine starts one. */
export const container = ["unshare", "--pid", "--fork", "--mount-proc", "--ipc", "--kill-child"];

/** Why there are no containers here, undefined when there are. */
export const noContainers: string | undefined = (() => {
  const { status, stderr } = spawnSync(container[0]!, [...container.slice(1), "true"], {
    encoding: "utf8",
  });
  return status === 0 ? undefined : `unshare makes no namespaces here: ${stderr}`;
})();

/** Starts the server from another process, of another user if asked, which holds it until it is killed. */
export function startOwner(
  dataDir: string,
  { source = ownSource, uid, within = [] }: OwnerOptions = {},
): { ready: Promise<Owner>; kill(): Promise<void> } {
  const program = `
    const { startEmbeddedPostgres } = await import(${JSON.stringify(source)});
    const options = { dataDir: ${JSON.stringify(dataDir)}, settings: ${JSON.stringify(settings)} };
    const { pid, config, adopted } = await startEmbeddedPostgres(options);
    console.log(JSON.stringify({ pid, config, adopted }));
    setInterval(() => {}, 1000);`;
  const [command, ...rest] = [...within, process.execPath, "--input-type=module", "-e", program];
  const child = spawn(command, rest, {
    cwd: "/",
    stdio: ["ignore", "pipe", "pipe"],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  const closed = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const kill = async () => {
    child.kill("SIGKILL");
    await closed;
  };
  onTestFinished(kill);
  const ready = new Promise<Owner>((resolve, reject) => {
    let [output, errors] = ["", ""];
    child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
      if (output.endsWith("\n")) resolve({ server: JSON.parse(output), kill });
    });
    void closed.then(() => reject(new Error(`the owner ended: ${errors}`)));
  });
  ready.catch(() => {});
  return { ready, kill };
}
