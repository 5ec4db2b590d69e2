import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "../free-port.ts";
import { until } from "../until.ts";
import { spawnBroker, type Running } from "./broker-process.ts";
import { newFolder } from "./folder.ts";
import { kafkaJars } from "./jars.ts";
import { javaArguments, keepArchive } from "./java.ts";
import { properties } from "./properties.ts";

const run = promisify(execFile);
const usualStartMs = 60_000;

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
  /** A second way in, for clients that come through a `networkLink`: the broker listens on `port` and sends those who ask there on to `advertised`, the link's port. */
  readonly behindLink?: { readonly port: number; readonly advertised: number };
  /** Lines for `server.properties` on top of, or instead of, the usual ones. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Environment variables of the process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Of the cluster that it is to be a member of, whose voters are in `properties`; without it the broker is a cluster of its own. */
  readonly clusterId?: string;
  /** Within which it has to answer, default a minute. */
  readonly startMs?: number;
  /** Set when the process must outlive the one that starts it; its output goes to `broker.log` in the data folder. */
  readonly detached?: boolean;
};

/**
 * Starts a broker. It ends with the process that started it, however that ends, unless `detached`.
 *
 * @throws Error when there is no Java or no way to the jars, or when it does not answer in time (with its last output).
 */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaBroker> {
  const jars = await kafkaJars();
  const dataDir = options.dataDir ?? newFolder();
  const port = options.port ?? (await freePort());
  const config = join(dataDir, "server.properties");
  const logDir = join(dataDir, "logs");
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(
    config,
    properties(port, await freePort(), logDir, options.behindLink, options.properties ?? {}),
  );
  if (!existsSync(join(logDir, "meta.properties"))) {
    const { clusterId } = options;
    const format = ["kafka.tools.StorageTool", "format", "-t", clusterId ?? newClusterId()];
    // Voters that are written down need no first one.
    const alone = clusterId === undefined ? ["--standalone"] : [];
    await run("java", [...javaArguments(jars), ...format, ...alone, "-c", config]);
  }
  await keepArchive(jars, async (args) => {
    const first = await launch(args);
    first.signal("SIGTERM");
    await first.exited;
  });
  let broker = await launch();

  async function launch(args = javaArguments(jars)): Promise<Running> {
    // Another broker there would be taken for this one.
    if (await answers(port)) throw new Error(`another broker answers on port ${port}`);
    const started = spawnBroker(args, config, options);
    const exit = started.exited.then(() => {
      const output = started.output() || "without a word; is its data or its port in use?";
      throw new Error(`the broker ended: ${output}`);
    });
    exit.catch(() => undefined);
    const ready = until(() => answers(port), {
      timeoutMs: options.startMs ?? usualStartMs,
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

/** 16 bytes in 22 characters, of which the first is a letter: a minus there would be an option. */
export function newClusterId(): string {
  const bytes = randomBytes(16);
  bytes[0]! &= 0x7f;
  return bytes.toString("base64url");
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
