import { execFile, spawn, type ChildProcess } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "../free-port.ts";
import { until } from "../until.ts";
import { kafkaJars } from "./jars.ts";

const run = promisify(execFile);
const startTimeoutMs = 60_000;

/** A broker of one's own: a real Apache Kafka on loopback, which may be killed, stopped and continued. */
export type KafkaBroker = {
  /** `127.0.0.1:port`, the same over restarts. */
  readonly brokers: readonly string[];
  readonly pid: number;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves when the process is gone. */
  stop(): Promise<void>;
  /** Starts it again on the same data and port, and waits until it answers. */
  start(): Promise<void>;
  /** SIGSTOP: the sockets stay open and nothing answers. */
  pause(): void;
  resume(): void;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
};

export type KafkaOptions = {
  /** Kept by `remove` when it is given. */
  readonly dataDir?: string;
  readonly port?: number;
  /** Lines for `server.properties` on top of, or instead of, the usual ones. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Environment variables of the process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Set when the process must outlive the one that starts it; its output goes to `broker.log` in the data folder. */
  readonly detached?: boolean;
};

const properties = (
  port: number,
  controller: number,
  logDir: string,
  own: Readonly<Record<string, string>>,
): string => {
  const all: Record<string, string> = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.bootstrap.servers": `127.0.0.1:${controller}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    "advertised.listeners": `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "log.dirs": logDir,
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "auto.create.topics.enable": "false",
    // A broker that was killed may register again once its old session is over.
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "300",
    // A group is judged by members that restart within seconds.
    "group.min.session.timeout.ms": "1000",
    ...own,
  };
  return Object.entries(all)
    .map(([name, value]) => `${name}=${value}\n`)
    .join("");
};

/**
 * Starts a broker. It ends with the process that started it, however that ends, unless `detached`.
 *
 * @throws Error when there is no Java or no way to the jars, or when it does not answer in time (with its last output).
 */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaBroker> {
  const classPath = join(await kafkaJars(), "*");
  const dataDir = options.dataDir ?? newFolder();
  const port = options.port ?? (await freePort());
  const config = join(dataDir, "server.properties");
  const logDir = join(dataDir, "logs");
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(config, properties(port, await freePort(), logDir, options.properties ?? {}));
  const tool = (...args: string[]): Promise<{ stdout: string }> =>
    run("java", ["-XX:TieredStopAtLevel=1", "-cp", classPath, "kafka.tools.StorageTool", ...args]);
  if (!existsSync(join(logDir, "meta.properties"))) {
    const { stdout } = await tool("random-uuid");
    await tool("format", "--standalone", "-t", stdout.trim(), "-c", config);
  }
  let broker = await launch();

  async function launch(): Promise<Running> {
    const started = spawnBroker(classPath, config, options);
    const exit = started.exited.then(() => {
      throw new Error(`the broker ended:\n${started.output()}`);
    });
    exit.catch(() => undefined);
    const ready = until(() => answers(port), {
      timeoutMs: startTimeoutMs,
      what: `a broker answers on port ${port}`,
    });
    await Promise.race([ready, exit]).catch(async (error: Error) => {
      started.signal("SIGKILL");
      throw new Error(`${error.message}\n${started.output()}`);
    });
    return started;
  }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    broker.signal("SIGCONT");
    broker.signal(signal);
    await broker.exited;
  };
  return {
    brokers: [`127.0.0.1:${port}`],
    get pid() {
      return broker.pid();
    },
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
    async start() {
      broker = await launch();
    },
    pause: () => broker.signal("SIGSTOP"),
    resume: () => broker.signal("SIGCONT"),
    async remove() {
      await end("SIGKILL");
      if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

const folderPrefix = join(tmpdir(), "heliograph-kafka-");

/** A folder for a broker of this process. Those of processes that were killed are removed: their brokers ended with them. */
function newFolder(): string {
  for (const name of readdirSync(tmpdir())) {
    const folder = join(tmpdir(), name);
    if (!folder.startsWith(folderPrefix)) continue;
    try {
      const owner = Number(readFileSync(join(folder, "owner"), "utf8"));
      if (owner > 0 && !existsProcess(owner)) rmSync(folder, { recursive: true, force: true });
    } catch {
      // Being made, or being removed by another run.
    }
  }
  const folder = mkdtempSync(folderPrefix);
  writeFileSync(join(folder, "owner"), String(process.pid));
  return folder;
}

function existsProcess(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

type Running = {
  pid(): number;
  signal(name: NodeJS.Signals): void;
  output(): string;
  readonly exited: Promise<void>;
};

/** A shell that waits for the end of its input holds the broker: when the process that has the other end dies, however it dies, the broker ends too. */
const guarded =
  'java "$@" </dev/null & child=$!; echo "pid $child"; (cat >/dev/null; kill -9 $child 2>/dev/null) <&3 & wait $child';

function spawnBroker(classPath: string, config: string, options: KafkaOptions): Running {
  const args = [
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-cp",
    classPath,
    "kafka.Kafka",
    config,
  ];
  const env = { ...process.env, ...options.env };
  const file = join(dirname(config), "broker.log");
  const child: ChildProcess = options.detached
    ? spawnDetached(file, args, env)
    : spawn("sh", ["-c", guarded, "sh", ...args], {
        env,
        stdio: ["ignore", "pipe", "pipe", "pipe"],
      });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream
      ?.setEncoding("utf8")
      .on("data", (text: string) => (output = (output + text).slice(-8_000)));
  let ended = false;
  const exited = new Promise<void>((resolve) =>
    child.once("exit", () => {
      ended = true;
      // The watcher in the shell waits for this end of its pipe.
      (child.stdio[3] as { destroy?(): void } | null | undefined)?.destroy?.();
      resolve();
    }),
  );
  if (options.detached) child.unref();
  let pid: number | undefined;
  const find = (): number => {
    pid ??= options.detached ? child.pid! : Number(/^pid (\d+)$/m.exec(output)?.[1] ?? Number.NaN);
    return pid;
  };
  child.stdout?.once("data", find);
  return {
    pid: find,
    signal(name) {
      if (ended || !Number.isInteger(find())) return;
      try {
        process.kill(find(), name);
      } catch {
        // It ended by itself.
      }
    },
    output: () => (options.detached ? readFileSync(file, "utf8").slice(-8_000) : output),
    exited,
  };
}

function spawnDetached(file: string, args: readonly string[], env: NodeJS.ProcessEnv) {
  const log = openSync(file, "w");
  try {
    return spawn("java", args, { env, detached: true, stdio: ["ignore", log, log] });
  } finally {
    closeSync(log);
  }
}

/** Whether something listens and answers an ApiVersions request, which a broker does as soon as it serves. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: "127.0.0.1", port });
    const finish = (value: boolean): void => {
      socket.destroy();
      resolve(value);
    };
    socket.setTimeout(1_000, () => finish(false));
    socket.once("error", () => finish(false));
    socket.once("data", () => finish(true));
    // Length, API key 18, version 0, correlation id 1, client id null.
    socket.once("connect", () => socket.write(Buffer.from("0000000a0012000000000001ffff", "hex")));
  });
}
