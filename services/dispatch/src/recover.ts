import { shardOf, streamOf, type Shard } from "@heliograph/contracts";
import type { Append, EventLog, RecordedEvent } from "@heliograph/log";
import type { Checkpoint, PartnerClock, WritePart } from "@heliograph/runtime";
import type { Logger } from "pino";
import type { Connections } from "./connections.ts";
import { decideStep } from "./decide.ts";
import { uncertain } from "./events.ts";
import { appendPatiently } from "./recorder.ts";
import { momentMs, stamped } from "./moment.ts";
import { isOver, soundFold, type State } from "./state.ts";
import {
  deleteIntents,
  upsertTimers,
  type Intent,
  type IntendedCall,
  type Owner,
  type Store,
  type Timer,
  type Unsettled,
} from "./store.ts";

const MOST_STREAMS = 500;

type Options = {
  readonly log: EventLog;
  readonly store: Store;
  readonly shard: Shard | undefined;
  readonly checkpoint: Checkpoint;
  readonly connections: Connections;
  readonly logger: Logger;
  readonly clock: PartnerClock;
  readonly random: () => number;
  readonly scale: number;
  readonly signal: AbortSignal;
  /** Tells operators of a message that stands still because a row that names it cannot be read; of the row alone where it names none. */
  setApart(row: string, last: RecordedEvent | undefined): Promise<void>;
};

/**
 * Settles what earlier owners announced and may have done. Announced appends are made. An announced call whose outcome is not in the log becomes `DispatchUncertain`:
 * nobody can know whether it was made. What every message needs next becomes a timer, which takes the way of all timers;
 * intents and timers change in one statement, so that a crash in here repeats it and nothing else.
 * Gives the calls of messages whose events cannot be understood: they stay announced, and no call may be made for these messages before they are settled.
 */
export async function recover(options: Options): Promise<Unsettled> {
  const { store, shard, checkpoint, logger } = options;
  const intents = await store.openIntents();
  if (intents.length === 0) return new Map();
  await makeAnnounced(intents, options);
  const calls = new Map<string, IntendedCall>();
  for (const intent of intents)
    for (const call of intent.calls)
      // The later announcement counts, also of the same outcome: the earlier one was not made, and its row may be of a release that left it there.
      if ((calls.get(call[0])?.[2] ?? 0) <= call[2]) calls.set(call[0], call);
  const timers = new Map<string, Timer>();
  /** Intents of the time before the dispatcher was divided may name messages of every shard: each timer goes to its own. */
  const partners = new Map<string, string | undefined>();
  const unsettled: Unsettled = new Map();
  let unknown = 0;
  let open = [...calls.values()];
  while (open.length > 0) {
    const part = open.slice(0, MOST_STREAMS);
    const outcome = await settle(part, options, timers, partners, unsettled);
    unknown += outcome.uncertain;
    open = [...open.slice(MOST_STREAMS), ...outcome.again];
  }
  await setApart(intents, options, timers, partners, unsettled);
  const over = intents.filter(
    ({ damaged, calls: own }) => !damaged && !own.some(([id]) => unsettled.has(id)),
  );
  const parts: WritePart[] = [deleteIntents(over.map(({ id }) => id))];
  const ownerOf = (id: string): Owner =>
    shard === undefined ? null : shardOf(partners.get(id), shard.count);
  if (timers.size > 0) parts.push(upsertTimers(timers, ownerOf, Date.now()));
  await checkpoint.commit(checkpoint.position, parts);
  const appends = intents.reduce((sum, { decided }) => sum + decided.length, 0);
  logger.warn(
    { calls: calls.size, uncertain: unknown, appends },
    "took over what a predecessor announced",
  );
  return unsettled;
}

/**
 * Makes the appends that predecessors announced, so that none of them can come later: it is there, or another event is in its place. A predecessor that still runs finds its own there, or a
 * conflict. What their messages need next is not decided here: the feed above the checkpoint or a row still has each of them.
 */
async function makeAnnounced(
  intents: readonly Intent[],
  { log, logger, signal }: Options,
): Promise<void> {
  for (const { decided } of intents) {
    if (decided.length === 0) continue;
    const outcomes = await appendPatiently(log, decided, signal);
    for (const [index, outcome] of outcomes.entries())
      if (outcome.kind === "invalid")
        logger.error(
          { stream: decided[index]!.stream, err: outcome.message },
          "the log does not take what was announced: it is decided anew",
        );
  }
}

