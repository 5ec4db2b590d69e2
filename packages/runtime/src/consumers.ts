import { hostname } from "node:os";
import { failpoint } from "@heliograph/contracts";
import { dueDeadLetters, resolveDeadLetter } from "./dead-letters.ts";
import { isMachinery, messageOf, pause } from "./faults.ts";
import { claimJob, finishJob, progressJob } from "./jobs.ts";
import { Leases } from "./lease.ts";
import { Fenced } from "./parts.ts";
import { newCareful, runReactor } from "./reactor-loop.ts";
import { rebuildProjector } from "./rebuild.ts";
import { runProjector, type Retry } from "./projector-loop.ts";
import { prepareConsumer, prepareRuntime } from "./schema.ts";
import {
  consumerErrors,
  heartbeat,
  newStatus,
  updateWatch,
  type ConsumerStatus,
} from "./status.ts";
import type { Consumer, ServiceContext } from "./types.ts";

const heartbeatMs = 1_000;
const slowestRestartMs = 10_000;

export type RunningConsumers = {
  readonly statuses: readonly ConsumerStatus[];
  /** Stops reading, lets reactors finish what is in flight within the time, gives the leases back. */
  stop(): Promise<void>;
};

/** Runs consumers of one environment: each as soon as this process owns it, restarted with back-off when a store or the log is away. */
export async function startConsumers(
  context: ServiceContext,
  consumers: readonly Consumer[],
): Promise<RunningConsumers> {
  const stopping = new AbortController();
  const statuses = consumers.map((consumer) => newStatus(context.environment, consumer));
  const retries = new Map<string, Retry[]>(consumers.map((consumer) => [consumer.name, []]));
  let leaseLost = new AbortController();
  const leases = new Leases(context.connection, () => {
    leaseLost.abort();
    leaseLost = new AbortController();
  });
  await prepareRuntime(context.pool);
  for (const consumer of consumers) await prepareConsumer(context.pool, consumer);

  const loops = consumers.map((consumer, index) => keepRunning(consumer, statuses[index]!));
  const housekeeping = consumers.length > 0 ? keepHouse() : Promise.resolve();

  async function keepRunning(consumer: Consumer, status: ConsumerStatus): Promise<void> {
    const careful = newCareful();
    let delayMs = 100;
    while (!stopping.signal.aborted) {
      const startedAt = performance.now();
      const lease = leaseLost.signal;
      try {
        status.state = "waiting";
        const ownership = await leases.acquire(consumer.name, consumer.schema, stopping.signal);
        if (ownership === undefined) break;
        status.state = "running";
        const signal = AbortSignal.any([stopping.signal, lease]);
        const queue = retries.get(consumer.name)!;
        await failpoint("runtime.owned");
        if (consumer.kind === "projector")
          await runProjector(consumer, context, ownership, status, signal, queue);
        else
          await runReactor(
            consumer,
            context,
            ownership,
            status,
            signal,
            queue,
            careful,
            context.settings.shutdownMs / 2,
          );
      } catch (error) {
        if (stopping.signal.aborted) break;
        if (!(error instanceof Fenced)) {
          status.lastError = messageOf(error);
          status.lastErrorAt = Date.now();
          consumerErrors.inc({ environment: context.environment, consumer: consumer.name });
          context.logger.warn(
            {
              consumer: consumer.name,
              environment: context.environment,
              error: messageOf(error),
              machinery: isMachinery(error),
            },
            "consumer restarts",
          );
        }
      }
      await leases.release(consumer.name);
      if (stopping.signal.aborted) break;
      if (performance.now() - startedAt > 30_000) delayMs = 100;
      status.state = "backing_off";
      await pause(delayMs * (0.5 + Math.random()), stopping.signal);
      delayMs = Math.min(delayMs * 2, slowestRestartMs);
    }
    status.state = "stopped";
  }

  /** One loop per process and environment: heartbeat and watchdog, dead letters to retry, rebuild jobs. */
  async function keepHouse(): Promise<void> {
    const owner = `${hostname()}/${process.pid}`;
    const seen = new Map<string, { position: bigint; handled: number }>();
    let last = performance.now();
    let rounds = 0;
    // A rebuild takes minutes, and a holder whose heartbeat stops is taken for dead: the house is kept meanwhile.
    let job: Promise<void> | undefined;
    while (!stopping.signal.aborted) {
      await pause(heartbeatMs, stopping.signal);
      const now = performance.now();
      for (const status of statuses) {
        const before = seen.get(status.consumer.name) ?? { position: 0n, handled: 0 };
        if (updateWatch(status, before.position, before.handled, now - last, Date.now()))
          context.logger.error(
            {
              consumer: status.consumer.name,
              position: String(status.position),
              head: String(status.head),
            },
            "consumer is stalled",
          );
        seen.set(status.consumer.name, { position: status.position, handled: status.handled });
      }
      last = now;
      try {
        await heartbeat(context.projectionPool, owner, statuses);
        if (rounds++ % 2 === 0) await handOutRetries();
        job ??= runJobs()
          .catch(housekeepingFailed)
          .finally(() => (job = undefined));
      } catch (error) {
        housekeepingFailed(error);
      }
    }
    await job;
  }

  function housekeepingFailed(error: unknown): void {
    if (!isMachinery(error))
      context.logger.warn({ error: messageOf(error) }, "housekeeping failed");
  }

  async function handOutRetries(): Promise<void> {
    for (const letter of await dueDeadLetters(context.pool)) {
      const queue = retries.get(letter.consumer);
      const status = statuses.find((item) => item.consumer.name === letter.consumer);
      if (
        !queue ||
        status?.state !== "running" ||
        queue.some((item) => item.position === letter.position)
      )
        continue;
      queue.push({
        position: letter.position,
        done: (error) => {
          const settled =
            error === undefined
              ? resolveDeadLetter(context.pool, letter.id)
              : context.pool.query(
                  "update runtime.dead_letters set status = 'open', attempts = attempts + 1, reason = $2, updated_at = now() where id = $1",
                  [letter.id, messageOf(error)],
                );
          Promise.resolve(settled).catch(() => undefined);
        },
      });
    }
  }

  async function runJobs(): Promise<void> {
    const names = consumers
      .filter((consumer) => consumer.kind === "projector")
      .map((consumer) => consumer.name);
    const job = await claimJob(context.pool, names);
    const projector = consumers.find((consumer) => consumer.name === job?.consumer);
    if (!job || projector?.kind !== "projector") return;
    try {
      const result = await rebuildProjector(context, projector, {
        verifyOnly: job.verifyOnly,
        signal: stopping.signal,
        onProgress: (processed, total) =>
          void progressJob(context.pool, job.id, processed, total).catch(() => undefined),
      });
      await finishJob(context.pool, job.id, result);
    } catch (error) {
      await finishJob(context.pool, job.id, undefined, messageOf(error));
    }
  }

  return {
    statuses,
    async stop() {
      stopping.abort();
      await Promise.all([...loops, housekeeping]);
      await leases.close();
    },
  };
}
