import { openSuppressed, type Suppressed } from "@heliograph/acceptance";
import { shardPart } from "@heliograph/contracts";
import type { RecordedEvent } from "@heliograph/log";
import { quarantine, type ReactorInstance, type ReactorTools } from "@heliograph/runtime";
import { adoptTimers } from "./adopt.ts";
import { linksOf } from "./attempt.ts";
import { filesReader } from "./call-files.ts";
import { createCaller, type Caller } from "./caller.ts";
import { createClearance } from "./clearance.ts";
import { openDesk, type Desk } from "./desk.ts";
import { deviceTokens } from "./devices.ts";
import { Executor, run } from "./executor.ts";
import type { GatewayPool, GatewayUse } from "./gateway-pool.ts";
import { silenceOf, watchHeld } from "./held.ts";
import { Inbox } from "./inbox.ts";
import { routedOf } from "./job.ts";
import { haltedMessages } from "./metrics.ts";
import { Owner } from "./owner.ts";
import { createRecorder, type Recorder } from "./recorder.ts";
import { recover } from "./recover.ts";
import { createStore, type Store } from "./store.ts";

/** Jobs in memory at most: the feed and the timers wait while there is no room. */
const MOST_JOBS = 8_000;
/** For requests whose funds are not decided yet: some 25,000 ordinary ones, 100 of the largest. Twice that at most. */
const REQUEST_BYTES = 64 * 1024 * 1024;
/** How often is looked for what waits too long for a gateway. */
const LOOK_OVER_MS = 250;
/** Calls in flight get this long to end although the machinery is broken: each that ends is one less uncertain. */
const GRACE_MS = 5_000;

const now = (): number => Date.now();
const random = Math.random;

/** Settles what predecessors left, puts a dispatcher together, and hands back the reactor. */
export async function startDispatcher(
  tools: ReactorTools,
  pool: GatewayPool,
  sharesRates: boolean,
): Promise<ReactorInstance> {
  const { context, epoch, logger, schema, shard } = tools;
  const inbox = new Inbox();
  const changed = (): void => inbox.put({ type: "gateway changed" });
  const gateways = pool.use(context, changed, { shard, sharesRates });
  const store = createStore(context.pool, schema, epoch, shard?.index ?? null);
  let desk: Desk;
  try {
    desk = await takeOver(tools, store, gateways);
  } catch (error) {
    await gateways.release();
    throw error;
  }
  const suppressed = openSuppressed(context, (error) =>
    logger.error({ err: error }, "the subscription to suppressions broke; it starts again"),
  );
  const owner = new Owner(tools, inbox);
  const broken = (error: unknown): void => owner.broken(error);
  const recorder = createRecorder(context.log, owner.ended, inbox, broken);
  const caller = createCaller({
    logger,
    now,
    ownership: owner,
    inbox,
    broken,
    files: filesReader(context),
  });
  const held = watchHeld(context.directory, () => inbox.put({ type: "partners active" }));
  const executor = new Executor({
    environment: context.environment,
    log: context.log,
    clearance: createClearance(
      context.vault,
      suppressed,
      (partner) => silenceOf(context, held, partner),
      deviceTokens(context),
      (state, to) =>
        gateways.connections.senderRefusal({ ...routedOf({ state, opened: undefined }), to }),
    ),
    store,
    owner,
    inbox,
    recorder,
    caller,
    gateways,
    logger,
    now,
  });
  const { connections } = gateways;
  const { clock, settings } = context;
  const at = { clock, random, scale: settings.retryScale, links: linksOf(context) };
  run(desk, { ...at, gateways: connections, inbox }, executor, { inbox, now }).catch(broken);
  return reactorOf({
    tools,
    desk,
    executor,
    owner,
    inbox,
    held,
    caller,
    recorder,
    gateways,
    suppressed,
  });
}

/** The desk of a new owner. */
async function takeOver(
  { context, checkpoint, epoch, logger, schema, shard, signal }: ReactorTools,
  store: Store,
  { connections }: GatewayUse,
): Promise<Desk> {
  const { log, clock, settings } = context;
  if (shard !== undefined) await adoptTimers(store, log, shard);
  const scale = settings.retryScale;
  const about = {
    log,
    store,
    shard,
    checkpoint,
    connections,
    logger,
    clock,
    random,
    scale,
    signal,
    async setApart(row: string, last: RecordedEvent | undefined) {
      haltedMessages.inc({ environment: context.environment });
      if (last === undefined) return;
      const name = shard === undefined ? "dispatch" : `dispatch/${shard.index}`;
      const reason = `it stands still: the row ${row} of ${schema}.intents cannot be read, so nobody knows whether a call was made. Mend or delete the row and start dispatch anew`;
      await quarantine(context.pool, name, last, reason);
    },
  };
  const unsettled = await recover(about);
  return openDesk({
    owner: shard?.index ?? null,
    epoch,
    position: checkpoint.position,
    headAtStart: await log.head(),
    unsettled,
    mostJobs: shardPart(MOST_JOBS, shard, 1_000),
    requestBytes: shardPart(REQUEST_BYTES, shard, REQUEST_BYTES / 16),
  });
}

type Parts = {
  readonly tools: ReactorTools;
  readonly desk: Desk;
  readonly executor: Executor;
  readonly owner: Owner;
  readonly inbox: Inbox;
  readonly held: ReturnType<typeof watchHeld>;
  readonly caller: Caller;
  readonly recorder: Recorder;
  readonly gateways: GatewayUse;
  readonly suppressed: Suppressed;
};

/** An owner lives through: recover → open → closing (no more is admitted, calls in flight end, announced ones become rows) → finished (everything is committed) → closed. */
function reactorOf(parts: Parts): ReactorInstance {
  const { tools, desk, executor, owner, inbox, held, caller, recorder, gateways } = parts;
  const { clock } = tools.context;
  const forgetClock = clock.onChange(() => inbox.put({ type: "rows due" }));
  const lookOver = setInterval(() => inbox.put({ type: "look over" }), LOOK_OVER_MS).unref();
  inbox.put({ type: "rows due" });
  // Of partners that became active while nobody looked.
  inbox.put({ type: "partners active" });
  /** Calls in flight run to their end, up to what the log has of them. */
  const isQuiet = (): boolean =>
    !desk.jobs.areCalled && recorder.pending === 0 && gateways.receiptsInFlight === 0;
  return {
    handle: (batch) => executor.handle(batch),
    async stop(deadlineMs) {
      clearInterval(lookOver);
      executor.close();
      forgetClock();
      held.close();
      owner.stop();
      const deadline = performance.now() + Math.max(deadlineMs, GRACE_MS);
      while (owner.alive && performance.now() < deadline && !isQuiet())
        await new Promise((resolve) => setTimeout(resolve, 5));
      try {
        if (owner.alive) await owner.finish();
      } finally {
        await owner.end();
        caller.close();
        await gateways.release();
        await parts.suppressed.release();
      }
    },
  };
}
