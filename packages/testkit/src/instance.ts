import { spawn, type ChildProcess } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { destroyEmbeddedPostgres } from "@heliograph/embedded-postgres";
import { nodeOptions } from "@heliograph/runtime/node-options";
import { noteInstance } from "./api-client.ts";
import { bundlePrograms } from "./bundled-programs.ts";
import { giveFirstCluster, giveFirstFolder, isPlain, madeOnce } from "./first-start.ts";
import { freePort } from "./free-port.ts";
import { memoryFolder } from "./memory-folder.ts";
import { madeProgram, madePrograms } from "./made-program.ts";
import type { Exit } from "./spawn-service.ts";
import { until } from "./until.ts";

/** What `dev.json` holds where there is a demo partner, which tests always ask for. */
export type InstanceFile = {
  readonly baseUrl: string;
  readonly consoleUrl: string;
  readonly sandboxKey: string;
  readonly liveKey: string;
  readonly adminKey: string;
  readonly agent: { readonly email: string; readonly password: string };
  readonly operator: { readonly email: string; readonly password: string };
  readonly databaseUrl: string;
  readonly pid: number;
};

/** The whole product as one process on a data folder, as `npm start` runs it. */
export type Instance = InstanceFile & {
  readonly port: number;
  /** Standard output and error, the last megabyte. */
  output(): string;
  /** SIGTERM; resolves when the process has ended (after 40 s by SIGKILL). */
  stop(): Promise<Exit>;
  kill(signal: NodeJS.Signals): void;
  /** Kills the process and its PostgreSQL, postmaster and backends, at one moment: as if the machine had been switched off, but for the disk. */
  killAll(): Promise<void>;
  readonly exited: Promise<Exit>;
};

export type InstanceOptions = {
  readonly dataDir: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Without it a free one. */
  readonly port?: number;
  readonly readyTimeoutMs?: number;
  /** The `main.ts` of the standalone service in another checkout; without it this one's, in a run of the tests as one file. */
  readonly entry?: string;
  /** What this checkout's product finds in an empty folder: `nothing`; a `cluster` of the run; or, where its settings do not say what a first start writes, all that a first start left. */
  readonly finds?: "nothing" | "cluster";
};

const ownEntry = fileURLToPath(
  new URL("../../../services/standalone/src/main.ts", import.meta.url),
);
const maxOutputChars = 1024 * 1024;
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** An empty data folder that the account of the database server can enter; `removeDataDir` ends what still runs on it. */
export function newDataDir(folder = memoryFolder()): string {
  const dataDir = mkdtempSync(join(folder, "heliograph-instance-"));
  chmodSync(dataDir, 0o711);
  return dataDir;
}

export async function removeDataDir(dataDir: string): Promise<void> {
  await destroyEmbeddedPostgres(join(dataDir, "postgres"));
  rmSync(dataDir, { recursive: true, force: true });
}

/** Large pages take a tenth off what a process does for long, and 60 ms to fill: of tests, which start many for short, that is more. */
const startOptions = (): readonly string[] =>
  process.env["VITEST"] === undefined
    ? nodeOptions
    : nodeOptions.filter((option) => !option.startsWith("--use-largepages"));

