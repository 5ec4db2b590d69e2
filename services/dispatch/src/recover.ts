import { shardOf, streamOf, type Shard } from "@heliograph/contracts";
import type { Append, EventLog } from "@heliograph/log";
import type { Checkpoint, WritePart } from "@heliograph/runtime";
import type { Logger } from "pino";
import type { Connections } from "./connections.ts";
import { decideStep } from "./decide.ts";
import { uncertain } from "./events.ts";
import { appendPatiently } from "./recorder.ts";
import { fold, type State } from "./state.ts";
import {
  deleteIntents,
  upsertTimers,
  type IntendedCall,
  type Owner,
  type Store,
  type Timer,
} from "./store.ts";

const MOST_STREAMS = 500;

type Options = {
  readonly log: EventLog;
  readonly store: Store;
  readonly shard: Shard | undefined;
  readonly checkpoint: Checkpoint;
  readonly connections: Connections;
  readonly logger: Logger;
  readonly now: () => number;
  readonly random: () => number;
  readonly scale: number;
  readonly signal: AbortSignal;
};

/**
 * Settles what earlier owners announced and may have done. An announced call whose outcome is not in the log becomes `DispatchUncertain`:
 * nobody can know whether it was made. What every message needs next becomes a timer, which takes the way of all timers;
 * intents and timers change in one statement, so that a crash in here repeats it and nothing else.
 */
export async function recover(options: Options): Promise<void> {
  const { store, shard, checkpoint, logger } = options;
  const intents = await store.openIntents();
  if (intents.length === 0) return;
  const calls = new Map<string, IntendedCall>();
  for (const intent of intents)
    for (const call of intent.calls)
      if ((calls.get(call[0])?.[2] ?? 0) < call[2]) calls.set(call[0], call);
  const timers = new Map<string, Timer>();
  /** Intents of the time before the dispatcher was divided may name messages of every shard: each timer goes to its own. */
  const partners = new Map<string, string | undefined>();
  let unknown = 0;
  let open = [...calls.values()];
  while (open.length > 0) {
    const part = open.slice(0, MOST_STREAMS);
    const outcome = await settle(part, options, timers, partners);
    unknown += outcome.uncertain;
    open = [...open.slice(MOST_STREAMS), ...outcome.again];
  }
  const parts: WritePart[] = [deleteIntents(intents.map(({ id }) => id))];
  const ownerOf = (id: string): Owner =>
    shard === undefined ? null : shardOf(partners.get(id), shard.count);
  if (timers.size > 0) parts.push(upsertTimers(timers, ownerOf));
  await checkpoint.commit(checkpoint.position, parts);
  logger.warn(
    { calls: calls.size, uncertain: unknown },
    "took over announced provider calls of a predecessor",
  );
}

/** Writes what is missing for some calls; gives back those whose stream moved meanwhile. */
async function settle(
  calls: readonly IntendedCall[],
  { log, connections, now, random, scale, signal }: Options,
  timers: Map<string, Timer>,
  partners: Map<string, string | undefined>,
): Promise<{ readonly uncertain: number; readonly again: readonly IntendedCall[] }> {
  const streams = await log.readStreams(calls.map(([id]) => streamOf("message", id)));
  const appends: Append[] = [];
  const appended: IntendedCall[] = [];
  const timer = (id: string, at: number): void =>
    void timers.set(id, { dueAt: at, kind: "uncertain" });
  for (const call of calls) {
    const [id, attempt, number, gateway] = call;
    const stream = streamOf("message", id);
    const state: State | undefined = fold(streams.get(stream) ?? []);
    if (state === undefined) continue;
    partners.set(id, state.requestEvent.metadata.partner);
    if (state.calls >= number || state.phase === "settled") {
      const step = decideStep(state, { now: now(), due: false, random: random(), scale });
      if (step.type === "wait") timer(id, step.at);
      else if (step.type !== "nothing") timer(id, now());
      continue;
    }
    const policy = connections.byName(gateway)?.config.on_uncertain ?? "at_most_once";
    const event = uncertain(state, { attempt, gateway, cause: "crash", policy }, state.lastEventId);
    appends.push({ stream, expected: state.revision, events: [event] });
    appended.push(call);
  }
  if (appends.length === 0) return { uncertain: 0, again: [] };
  const outcomes = await appendPatiently(log, appends, signal);
  const again: IntendedCall[] = [];
  for (const [index, outcome] of outcomes.entries()) {
    const call = appended[index]!;
    if (outcome.kind === "conflict") again.push(call);
    else if (outcome.kind === "invalid")
      throw new Error(`${appends[index]!.stream}: ${outcome.message}`);
    else timer(call[0], now());
  }
  return { uncertain: appends.length - again.length, again };
}
