import { openSuppressed } from "@heliograph/acceptance";
import { Fenced, type ReactorInstance, type ReactorTools } from "@heliograph/runtime";
import { shardPart } from "@heliograph/contracts";
import type { SendResult } from "@heliograph/gateways";
import type { Logger } from "pino";
import { createActive } from "./active.ts";
import { adoptTimers } from "./adopt.ts";
import { createCaller } from "./caller.ts";
import { createClearance } from "./clearance.ts";
import { createCommitter, type Committer } from "./committer.ts";
import { attemptOf, linksOf } from "./attempt.ts";
import type { Connection, Connections } from "./connections.ts";
import type { Call } from "./events.ts";
import { createFeed } from "./feed.ts";
import { createFloor } from "./floor.ts";
import type { GatewayPool } from "./gateway-pool.ts";
import type { Job } from "./job.ts";
import { isSilent, watchHeld } from "./held.ts";
import { createIntents } from "./intents.ts";
import { createLanes } from "./lanes.ts";
import { haltedMessages } from "./metrics.ts";

import { createOutcomes, type Outcomes, type Target } from "./outcomes.ts";
import { createRecorder } from "./recorder.ts";
import { recover } from "./recover.ts";
import { alternatives } from "./routing.ts";
import { createResumer } from "./resume.ts";
import { createStore, type IntendedCall, type Timer } from "./store.ts";
import { createTimers } from "./timers.ts";

/** Jobs in memory at most: the feed and the timers wait while there is no room. */
const MOST_JOBS = 8_000;
/** For requests whose funds are not decided yet: some 25,000 ordinary ones, 100 of the largest. Twice that at most. */
const REQUEST_BYTES = 64 * 1024 * 1024;
/** What waits longer for a gateway becomes a row, so that the checkpoint can move on and memory is free for others. */
const LONGEST_WAIT_MS = 1_000;
/** A channel without any gateway, or whose gateway had no connection, is looked at again after this. */
const NO_GATEWAY_MS = 5_000;
/** Calls in flight get this long to end although the machinery is broken: each that ends is one less uncertain. */
const GRACE_MS = 5_000;
/** Part of memory that rows leave free: they are mostly of those who have much, and it is for what is new. */
const FREE_OF_ROWS = 1 / 4;

/**
 * Puts a dispatcher together, settles what its predecessors left, and hands back the reactor.
 *
 * A message is in one of four places, and in one only:
 *   in the feed, above the checkpoint    nothing was done for it yet
 *   in memory (`active`)                 its mark holds the checkpoint, or its row is taken under this owner's epoch
 *   announced (an intent)                its call may be made, is being made, or its outcome is on its way into the log
 *   in a row (`timers`)                  it waits for a time: its schedule, a retry, evidence, a gateway
 * Every move from one to the next is one commit, so a crash finds it in the one or in the other. An owner lives through: recover → run → closing (no more is
 * admitted, calls in flight end, announced ones become rows) → dead (fenced, or everything is committed); a dead one makes no further call.
 */
