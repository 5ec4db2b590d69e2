import { failpoint } from "@heliograph/contracts";
import { untilBack } from "@heliograph/log";
import { Careful } from "./careful.ts";
import { isMachinery, messageOf, pause } from "./faults.ts";
import type { Groups, Turn } from "./groups.ts";
import type { Leases } from "./lease.ts";
import { runProjector, type Retry } from "./projector-loop.ts";
import { runReactor } from "./reactor-loop.ts";
import { renewTables } from "./renewal.ts";
import { sourceOf, type Unit } from "./source.ts";
import { consumerErrors, consumerFenced, type ConsumerStatus } from "./status.ts";
import { Fenced } from "./tables/parts.ts";
import type { ServiceContext } from "./types.ts";

const firstRestartMs = 100;
const slowestRestartMs = 10_000;
/** After what passes by itself: a database or broker that is back is found soon. */
const slowestReturnMs = 2_000;
/** Where the database is known to be away its return ends the pause; should nobody of this process have asked for it, this does. */
const longestAwayMs = 5_000;
/** An owner that ran so long had recovered: its next failure is a new one. */
const soundAfterMs = 30_000;

/** The wait before the next start, of what a failure after another asks for. */
export const restartMs = (wantedMs: number, passes: boolean): number =>
  Math.min(wantedMs, passes ? slowestReturnMs : slowestRestartMs);

/** What the loops of one environment share. */
export type Shared = {
  readonly context: ServiceContext;
  readonly leases: Leases;
  readonly groups: Groups;
  readonly stopping: AbortSignal;
  /** Ends when the session that holds the leases is lost; another signal takes its place. */
  leaseSignal(): AbortSignal;
};

/**
 * A consumer, or one shard of it, in this process from its start to the end of the process:
 *
 *     starting ──▶ (rebuilding) ──▶ waiting ⇄ cut_off ──▶ running ──▶ backing_off ──▶ waiting …
 *                                      └────────────────────┴──▶ stopped
 *
 * `rebuilding` while a projector's tables are made anew for this release. `waiting` for its turn in the feed's group and for the lease, which another copy holds;
 * `cut_off` when the database does not even answer that. `running` as the owner: from the epoch that the lease gave it, until the signal ends, the session
 * with the lease is lost, the group takes the shard away, another owner fences it, or something breaks. After a failure it backs off, 100 ms to 10 s, or to 2 s where that passes by itself, and asks for
 * the lease again, at once where it waited for the database and that is back; where a shard was taken away it waits for its next turn at once.
 */
export class UnitLoop {
  readonly unit: Unit;
  readonly status: ConsumerStatus;
  /** Dead letters that an operator wants tried again. */
  readonly retries: Retry[] = [];
  readonly #shared: Shared;
  readonly #careful = new Careful();
  #delayMs = firstRestartMs;

  constructor(unit: Unit, status: ConsumerStatus, shared: Shared) {
    this.unit = unit;
    this.status = status;
    this.#shared = shared;
  }

  /** Resolves when the process stops and what was in flight is drained. */
  async run(): Promise<void> {
    const { stopping } = this.#shared;
    while (!stopping.aborted) {
      const startedAt = performance.now();
      const turn = await this.#own();
      if (stopping.aborted) break;
      if (performance.now() - startedAt > soundAfterMs) this.#delayMs = firstRestartMs;
      // Giving a shard up to another process is not a failure.
      if (turn?.signal.aborted) continue;
      this.status.state = "backing_off";
      const passes = this.status.lastErrorPasses;
      const back = passes ? untilBack(this.#shared.context.connection) : undefined;
      // Whoever of this process asks for a lease sees first that the database is back.
      if (back === undefined)
        await pause(restartMs(this.#delayMs, passes) * (0.5 + Math.random()), stopping);
      else await pause(longestAwayMs, AbortSignal.any([stopping, back]));
      this.#delayMs = restartMs(this.#delayMs * 2, passes);
    }
    this.status.state = "stopped";
  }

  /** Waits for the lease and runs until it ends, in order or not. Gives the turn in the group that it had. */
  async #own(): Promise<Turn | undefined> {
    const { leases, groups, stopping } = this.#shared;
    const { consumer } = this.unit;
    const lease = this.#shared.leaseSignal();
    let turn: Turn | undefined;
    try {
      // A shard may wait long for its turn; the others ask for their lease at once, and hear whether the database answers.
      if (this.status.state === "starting" || this.unit.shard !== undefined)
        this.status.state = "waiting";
      await this.#renew();
      turn = await groups.turn(this.unit, stopping);
      const waiting = AbortSignal.any([stopping, turn.signal]);
      const ownership = await leases.acquire(
        this.unit.name,
        consumer.schema,
        waiting,
        (answered) => {
          this.status.state = answered ? "waiting" : "cut_off";
          if (!answered) turn!.failed();
        },
      );
      if (!stopping.aborted && ownership !== undefined) {
        this.status.state = "running";
        const ownedAt = performance.now();
        await this.#runAs(ownership, turn, AbortSignal.any([waiting, lease])).finally(() => {
          if (performance.now() - ownedAt > soundAfterMs) turn!.sound();
        });
      }
    } catch (error) {
      this.#failed(error);
      // Who is fenced has a successor that runs it.
      if (!(error instanceof Fenced)) turn?.failed();
    }
    await turn?.end();
    await leases.release(this.unit.name);
    return turn;
  }

  async #renew(): Promise<void> {
    const { context, stopping } = this.#shared;
    const { consumer } = this.unit;
    if (consumer.kind !== "projector") return;
    await renewTables(context, consumer, stopping, () => (this.status.state = "rebuilding"));
  }

  async #runAs(
    ownership: NonNullable<Awaited<ReturnType<Leases["acquire"]>>>,
    turn: Turn,
    signal: AbortSignal,
  ): Promise<void> {
    const { context } = this.#shared;
    const { unit, status, retries } = this;
    const { consumer } = unit;
    const source = sourceOf(context, unit, turn.join());
    await failpoint("runtime.owned");
    if (consumer.kind === "projector")
      return runProjector(consumer, context, ownership, status, signal, retries, source);
    return runReactor({
      reactor: consumer,
      unit,
      context,
      ownership,
      status,
      signal,
      retries,
      careful: this.#careful,
      drainMs: context.settings.shutdownMs / 2,
      source,
    });
  }

  #failed(error: unknown): void {
    const { context, stopping } = this.#shared;
    const { environment, logger } = context;
    const { name } = this.unit;
    if (error instanceof Fenced) consumerFenced.inc({ environment, consumer: name });
    else if (!stopping.aborted) {
      this.status.lastError = messageOf(error);
      this.status.lastErrorAt = Date.now();
      this.status.lastErrorPasses = isMachinery(error);
      consumerErrors.inc({ environment, consumer: name });
      logger.warn(
        {
          consumer: name,
          environment,
          error: messageOf(error),
          machinery: this.status.lastErrorPasses,
        },
        "consumer restarts",
      );
    }
  }
}
