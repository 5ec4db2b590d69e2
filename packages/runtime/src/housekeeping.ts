import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { shardOf } from "@heliograph/contracts";
import { isMachinery, messageOf, pause } from "./faults.ts";
import { rebuildProjector } from "./rebuild.ts";
import { rebuildTogether, type Together } from "./rebuild-together.ts";
import { showDeadLetters, updateWatch } from "./status.ts";
import { forgetRetired, heartbeat, markKnown } from "./tables/consumers.ts";
import {
  countDeadLetters,
  dueDeadLetters,
  reopenDeadLetter,
  resolveDeadLetter,
} from "./tables/dead-letters.ts";
import { rebuildJobs, renewJobs } from "./tables/jobs.ts";
import type { Consumer, Projector, ServiceContext } from "./types.ts";
import type { UnitLoop } from "./unit-loop.ts";

const heartbeatMs = 1_000;
/** What nobody waits for is done at the first of so many heartbeats. */
const rarely = 60;
/** Another process takes a job for a dead one's after a minute without a sign of life. */
const renewAtRounds = 5;

/** One loop per process and environment: heartbeat and watchdog, dead letters to retry, rebuild jobs. */
export class Housekeeping {
  readonly #context: ServiceContext;
  readonly #consumers: readonly Consumer[];
  readonly #loops: readonly UnitLoop[];
  readonly #stopping: AbortSignal;
  readonly #owner = randomUUID();
  /** Rebuilds under way, by the ids of their jobs. */
  readonly #jobs = new Set<string>();
  readonly #seen = new Map<string, { position: bigint; handled: number }>();

  constructor(
    context: ServiceContext,
    consumers: readonly Consumer[],
    loops: readonly UnitLoop[],
    stopping: AbortSignal,
  ) {
    this.#context = context;
    this.#consumers = consumers;
    this.#loops = loops;
    this.#stopping = stopping;
  }