/** Starts the process without waiting for it to be ready. */
export async function launchInstance(options: InstanceOptions): Promise<{
  readonly port: number;
  readonly pid: number;
  output(): string;
  kill(signal: NodeJS.Signals): void;
  readonly exited: Promise<Exit>;
}> {
  const port = options.port ?? (await freePort());
  const entry = options.entry ?? (await ownProduct());
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(VITEST|NODE_OPTIONS|NODE_ENV|TEST$|DEV$|HELIOGRAPH_)/.test(name),
  );
  const child = spawn(process.execPath, [...startOptions(), entry], {
    env: {
      ...Object.fromEntries(inherited),
      HELIOGRAPH_DATA_DIR: options.dataDir,
      HELIOGRAPH_PORT: String(port),
      HELIOGRAPH_LOG_LEVEL: "warn",
      HELIOGRAPH_DEMO: "on",
      ...options.env,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let output = "";
  const collect = (text: string): void => void (output = (output + text).slice(-maxOutputChars));
  child.stdout.setEncoding("utf8").on("data", collect);
  child.stderr.setEncoding("utf8").on("data", collect);
  const exited = new Promise<Exit>((resolve) => {
    child.once("exit", (code, signal) => {
      running.delete(child);
      resolve({ code, signal });
    });
  });
  return {
    port,
    pid: child.pid ?? -1,
    output: () => output,
    kill: (signal) => void child.kill(signal),
    exited,
  };
}

/** Starts the product and waits until `dev.json` is written by it. Throws with its output when it ends before. */
export async function startInstance(options: InstanceOptions): Promise<Instance> {
  await prepare(options);
  const process = await launchInstance(options);
  let exit: Exit | undefined;
  void process.exited.then((value) => (exit = value));
  const file = await until(
    () => {
      if (exit !== undefined) return "ended";
      const found = readInstance(options.dataDir);
      return found?.pid === process.pid && found;
    },
    { timeoutMs: options.readyTimeoutMs ?? 60_000, what: "dev.json is written" },
  ).catch((error: Error) => {
    process.kill("SIGKILL");
    throw new Error(`${error.message}; it printed:\n${process.output()}`);
  });
  if (file === "ended")
    throw new Error(`the instance ended (${JSON.stringify(exit)}):\n${process.output()}`);
  noteInstance(file.baseUrl, options.entry === undefined);
  return {
    ...file,
    port: process.port,
    output: process.output,
    kill: process.kill,
    exited: process.exited,
    async stop() {
      process.kill("SIGTERM");
      const timer = setTimeout(() => process.kill("SIGKILL"), 40_000);
      return process.exited.finally(() => clearTimeout(timer));
    },
    async killAll() {
      const pids = postgresProcesses(options.dataDir);
      process.kill("SIGKILL");
      for (const pid of pids) kill(pid);
      await process.exited;
      await until(() => pids.every(isDead), { what: "PostgreSQL is gone" });
    },
  };
}

/** Makes what the instances of a run begin on: within the time of a test that would take much of it, and all others would wait. */
export async function prepareInstances(): Promise<void> {
  const dataDir = newDataDir();
  try {
    await prepare({ dataDir });
  } finally {
    await removeDataDir(dataDir);
  }
}

async function ownProduct(): Promise<string> {
  await madeOnce(madePrograms, async (making) => {
    symlinkSync(await bundlePrograms(), join(making, "folder"));
  });
  return madeProgram(ownEntry);
}

async function prepare({ dataDir, env, entry, finds }: InstanceOptions): Promise<void> {
  if (entry !== undefined || finds === "nothing" || env?.["HELIOGRAPH_DATABASE_URL"]) return;
  if (finds === "cluster" || !isPlain(env)) return giveFirstCluster(dataDir);
  return giveFirstFolder(dataDir, async (making) => {
    const first = await startInstance({ dataDir: making, finds: "cluster" });
    await first.stop();
  });
}

export function readInstance(dataDir: string): InstanceFile | undefined {
  try {
    return JSON.parse(readFileSync(join(dataDir, "dev.json"), "utf8")) as InstanceFile;
  } catch {
    return undefined;
  }
}

/** The postmaster of a data folder and its children, the postmaster first; empty when none runs. */
export function postgresProcesses(dataDir: string): readonly number[] {
  const pointer = join(dataDir, "postgres", "cluster-location");
  const cluster = existsSync(pointer)
    ? readFileSync(pointer, "utf8").trim()
    : join(dataDir, "postgres", "cluster");
  let postmaster: number;
  try {
    postmaster = Number(readFileSync(join(cluster, "postmaster.pid"), "utf8").split("\n")[0]);
  } catch {
    return [];
  }
  if (!existsSync(`/proc/${postmaster}`)) return [];
  const children = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  return [postmaster, ...children.filter((pid) => parentOf(pid) === postmaster)];
}

const parentOf = (pid: number): number => Number(statOf(pid)?.[1]);

/** One that nobody has waited for is dead too: in a container without an init it stays a zombie. */
function isDead(pid: number): boolean {
  const state = statOf(pid)?.[0];
  return state === undefined || state === "Z" || state === "X";
}

/** The fields of /proc/<pid>/stat from the state on: state, parent, …; undefined when there is no such process. */
function statOf(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself when the postmaster did.
  }
}