export async function startDispatcher(
  tools: ReactorTools,
  pool: GatewayPool,
  sharesRates: boolean,
): Promise<ReactorInstance> {
  const { context, checkpoint, epoch, logger, schema, shard } = tools;
  const { log, settings, clock } = context;
  const owner = shard?.index ?? null;
  const scale = settings.retryScale;
  const mostJobs = shardPart(MOST_JOBS, shard, 1_000);
  const now = Date.now;
  const random = Math.random;
  const hard = new AbortController();
  let closing = false;
  let dead = false;

  function broken(error: unknown): void {
    if (closing && !(error instanceof Fenced))
      logger.error({ err: error }, "dispatch failed while it stopped");
    if (error instanceof Fenced) {
      dead = true;
      hard.abort();
    }
    closing = true;
    feed.wake();
    tools.fail(error);
  }
  async function prove(): Promise<boolean> {
    if (dead) return false;
    try {
      await committer.prove();
      return true;
    } catch (error) {
      broken(error);
      return false;
    }
  }

  const halted = (about: object, what: string): void => {
    haltedMessages.inc({ environment: context.environment });
    logger.error(about, what);
  };

  let gatewayIsFree = (): void => undefined;
  const gateways = pool.use(context, () => gatewayIsFree(), { shard, sharesRates });
  const { connections } = gateways;
  const store = createStore(context.pool, schema, epoch, owner);
  let headAtStart: bigint;
  let unsettled: Map<string, IntendedCall>;
  try {
    if (shard !== undefined) await adoptTimers(store, log, shard);
    unsettled = await recover({
      log,
      store,
      shard,
      checkpoint,
      connections,
      logger,
      clock,
      random,
      scale,
      signal: tools.signal,
    });
    headAtStart = await log.head();
  } catch (error) {
    await gateways.release();
    throw error;
  }
  const suppressed = openSuppressed(context, (error) =>
    logger.error({ err: error }, "the subscription to suppressions broke; it starts again"),
  );
  const floor = createFloor(checkpoint.position);
  const left = (): void => timers.look();
  const active = createActive(() => committer, floor, clock, left);
  const recorder = createRecorder(log, hard.signal, broken);
  const caller = createCaller({
    logger,
    now,
    alive: () => !dead,
    provedAt: () => committer.provedAt,
    prove,
    settle: (job, result) =>
      result.type === "unavailable"
        ? comeBack(job, result.retryAfterMs)
        : outcomes.settle(targetOf(job), result),
    unsettled: (job, error) => strand(job, error),
  });
  const lanes = createLanes({ connections, now, random, call: caller.call, broken, unfit });
  /** Admitted and not ended: what is left of them when this ends is given back to the gateways, which others go on using. */
  const admitted = new Set<Job>();
  const intents = createIntents(epoch, owner);
  const committer: Committer = createCommitter({
    checkpoint,
    owner,
    intents,
    floor,
    broken,
    admit(limit) {
      if (closing) return [];
      const jobs = lanes.admit(limit);
      for (const job of jobs) {
        admitted.add(job);
        job.sending = attemptOf(job, linksOf(context), now());
      }
      if (jobs.length > 0) gateways.took();
      const roomIn = lanes.nextAt();
      if (roomIn !== undefined) gateways.roomAt(roomIn);
      return jobs;
    },
    run: (jobs) => {
      // Announced while it stopped: nobody would wait for these calls any more.
      if (closing) giveBack(jobs);
      else lanes.run(jobs);
    },
    clock,
    timersWritten: (earliest) => timers.at(earliest),
    committed: left,
  });
  const outcomes: Outcomes = createOutcomes({
    log,
    recorder,
    committer,
    connections,
    clock,
    random,
    scale,
    prove,
    broken,
  });
  const resumer = createResumer({
    log,
    clearance: createClearance(context.vault, suppressed, (partner) =>
      isSilent(context, held, partner),
    ),
    recorder,
    committer,
    floor,
    active,
    clock,
    random,
    scale,
    outcomes,
    ask: (gateway, attemptId) => ask(connections.byName(gateway), gateway, attemptId, logger),
    broken,
    unsettled,
    policyOf: connections.policyOf,
    halted: (message, until, error) =>
      halted(
        { message, until: new Date(until).toISOString(), err: error },
        "the events of a message cannot be understood: it stands still",
      ),
    add: (job) => lanes.add(job),
    kindOf: (gateway) => connections.byName(gateway)?.config.kind ?? "unknown",
  });
  const room = (): number => mostJobs - active.size;
  const timers = createTimers({
    store,
    resumer,
    committer,
    active,
    room: () => room() - Math.floor(mostJobs * FREE_OF_ROWS),
    closing: () => closing,
    now,
    clock,
    broken,
  });
  const wakeHeld = (): void =>
    void store.wakeHeld(now()).then(() => closing || timers.at(now()), broken);
  const held = watchHeld(context.directory, wakeHeld);
  // Of partners that became active while nobody looked.
  wakeHeld();
  const forgetClock = clock.onChange(() => timers.at(now()));
  const feed = createFeed({
    resumer,
    committer,
    floor,
    active,
    room,
    closing: () => closing,
    clock,
    headAtStart,
    requestBytes: shardPart(REQUEST_BYTES, shard, REQUEST_BYTES / 16),
  });
  const sweep = setInterval(spill, LONGEST_WAIT_MS / 4).unref();
  gatewayIsFree = () => {
    if (lanes.waiting > 0) committer.pump();
  };
  timers.at(now());

  const targetOf = (job: Job): Target => ({
    messageId: job.messageId,
    stream: job.stream,
    number: job.call,
    done: () => finish(job),
    moment: job.moment,
    refused: (reason) => strand(job, reason),
    call: callOf(job),
  });

  /** There was no connection, so there was no attempt: the message goes to another gateway at once, or waits until one may be there again. */
  function comeBack(job: Job, retryAfterMs: number | undefined): void {
    const at = triedAgainAt(job, connections, retryAfterMs, now());
    // The row and the end of the announcement share a commit.
    committer.timer(job.messageId, waiting(job, at));
    finish(job, "notMade");
  }

  /** Nobody can record what the call came to: it stays announced until the next owner looks at it, and the gateway has its place back. */
  function strand(job: Job, error: unknown): void {
    halted(
      { message: job.messageId, err: error },
      "the outcome of a call cannot be recorded: it stays announced",
    );
    if (!admitted.delete(job)) return;
    job.connection!.open--;
    connections.released(job.connection!);
  }

  function finish(job: Job, call: "recorded" | "notMade" = "recorded"): void {
    const connection = job.connection!;
    // Too late: the dispatcher has ended, and the gateway has its place back.
    if (!admitted.delete(job)) return;
    connection.open--;
    connections.released(connection);
    active.remove(job.messageId);
    intents[call](job);
    feed.wake();
    committer.pump();
  }

  /** A row that is looked at again at `at` of the real clock, but not later than the validity ends: then the message expires. */
  function waiting({ moment: { partner }, expiresAt }: Job, at: number): Timer {
    const dueAt = Math.max(clock.now(partner), Math.min(at + clock.aheadMs(partner), expiresAt));
    return { dueAt, kind: "waiting", partner };
  }

  /** Gives a job back to a row: it is looked at again at `at`. */
  function putOff(job: Job, at: number): void {
    committer.timer(job.messageId, waiting(job, at));
    if (job.mark !== undefined) floor.release(job.mark);
    active.remove(job.messageId);
  }
  function unfit(job: Job, why: "expired" | "no_gateway"): void {
    if (why === "no_gateway") {
      logger.warn(
        { message: job.messageId, channel: job.state.request.channel },
        "no gateway for the channel",
      );
      return putOff(job, now() + NO_GATEWAY_MS);
    }
    const { messageId, stream, mark, moment } = job;
    resumer.resume([{ messageId, stream, mark, due: true, ...moment }]).catch(broken);
  }
  function spill(): void {
    if (closing) return;
    const at = now();
    for (const { job, forMs } of lanes.spill(at - LONGEST_WAIT_MS))
      putOff(job, at + Math.min(30_000, Math.max(250, forMs)));
    feed.wake();
    committer.pump();
  }

  function abandon(job: Job): void {
    const connection = job.connection!;
    admitted.delete(job);
    connection.open--;
    connection.breaker.abandoned(job.ticket!);
    connections.released(connection);
  }

  /** Announced jobs that are not called yet become rows again, and their intents name them no longer. */
  function withdraw(): void {
    giveBack(lanes.withdraw());
  }
  function giveBack(jobs: readonly Job[]): void {
    for (const job of jobs) {
      abandon(job);
      putOff(job, now());
      intents.notMade(job);
    }
  }

  return {
    handle: (batch) => feed.handle(batch),
    async stop(deadlineMs) {
      closing = true;
      clearInterval(sweep);
      timers.close();
      forgetClock();
      held.close();
      feed.wake();
      withdraw();
      const deadline = performance.now() + (dead ? 0 : Math.max(deadlineMs, GRACE_MS));
      while (performance.now() < deadline && !dead) {
        // Calls in flight run to their end: an intent without an outcome would be uncertain to the next owner.
        if (caller.inFlight === 0 && recorder.pending === 0 && gateways.receiptsInFlight === 0)
          break;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      try {
        if (!dead) await committer.finish();
      } finally {
        dead = true;
        hard.abort();
        caller.close();
        for (const job of admitted) abandon(job);
        await gateways.release();
        await suppressed.release();
      }
    },
  };
}

const callOf = (job: Job): Call => ({
  state: job.state,
  attempt: job.attempt,
  attemptId: job.sending!.attemptId,
  gateway: job.connection!.name,
  gatewayKind: job.connection!.config.kind,
  choice: job.choice!,
  causation: job.causation,
});

/** After a call that could not be made: at once where another gateway may have the message, else when this one may be there again. */
function triedAgainAt(
  job: Job,
  connections: Connections,
  retryAfterMs: number | undefined,
  at: number,
): number {
  if (retryAfterMs !== undefined) return at + retryAfterMs;
  const connection = job.connection!;
  const ofChannel = connections.forChannel(job.state.request.channel);
  const others = alternatives(ofChannel, job.choice!, connection.name);
  if (others.some(({ unhealthy }) => unhealthy === undefined)) return at;
  return connection.nextAt() ?? at + NO_GATEWAY_MS;
}

/** What a provider says of an attempt; undefined where it does not answer. */
async function ask(
  connection: Connection | undefined,
  gateway: string,
  attemptId: string,
  logger: Logger,
): Promise<SendResult | "unknown" | undefined> {
  if (connection?.gateway.lookup === undefined) return "unknown";
  try {
    const signal = AbortSignal.timeout(connection.config.timeout_ms);
    return await connection.gateway.lookup(attemptId, signal);
  } catch (error) {
    const about = { gateway, attempt: attemptId, err: error };
    logger.warn(about, "a provider could not be asked about an attempt");
    return undefined;
  }
}