  async run(): Promise<void> {
    const owner = `${hostname()}/${process.pid}`;
    const statuses = this.#loops.map(({ status }) => status);
    let last = performance.now();
    let rounds = 0;
    // A rebuild takes minutes, and a holder whose heartbeat stops is taken for dead: the house is kept meanwhile.
    let job: Promise<void> | undefined;
    while (!this.#stopping.aborted) {
      await pause(heartbeatMs, this.#stopping);
      const now = performance.now();
      this.#watch(now - last);
      last = now;
      try {
        await heartbeat(this.#context.projectionPool, owner, statuses);
        if (rounds % 2 === 0) await this.#handOutRetries();
        if (rounds % renewAtRounds === 0 && this.#jobs.size > 0)
          await renewJobs(
            this.#context.projectionPool,
            [...this.#jobs],
            this.#consumers.map(({ name }) => name),
          );
        if (rounds++ % rarely === 0) await this.#tidy();
        job ??= this.#runJobs()
          .catch(this.#failed)
          .finally(() => (job = undefined));
      } catch (error) {
        this.#failed(error);
      }
    }
    await job;
  }

  async #tidy(): Promise<void> {
    const { environment, shownAs, logger, pool, projectionPool } = this.#context;
    const names = this.#loops.map(({ status }) => status.name);
    await markKnown(projectionPool, names);
    const retired = await forgetRetired(projectionPool);
    if (retired.length > 0) logger.info({ retired }, "consumers that nobody runs left the list");
    showDeadLetters(shownAs ?? environment, await countDeadLetters(pool));
  }

  #watch(elapsedMs: number): void {
    const { log, logger } = this.#context;
    for (const { status } of this.#loops) {
      const { name, position, head } = status;
      const before = this.#seen.get(name) ?? { position: 0n, handled: 0 };
      const stalled = updateWatch(
        log,
        status,
        before.position,
        before.handled,
        elapsedMs,
        Date.now(),
      );
      if (stalled)
        logger.error(
          { consumer: name, position: String(position), head: String(head) },
          "consumer is stalled",
        );
      this.#seen.set(name, { position, handled: status.handled });
    }
  }

  readonly #failed = (error: unknown): void => {
    if (!isMachinery(error))
      this.#context.logger.warn({ error: messageOf(error) }, "housekeeping failed");
  };

  async #handOutRetries(): Promise<void> {
    const { pool } = this.#context;
    for (const { id, consumer, position } of await dueDeadLetters(pool)) {
      const name = await this.#ownerOf(consumer, position);
      const loop = this.#loops.find(({ unit }) => unit.name === name);
      if (loop?.status.state !== "running") continue;
      if (loop.retries.some((item) => item.position === position)) continue;
      const done = (error?: unknown): void => {
        const settled =
          error === undefined
            ? resolveDeadLetter(pool, id)
            : reopenDeadLetter(pool, id, messageOf(error));
        Promise.resolve(settled).catch(() => undefined);
      };
      loop.retries.push({ position, done });
    }
  }

  /** A consumer that has been divided since: the letter is for the shard of the event's partner. */
  async #ownerOf(consumer: string, position: bigint): Promise<string> {
    const shards = this.#loops.find(
      ({ unit }) => unit.consumer.name === consumer && unit.shard !== undefined,
    )?.unit.shard;
    if (shards === undefined) return consumer;
    const event = await this.#context.log.readAt(position);
    return `${consumer}/${shardOf(event?.metadata.partner, shards.count)}`;
  }

  /** All jobs that wait, at once, so that the log is read once for them. */
  async #runJobs(): Promise<void> {
    const { pool } = this.#context;
    const jobs = new Map<Projector, string>();
    const verified = new Set<Projector>();
    for (;;) {
      const idle = this.#consumers.filter(
        (consumer): consumer is Projector => consumer.kind === "projector" && !jobs.has(consumer),
      );
      const names = idle.map(({ name }) => name);
      const job = await rebuildJobs.claim(pool, this.#owner, names);
      const projector = idle.find(({ name }) => name === job?.consumer);
      if (!job || projector === undefined) break;
      jobs.set(projector, job.id);
      if (job.verify_only) verified.add(projector);
      this.#jobs.add(job.id);
    }
    await rebuildTogether(this.#context, [...jobs.keys()], (projector, together) =>
      this.#rebuild(jobs.get(projector)!, projector, verified.has(projector), together),
    );
  }

  /** One that this process cannot end, since it stops itself, is begun again by the next one. */
  async #rebuild(
    id: string,
    projector: Projector,
    verifyOnly: boolean,
    { context, inTurn }: Together,
  ): Promise<void> {
    const { pool } = this.#context;
    const canceled = new AbortController();
    let isSettled = false;
    const note: (...kept: Readonly<Record<string, unknown>>[]) => Promise<void> = async (kept) => {
      if (!(await rebuildJobs.note(pool, id, this.#owner, kept))) canceled.abort();
    };
    try {
      const result = await rebuildProjector(context, projector, {
        verifyOnly,
        // Nothing takes the place of what is served for somebody who has canceled it.
        inTurn: (work) => inTurn(() => note().then(work)),
        // With the swap, so that what is canceled is never served and what is served never canceled.
        settle: async (client, swapped) => {
          isSettled =
            (await rebuildJobs.note(client, id, this.#owner, {
              result: JSON.stringify(swapped),
            })) && (await rebuildJobs.finish(client, id, this.#owner, { complete: true }));
          return isSettled;
        },
        signal: AbortSignal.any([this.#stopping, canceled.signal]),
        onProgress: (processed, total) => void note({ processed, total }).catch(() => undefined),
      });
      if (isSettled) return;
      await note({ result: JSON.stringify(result) });
      await rebuildJobs.finish(pool, id, this.#owner, { complete: true });
    } catch (error) {
      if (this.#stopping.aborted) await rebuildJobs.giveBack(pool, id, this.#owner, 0);
      else await rebuildJobs.finish(pool, id, this.#owner, { error: messageOf(error) });
    } finally {
      this.#jobs.delete(id);
      // Its tables are gone by now: another may be begun.
      await rebuildJobs.letGo(pool, id, this.#owner).catch(this.#failed);
    }
  }
}