/** What a damaged row names and does not tell any more stands still, and nothing else: for such a message there may have been a call, so there is no other before somebody has looked. */
async function setApart(
  intents: readonly Intent[],
  { log, clock, logger, setApart: tell }: Options,
  timers: Map<string, Timer>,
  partners: Map<string, string | undefined>,
  unsettled: Unsettled,
): Promise<void> {
  for (const { id: row, unreadable } of intents.filter(({ damaged }) => damaged)) {
    logger.error({ row, messages: unreadable }, "a row of dispatch.intents cannot be read");
    if (unreadable.length === 0) await tell(row, undefined);
    for (const id of unreadable) {
      const [last] = await log.readStream(streamOf("message", id), { backwards: true, limit: 1 });
      // A name that was damaged itself.
      if (last === undefined) continue;
      const { partner } = last.metadata;
      partners.set(id, partner);
      unsettled.set(id, undefined);
      timers.set(id, { dueAt: clock.now(partner), kind: "uncertain", partner, revision: -1 });
      await tell(row, last);
    }
  }
}

/** Writes what is missing for some calls; gives back those whose stream moved meanwhile. */
async function settle(
  calls: readonly IntendedCall[],
  { log, connections, logger, clock, random, scale, signal }: Options,
  timers: Map<string, Timer>,
  partners: Map<string, string | undefined>,
  unsettled: Unsettled,
): Promise<{ readonly uncertain: number; readonly again: readonly IntendedCall[] }> {
  const streams = await log.readStreams(calls.map(([id]) => streamOf("message", id)));
  const appends: Append[] = [];
  const appended: IntendedCall[] = [];
  /** `revision`: of the stream, where the message waits for a time that the log does not give. */
  const timer = (id: string, at: number, revision: number): void =>
    void timers.set(id, { dueAt: at, kind: "uncertain", partner: partners.get(id), revision });
  for (const call of calls) {
    const [id] = call;
    try {
      const append = decide(call, soundFold(streams.get(streamOf("message", id)) ?? []));
      if (append === undefined) continue;
      appends.push(append);
      appended.push(call);
    } catch (error) {
      leave(call, error);
    }
  }

  /** A timer has it looked at at once, and then as often as other messages that stand still. */
  function leave(call: IntendedCall, error: unknown): void {
    unsettled.set(call[0], call);
    timer(call[0], clock.now(partners.get(call[0])), -1);
    logger.error({ message: call[0], err: error }, "an announced call cannot be settled");
  }

  /** The doubt that has to be recorded; undefined when the call's outcome is known, and what comes next has a timer. */
  function decide(call: IntendedCall, state: State | undefined): Append | undefined {
    const [id, attempt, number, gateway] = call;
    if (state === undefined) return undefined;
    partners.set(id, state.requestEvent.metadata.partner);
    if (isOver(state, number)) {
      const now = clock.now(partners.get(id));
      const step = decideStep(state, { now, waited: -1, random: random(), scale });
      if (step.type === "nothing") return undefined;
      const at = step.type === "wait" ? step.at : now;
      if (!Number.isFinite(at)) throw new Error("it waits for a time that is none");
      timer(id, at, state.revision);
      return undefined;
    }
    const policy = connections.policyOf(gateway);
    const moment = { partner: partners.get(id), at: undefined };
    const about = { attempt, gateway, cause: "crash", policy } as const;
    const doubt = uncertain(state, about, state.lastEventId, momentMs(clock, moment));
    const events = stamped(clock, moment, [doubt]);
    return { stream: streamOf("message", id), expected: state.revision, events };
  }

  if (appends.length === 0) return { uncertain: 0, again: [] };
  const outcomes = await appendPatiently(log, appends, signal);
  const again: IntendedCall[] = [];
  for (const [index, outcome] of outcomes.entries()) {
    const call = appended[index]!;
    if (outcome.kind === "conflict") again.push(call);
    else if (outcome.kind === "invalid") leave(call, new Error(outcome.message));
    else timer(call[0], clock.now(partners.get(call[0])), -1);
  }
  return { uncertain: appends.length - again.length, again };
}
