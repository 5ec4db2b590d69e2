import cluster, { type Worker } from "node:cluster";
import { newLogger, readSettings, tellWorkersMetrics, type Settings } from "@heliograph/runtime";
import type { Logger } from "pino";
import { closingMs, onShutdown, refuseToStart, refusedCode } from "./shutdown.ts";

/** A worker that ends by itself is replaced at once, and ever later while its successors end too; one that has lived so long is a fresh beginning. */
const firstPauseMs = 200;
const longestPauseMs = 30_000;
const soundAfterMs = 60_000;
/** Beyond what a worker has for its own end. */
const graceMs = 1_000;

/**
 * Runs a service in as many processes as `HELIOGRAPH_WORKERS` says, behind the one port on which they listen: connections go to them in turn. This process only hands them out,
 * replaces a worker that ends, and passes SIGTERM on; it ends with the highest exit code of its workers. With one worker the service runs in this process.
 */
export async function inWorkers(run: () => Promise<void>): Promise<void> {
  if (cluster.isWorker) return run();
  const settings = settingsOrExit();
  if (settings.workers === 1) return run();
  new Workers(settings, newLogger(settings.logLevel, { service: "workers" })).start();
}

function settingsOrExit(): Settings {
  try {
    return readSettings();
  } catch (error) {
    return refuseToStart(error);
  }
}

class Workers {
  readonly #settings: Settings;
  readonly #logger: Logger;
  readonly #ended = new Map<Worker, Promise<number>>();
  #isStopping = false;
  /** Whether any has ever listened: what a worker refuses before is wrong for all of them. */
  #hasServed = false;
  #pauseMs = firstPauseMs;

  constructor(settings: Settings, logger: Logger) {
    this.#settings = settings;
    this.#logger = logger;
  }

  start(): void {
    const { workers, shutdownMs } = this.#settings;
    tellWorkersMetrics();
    cluster.on("listening", ({ id, process: { pid } }, { port }) => {
      this.#hasServed = true;
      this.#logger.info({ worker: id, pid, port }, "a worker is listening");
    });
    for (let count = 0; count < workers; count++) this.#fork();
    onShutdown(this.#logger, shutdownMs + closingMs + graceMs, () => this.#stop());
  }

  #fork(): void {
    const worker = cluster.fork();
    const began = performance.now();
    const ended = new Promise<number>((resolve) => {
      worker.once("exit", (code, signal) => {
        this.#ended.delete(worker);
        resolve(code ?? 1);
        if (!this.#isStopping) this.#replace(worker, code, signal, performance.now() - began);
      });
    });
    this.#ended.set(worker, ended);
  }

  #replace({ id }: Worker, code: number, signal: string, livedMs: number): void {
    if (code === refusedCode && !this.#hasServed) return void this.#giveUp();
    if (livedMs >= soundAfterMs) this.#pauseMs = firstPauseMs;
    const pauseMs = this.#pauseMs;
    this.#pauseMs = Math.min(longestPauseMs, 2 * pauseMs);
    this.#logger.error({ worker: id, code, signal, pauseMs }, "a worker ended and is replaced");
    setTimeout(() => !this.#isStopping && this.#fork(), pauseMs);
  }

  /** What is wrong has been said by the worker that refused. */
  async #giveUp(): Promise<void> {
    await this.#stop().catch(() => undefined);
    process.exit(refusedCode);
  }

  async #stop(): Promise<void> {
    this.#isStopping = true;
    // Not `worker.kill`, which would cut its channel, by which it hears of the connections that it has to end.
    for (const worker of this.#ended.keys()) worker.process.kill("SIGTERM");
    const codes = await Promise.all(this.#ended.values());
    const failed = codes.filter((code) => code !== 0).length;
    if (failed > 0) throw new Error(`${failed} of ${codes.length} workers did not end in order`);
  }
}
