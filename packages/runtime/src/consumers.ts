import { hostname } from "node:os";
import { failpoint, shardOf } from "@heliograph/contracts";
import { dueDeadLetters, resolveDeadLetter } from "./dead-letters.ts";
import { isMachinery, messageOf, pause } from "./faults.ts";
import { fixedShards, fixShards } from "./division.ts";
import { claimJob, finishJob, progressJob } from "./jobs.ts";
import { Leases } from "./lease.ts";
import { Fenced } from "./parts.ts";
import { newCareful, runReactor } from "./reactor-loop.ts";
import { rebuildProjector } from "./rebuild.ts";
import { renewTables } from "./renewal.ts";
import { runProjector, type Retry } from "./projector-loop.ts";
import { Groups, type Turn } from "./groups.ts";
import { prepareConsumer, prepareRuntime } from "./schema.ts";
import { sourceOf, unitsOf, type Unit } from "./source.ts";
import {
  consumerErrors,
  consumerFenced,
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
  let leaseLost = new AbortController();
  const leases = new Leases(context.connection, () => {
    leaseLost.abort();
    leaseLost = new AbortController();
  });
  await prepareRuntime(context.pool);
  if (context.feed !== undefined) await fixShards(context.pool, context.feed.shards);
  const shards = await fixedShards(context.pool);
  const units: Unit[] = [];
  for (const consumer of consumers) {
    // What is divided stays so; only a feed divides what is not.
    const wanted = context.feed === undefined ? undefined : shards;
    const divided = await prepareConsumer(context.pool, consumer, consumer.schema, wanted);
    units.push(...unitsOf(consumer, divided ? shards : undefined));
  }
  const statuses = units.map((unit) => newStatus(context.environment, unit));
  const retries = new Map<string, Retry[]>(units.map(({ name }) => [name, []]));
  const groups = new Groups(context.feed);

  const loops = units.map((unit, index) => keepRunning(unit, statuses[index]!));
  const housekeeping = consumers.length > 0 ? keepHouse() : Promise.resolve();

  async function keepRunning(unit: Unit, status: ConsumerStatus): Promise<void> {
    const { consumer } = unit;
    const careful = newCareful();
    let delayMs = 100;
    while (!stopping.signal.aborted) {
      const startedAt = performance.now();
      const lease = leaseLost.signal;
      let turn: Turn | undefined;
      try {
        // A shard may wait long for its turn; the others ask for their lease at once, and hear whether the database answers.
        if (status.state === "starting" || unit.shard !== undefined) status.state = "waiting";
        if (consumer.kind === "projector")
          await renewTables(
            context,
            consumer,
            stopping.signal,
            () => (status.state = "rebuilding"),
          );
        turn = await groups.turn(unit, stopping.signal);
        const waiting = AbortSignal.any([stopping.signal, turn.signal]);
        const ownership = await leases.acquire(unit.name, consumer.schema, waiting, (answered) => {
          status.state = answered ? "waiting" : "cut_off";
        });
        if (stopping.signal.aborted || ownership === undefined) {
          await giveUp(unit, turn);
          continue;
        }
        status.state = "running";
        const signal = AbortSignal.any([waiting, lease]);
        const queue = retries.get(unit.name)!;
        const source = sourceOf(context, unit, turn.join());
        await failpoint("runtime.owned");
        if (consumer.kind === "projector")
          await runProjector(consumer, context, ownership, status, signal, queue, source);
        else
          await runReactor(
            consumer,
            unit,
            context,
            ownership,
            status,
            signal,
            queue,
            careful,
            context.settings.shutdownMs / 2,
            source,
          );
      } catch (error) {
        if (error instanceof Fenced)
          consumerFenced.inc({ environment: context.environment, consumer: unit.name });
        else if (!stopping.signal.aborted) {
          status.lastError = messageOf(error);
          status.lastErrorAt = Date.now();
          consumerErrors.inc({ environment: context.environment, consumer: unit.name });
          context.logger.warn(
            {
              consumer: unit.name,
              environment: context.environment,
              error: messageOf(error),
              machinery: isMachinery(error),
            },
            "consumer restarts",
          );
        }
      }
      await giveUp(unit, turn);
      if (stopping.signal.aborted) break;
      if (performance.now() - startedAt > 30_000) delayMs = 100;
      // Giving a shard up to another process is not a failure.
      if (turn?.signal.aborted) continue;
      status.state = "backing_off";
      await pause(delayMs * (0.5 + Math.random()), stopping.signal);
      delayMs = Math.min(delayMs * 2, slowestRestartMs);
    }
    status.state = "stopped";
  }

  async function giveUp(unit: Unit, turn: Turn | undefined): Promise<void> {
    await turn?.end();
    await leases.release(unit.name);
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
        const before = seen.get(status.name) ?? { position: 0n, handled: 0 };
        if (
          updateWatch(context.log, status, before.position, before.handled, now - last, Date.now())
        )
          context.logger.error(
            {
              consumer: status.name,
              position: String(status.position),
              head: String(status.head),
            },
            "consumer is stalled",
          );
        seen.set(status.name, { position: status.position, handled: status.handled });
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
      const name = await ownerOf(letter.consumer, letter.position);
      const queue = retries.get(name);
      const status = statuses.find((item) => item.name === name);
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

  /** A consumer that has been divided since: the letter is for the shard of the event's partner. */
  async function ownerOf(consumer: string, position: bigint): Promise<string> {
    const unit = units.find((item) => item.consumer.name === consumer && item.shard !== undefined);
    if (unit?.shard === undefined) return consumer;
    const event = await context.log.readAt(position);
    return `${consumer}/${shardOf(event?.metadata.partner, unit.shard.count)}`;
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
      await groups.leave();
      await leases.close();
    },
  };
}
